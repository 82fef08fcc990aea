"""Compares predicted classes of the endoplasmic reticulum (ER) with the truth of synthetic images.

The result is comparison.csv, one row for each image: the Dice coefficient of the foreground, of its centreline (clDice)
and of each class; empty where neither has the class.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import _er.pairs
import _program.alone
from _program.files import UserError, absolute, write_table

TABLE = "comparison.csv"
COLUMNS = ("image", "dice_foreground", "dice_centreline", *(f"dice_{name}" for name in _er.pairs.CLASSES[1:]))
GROUP = "segment_er"  # whose environment has its packages


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    parser = _program.alone.parser(__doc__ or "")
    _er.pairs.add_arguments(parser)
    parser.add_argument("--output-folder", required=True, metavar="FOLDER", help=f"where {TABLE} goes")
    return parser


def compare(args: argparse.Namespace) -> int:
    """Writes the table; gives the exit code."""
    pairs = _er.pairs.find(args)
    target = absolute(args.output_folder) / TABLE
    if args.dry_run:
        for pair in pairs:
            print(f"{pair.prediction} against {pair.truth}")
        print(f"{len(pairs)} images would be compared in {target}; nothing was written.")
        return 0
    from tqdm import tqdm

    rows = [row_of(pair) for pair in tqdm(pairs, unit="image", file=sys.stderr, dynamic_ncols=True)]
    write_table(target, COLUMNS, rows, ".4f")
    tell(rows)
    print(f"Table: {target}")
    return 0


def row_of(pair: _er.pairs.Pair) -> dict[str, Any]:
    """The agreement of one image."""
    import _er.training
    from measures import centreline_dice, dice

    found, truth = _er.pairs.classes(pair.prediction), _er.pairs.classes(pair.truth)
    if found.shape != truth.shape:
        raise UserError(f"{pair.prediction} and {pair.truth} have other sizes: {found.shape} and {truth.shape}.")
    by_class = {f"dice_{name}": dice(found == n, truth == n) for n, name in enumerate(_er.pairs.CLASSES) if n}
    return {
        "image": pair.name,
        "dice_foreground": dice(found > 0, truth > 0),
        "dice_centreline": centreline_dice(found > 0, truth > 0),
        **by_class,
    }


def tell(rows: list[dict[str, Any]]) -> None:
    """Prints the mean of each column over the images that have it."""
    for name in COLUMNS[1:]:
        values = [row[name] for row in rows if row[name] is not None]
        if values:
            print(f"{name}: mean {sum(values) / len(values):.4f} of {len(values)} image{'s' * (len(values) != 1)}")


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    return _program.alone.run(arguments().parse_args(argv), compare)


if __name__ == "__main__":
    sys.exit(main())
