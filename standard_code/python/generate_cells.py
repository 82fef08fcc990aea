"""Makes small images of bright round cells on a dark background, to try a pipeline on many files.

Equal arguments give equal files. An image that is there already is left as it is.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import _program.alone
from _program.arguments import positive_integer, whole_number
from _program.files import absolute

GROUP = "segment_threshold"  # whose environment has its packages
CELLS = 9  # in an image, at most
PIXEL_SIZE = 0.2  # micrometres


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    parser = _program.alone.parser(__doc__ or "")
    parser.add_argument("--output-folder", required=True, metavar="FOLDER", help="where the images go")
    parser.add_argument("--N", type=positive_integer, default=200, metavar="N", help="images")
    parser.add_argument(
        "--size", type=positive_integer, default=128, metavar="PIXELS", help="width and height of an image"
    )
    parser.add_argument("--seed", type=whole_number, default=1, metavar="N", help="another gives others")
    return parser


def make(args: argparse.Namespace) -> int:
    """Writes the images; gives the exit code."""
    folder = absolute(args.output_folder)
    paths = {number: folder / f"cells_{number:03}.ome.tif" for number in range(1, args.N + 1)}
    missing = {number: path for number, path in paths.items() if not path.exists()}
    if args.dry_run:
        print(f"{len(missing)} of {args.N} images would be made in {folder}; nothing was written.")
        return 0
    for number, path in missing.items():
        make_one(path, number, args)
    there = "; the others were there" if len(missing) < args.N else ""
    print(f"{len(missing)} of {args.N} images made in {folder}{there}.")
    return 0


def make_one(path: Path, number: int, args: argparse.Namespace) -> None:
    """Writes one image."""
    import numpy as np
    from _image.images import Image, PixelSize
    from _tiff.in_memory import write_tiff

    rng = np.random.default_rng([args.seed, number])
    ys, xs = np.ogrid[: args.size, : args.size]
    light = np.full((args.size, args.size), 100.0)
    for _ in range(rng.integers(3, CELLS, endpoint=True)):
        y, x = rng.uniform(0, args.size, 2)
        radius, bright = rng.uniform(0.03, 0.08) * args.size, rng.uniform(400, 1200)
        light += bright / (1 + np.exp(2 * (np.hypot(ys - y, xs - x) - radius)))
    pixels = rng.poisson(light).astype(np.uint16)
    write_tiff(path, Image(pixels[None, None, None], PixelSize(PIXEL_SIZE, PIXEL_SIZE)))
    logging.debug("%s written", path)


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    return _program.alone.run(arguments().parse_args(argv), make)


if __name__ == "__main__":
    sys.exit(main())
