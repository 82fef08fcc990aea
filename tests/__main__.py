"""`python -m tests`: the whole test suite, set up first on a machine with only Python."""

from __future__ import annotations

import sys

MODULES = ("click", "hypothesis", "pytest", "xdist")


def main() -> int:
    try:
        for name in MODULES:
            __import__(name)
    except ModuleNotFoundError:
        from runner.bootstrap import start_again

        return start_again(["-m", "tests", *sys.argv[1:]], group="dev")
    import pytest

    return int(pytest.main(["-n", "auto", "--dist", "worksteal", *sys.argv[1:]]))


if __name__ == "__main__":
    sys.exit(main())
