"""For programs that make, compare or show whole folders: the arguments that all have, and how they end."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable

import _program.work
from _program.arguments import Help, add_telling
from _program.cores import share


def parser(description: str) -> argparse.ArgumentParser:
    """A parser with the arguments that every such program has."""
    made = argparse.ArgumentParser(description=description, formatter_class=Help, allow_abbrev=False)
    add_telling(made.add_argument_group("how to work"))
    return made


def run(args: argparse.Namespace, work: Callable[[argparse.Namespace], int]) -> int:
    """The exit code of `work`; an error that the user can mend is told in a line."""
    logging.basicConfig(level=args.log_level, format="%(message)s", stream=sys.stderr)
    share(1)
    return _program.work.in_lines(lambda: work(args))
