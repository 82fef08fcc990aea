"""Writes one HTML page about segmented ER images: pictures of image, prediction and truth, and the tables.

The page needs no other file and no network, so that it can be sent by mail.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import _er.pairs
import _program.alone
from _program.files import UserError, absolute, writing

PAGE = "segment_er.html"
GROUP = "segment_er"  # whose environment has its packages


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    parser = _program.alone.parser(__doc__ or "")
    _er.pairs.add_arguments(parser)
    parser.add_argument("--image-folder", required=True, metavar="FOLDER", help="holds the images")
    parser.add_argument("--comparison", metavar="FILE", help="the table that compare_ernet_synthetic.py wrote")
    parser.add_argument("--measures-folder", metavar="FOLDER", help="holds the tables (CSV) of the network's measures")
    parser.add_argument("--title", default="Segmentation of the endoplasmic reticulum", metavar="TEXT")
    parser.add_argument("--output-folder", required=True, metavar="FOLDER", help=f"where {PAGE} goes")
    return parser


def write(args: argparse.Namespace) -> int:
    """Writes the page; gives the exit code."""
    pairs = _er.pairs.find(args)
    target = absolute(args.output_folder) / PAGE
    if args.dry_run:
        print(f"{target} would show {len(pairs)} images; nothing was written.")
        return 0
    from _er.page import legend, page, pictures

    parts = [legend(_er.pairs.CLASSES)]
    if args.comparison:
        parts += ["<h2>Agreement with the truth</h2>", agreement(absolute(args.comparison))]
    if args.measures_folder:
        parts += ["<h2>Measures of the network</h2>", measures(absolute(args.measures_folder))]
    for pair in pairs:
        image = image_of(pair, args)
        found, truth = _er.pairs.classes(pair.prediction), _er.pairs.classes(pair.truth)
        if not image.shape == found.shape == truth.shape:
            raise UserError(f"{pair.name}: image, prediction and truth have different sizes.")
        parts.append(pictures(pair.name, image, found, truth))
    with writing(target) as part:
        part.write_text(page(args.title, parts), encoding="utf-8", newline="\n")
    print(f"Page: {target}")
    return 0


def image_of(pair: _er.pairs.Pair, args: argparse.Namespace):  # type: ignore[no-untyped-def]
    """The first channel of the image itself."""
    from _tiff.in_memory import read_tiff

    start = absolute(args.image_folder)
    for ending in (".ome.tif", ".ome.tiff", ".tif", ".tiff"):
        path = start / f"{pair.name}{ending}"
        if path.is_file():
            return read_tiff(path).channel(None)[0]
    raise UserError(f"there is no image {start / pair.name}.ome.tif. See --image-folder.")


def agreement(path: Path) -> str:
    """The comparison as a table, with a last row of means."""
    from _er.page import table

    columns, rows = read_table(path)
    means = ["mean"]
    for place in range(1, len(columns)):
        values = [float(row[place]) for row in rows if row[place]]
        means.append(f"{sum(values) / len(values):.4f}" if values else "")
    return table([name.replace("_", " ") for name in columns], [*rows, means])


def measures(folder: Path) -> str:
    """All tables of the folder as one."""
    from _er.page import table

    tables = [read_table(path) for path in sorted(folder.rglob("*.csv"))]
    if not tables:
        raise UserError(f"{folder} holds no table (CSV). See --measures-folder.")
    columns = tables[0][0]
    rows = [row for names, many in tables if names == columns for row in many]
    return table([name.replace("_", " ") for name in columns], rows)


def read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a CSV file."""
    if not path.is_file():
        raise UserError(f"there is no table {path}. Was it made by the step before?")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    if not rows:
        raise UserError(f"the table {path} is empty.")
    return rows[0], rows[1:]


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    return _program.alone.run(arguments().parse_args(argv), write)


if __name__ == "__main__":
    sys.exit(main())
