"""`python -m tests`: the whole test suite, set up first on a machine with only Python."""

from __future__ import annotations

import sys
from importlib.util import find_spec

MODULES = ("click", "hypothesis", "psutil", "pytest", "uv", "xdist", "yaml")


def main() -> int:
    # looked for and not imported: pytest must be the first to import its plugins
    if any(find_spec(name) is None for name in MODULES):
        from runner.bootstrap import start_again

        return start_again(["-m", "tests", *sys.argv[1:]], group="dev")
    import pytest

    from runner.machine import read_machine

    workers = read_machine().cores + 2  # many tests wait for a program, a node or a clock most of their time
    return int(pytest.main(["-n", str(workers), "--dist", "worksteal", "-rs", *sys.argv[1:]]))


if __name__ == "__main__":
    sys.exit(main())
