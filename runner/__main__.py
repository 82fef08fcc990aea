"""`python -m runner` and the console script `run-pipeline`."""

from __future__ import annotations

import sys


def main() -> None:
    """Start the command line; on a machine with only Python, make `.venv` first and go on in it."""
    try:
        import click  # noqa: F401
    except ModuleNotFoundError:
        from runner.bootstrap import start_again

        sys.exit(start_again(["-m", "runner", *sys.argv[1:]]))
    from runner.cli.main import cli

    cli(prog_name="run-pipeline")


if __name__ == "__main__":
    main()
