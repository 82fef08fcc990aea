"""Converts images (PNG, JPEG, TIFF) to OME-TIFF, with axes and pixel size."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import _arguments
import _work
from _files import Job


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    parser = _arguments.parser(__doc__ or "", suffix="")
    image = parser.add_argument_group("image")
    image.add_argument(
        "--pixel-size",
        type=_arguments.positive_number,
        metavar="UM",
        help="width and height of a pixel in micrometres; counts before what the file says",
    )
    image.add_argument(
        "--projection-method",
        choices=("none", "max", "mean"),
        default="none",
        help="make one flat image of all Z planes",
    )
    image.add_argument(
        "--stack-axis",
        type=str.upper,
        choices=("Z", "T", "C"),
        default="Z",
        help="what the pages of a TIFF are where it does not say",
    )
    return parser


def convert(job: Job, args: argparse.Namespace) -> str:
    """Converts one file; gives what to say about it."""
    from _formats import read
    from _images import PixelSize, write_tiff

    image = read(job.source, stack_axis=args.stack_axis)
    if args.pixel_size:
        depth = image.pixel_size.z if image.pixel_size else None
        image = replace(image, pixel_size=PixelSize(args.pixel_size, args.pixel_size, depth))
    if args.projection_method != "none" and image.data.shape[2] > 1:
        image = replace(image, data=_project(image.data, args.projection_method))
    write_tiff(job.target, image)
    return _described(image)


def _project(data, method):  # type: ignore[no-untyped-def]
    import numpy as np

    if method == "max":
        return data.max(axis=2, keepdims=True)
    mean = data.mean(axis=2, keepdims=True)
    return np.rint(mean).astype(data.dtype) if data.dtype.kind in "ui" else mean.astype(data.dtype)


def _described(image) -> str:  # type: ignore[no-untyped-def]
    frames, channels, planes, height, width = image.data.shape
    counts = [(channels, "channels"), (planes, "Z planes"), (frames, "time points")]
    parts = [f"{width} x {height} pixels", *(f"{count} {name}" for count, name in counts if count > 1)]
    size = f"{image.pixel_size.x:.4g} µm a pixel" if image.pixel_size else "pixel size unknown"
    return ", ".join([*parts, str(image.data.dtype), size])


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    return _work.run(arguments().parse_args(argv), convert, ending=".ome.tif")


if __name__ == "__main__":
    sys.exit(main())
