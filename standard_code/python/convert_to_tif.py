"""Converts images (TIFF, PNG, JPEG, ND2, LIF, CZI and more) to OME-TIFF, with axes, pixel size and channel names."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import _program.arguments
import _program.work
from _program.arguments import positive_number
from _program.files import Job, part_of

if TYPE_CHECKING:
    from _image.stacks import Scene, Stack
    from _tiff.shown import How

ENDING = ".ome.tif"
PROJECTIONS = ("none", "max", "mean", "sum", "median", "min", "std")
SCENE_FILTERS = ("largest", "smallest", "all", "first", "includes", "excludes")


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    parser = _program.arguments.parser(__doc__ or "", suffix="")
    parser.epilog = (
        "TIFF, PNG, JPEG, GIF and BMP are read in the environment uv:convert_to_tif, ND2 and LIF too in uv:bioio, CZI "
        "in uv:bioio_czi, and all that Bio-Formats knows in uv:bioio_bioformats."
    )
    _program.arguments.collapse(parser)
    image = parser.add_argument_group("image")
    image.add_argument(
        "--pixel-size",
        type=positive_number,
        metavar="UM",
        help="width and height of a pixel in micrometres; counts before what the file says",
    )
    image.add_argument(
        "--projection-method", choices=PROJECTIONS, default="none", help="make one flat image of all Z planes"
    )
    image.add_argument(
        "--stack-axis",
        type=str.upper,
        choices=("Z", "T", "C"),
        default="Z",
        help="what the pages of a TIFF are where it does not say",
    )
    image.add_argument(
        "--as-stored",
        action="store_true",
        help="take the numbers as they are in a TIFF, PNG, GIF or BMP, though it is shown otherwise, because 0 is "
        "white or by a palette: for label images",
    )
    image.add_argument(
        "--compression",
        choices=("zlib", "lzw", "none"),
        default="zlib",
        help="all are without loss; none is the fastest and takes the most room",
    )
    _add_choices(parser)
    return parser


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parts = parser.add_argument_group(
        "parts of a file", "Numbers are counted from 0; 0-4 is a range, and 0,2 two of them."
    )
    for name, what in (("--channels", "channels"), ("--time-points", "time points"), ("--z-planes", "Z planes")):
        parts.add_argument(
            name, type=_program.arguments.numbers, metavar="N,N-N", help=f"{what} to take (default: all)"
        )
    parts.add_argument(
        "--scene-filter",
        choices=SCENE_FILTERS,
        default="largest",
        help="which images of a file that holds several, by width x height or by name; where several are taken, "
        "their names become part of the results' names",
    )
    parts.add_argument(
        "--scene-filter-strings",
        nargs="+",
        metavar="TEXT",
        help="for includes and excludes: parts of an image's name, as upper and lower case stand there",
    )


def convert(job: Job, args: argparse.Namespace) -> str:
    """Converts one file; gives what to say about it."""
    from _image.scenes import choose, names_of, target_of
    from _reading.formats import open_scenes
    from _tiff.writing import write_stack

    how: How = "stored" if args.as_stored else "image"
    with open_scenes(job.source, stack_axis=args.stack_axis, how=how) as scenes:
        chosen = choose(scenes, args.scene_filter, args.scene_filter_strings or [])
        _tell_of_others(scenes, chosen)
        said = []
        for scene, name in zip(chosen, names_of(chosen), strict=True):
            stack = prepared(scene.open(), args)
            target = target_of(job.target, name, ENDING) if len(chosen) > 1 else job.target
            write_stack(target, stack, compression=args.compression, part=part_of(job.target))
            said.append(f"{name}: {described(stack)}" if len(chosen) > 1 else described(stack))
    return "; ".join(said)


def _tell_of_others(scenes: Sequence[Scene], chosen: Sequence[Scene]) -> None:
    if len(chosen) == len(scenes):
        return
    left = [scene.name for scene in scenes if scene not in chosen]
    names = ", ".join(repr(name) for name in left[:5]) + (", …" if len(left) > 5 else "")
    logging.warning("it holds %d images; %d of them left out: %s. See --scene-filter.", len(scenes), len(left), names)


def prepared(stack: Stack, args: argparse.Namespace) -> Stack:
    """The parts that are wanted, with the pixel size, projected."""
    from _image.images import PixelSize
    from _image.stacks import project, select

    stack = select(stack, channels=args.channels, times=args.time_points, planes=args.z_planes)
    if args.pixel_size:
        depth = stack.pixel_size.z if stack.pixel_size else None
        stack = replace(stack, pixel_size=PixelSize(args.pixel_size, args.pixel_size, depth))
    if args.projection_method != "none" and stack.shape[2] > 1:
        stack = project(stack, args.projection_method)
    return stack


def described(stack: Stack) -> str:
    """Its sizes, in words."""
    frames, channels, planes, height, width = stack.shape
    counts = [(channels, "channels"), (planes, "Z planes"), (frames, "time points")]
    parts = [f"{width} x {height} pixels", *(f"{count} {name}" for count, name in counts if count > 1)]
    size = f"{stack.pixel_size.x:.4g} µm a pixel" if stack.pixel_size else "pixel size unknown"
    return ", ".join([*parts, str(stack.dtype), size])


def parsed(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line, read, with what its arguments need of each other."""
    parser = arguments()
    args = parser.parse_args(argv)
    if args.scene_filter in ("includes", "excludes") and not args.scene_filter_strings:
        parser.error(f"--scene-filter {args.scene_filter} needs --scene-filter-strings")
    return args


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    return _program.work.run(parsed(argv), convert, ending=ENDING)


if __name__ == "__main__":
    sys.exit(main())
