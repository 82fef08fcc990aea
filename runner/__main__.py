"""`python -m runner` and the console script `run-pipeline`."""

from __future__ import annotations

import gc
import sys
from importlib.util import find_spec

# of the packages that we need; a Python such as Anaconda's has some of them, and no uv
NEEDED = ("click", "colorama", "jinja2", "jsonschema", "packaging", "psutil", "pynvml", "rich", "uv", "yaml")


def main() -> None:
    """Start the command line; on a machine with only Python, make `.venv` first and go on in it."""
    if sys.version_info < (3, 11):  # noqa: UP036  (nobody has checked it yet)
        sys.exit(f"error: run-pipeline needs Python 3.11 or newer; this is {sys.version.split()[0]} ({sys.executable})")
    if any(find_spec(name) is None for name in NEEDED):
        from runner.bootstrap import start_again

        sys.exit(start_again(["-m", "runner", *sys.argv[1:]]))
    # what is imported at the start stays: looking through it for garbage finds nothing. runner.cli.main turns it on
    gc.disable()
    try:
        from runner.cli.main import start

        start()
    except KeyboardInterrupt:  # before a command could hear it
        sys.exit(130)


if __name__ == "__main__":
    main()
