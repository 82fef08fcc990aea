"""Draws the outlines of objects over their image. The result is a PNG picture for each image."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import _pixels.masks
import _program.arguments
import _program.work
from _program.arguments import not_negative, positive_integer, positive_number, whole_number
from _program.files import Job, UserError, writing


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    parser = _program.arguments.parser(__doc__ or "", suffix="_outlines")
    _pixels.masks.add_arguments(parser)
    picture = parser.add_argument_group("picture")
    picture.add_argument(
        "--frame", type=whole_number, default=0, metavar="N", help="time point of a series, counted from 0"
    )
    picture.add_argument("--color", default="#ffd60a", metavar="COLOR", help="of the outlines: a name or #RRGGBB")
    picture.add_argument("--numbers", action="store_true", help="write each object's number beside it")
    picture.add_argument(
        "--line-width", type=positive_number, default=3.0, metavar="PIXELS", help="in pixels of the picture"
    )
    picture.add_argument(
        "--scale", type=positive_integer, metavar="N", help="enlarge N times (default: small images only)"
    )
    picture.add_argument(
        "--saturated",
        type=not_negative,
        default=0.35,
        metavar="PERCENT",
        help="share of the pixels that may become black, and white, when contrast is stretched",
    )
    picture.add_argument("--no-scale-bar", action="store_true", help="draw no scale bar")
    return parser


def draw(job: Job, args: argparse.Namespace) -> str:
    """Draws one file; gives what to say about it."""
    import _pixels.drawing

    color = _pixels.drawing.checked_color(args.color)
    image, pixels, labels = _pixels.masks.read_pair(job, args)
    if args.frame >= len(pixels):
        raise UserError(f"it has no time point {args.frame}: it has {len(pixels)}, counted from 0. See --frame.")
    frame, numbered = pixels[args.frame], labels[args.frame]
    scale = args.scale or _pixels.drawing.good_scale(frame.shape)
    picture = _pixels.drawing.background(frame, scale, args.saturated)
    count = _pixels.drawing.outlines(picture, numbered, scale, color, args.line_width)
    if args.numbers:
        _pixels.drawing.numbers(picture, numbered, scale, color)
    if image.pixel_size and not args.no_scale_bar:
        _pixels.drawing.scale_bar(picture, image.pixel_size.x / scale)
    with writing(job.target) as part:
        picture.save(part, format="PNG", optimize=False)
    return f"{count} outline{'s' * (count != 1)}, {picture.width} x {picture.height} pixels"


def tell(pictures: list[Path]) -> None:
    """Says where the pictures are; of many, the first ones."""
    for picture in pictures[:5]:
        print(f"Picture: {picture}")
    if len(pictures) > 5:
        print(f"and {len(pictures) - 5} more")


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    return _program.work.run(arguments().parse_args(argv), draw, ending=".png", finish=tell)


if __name__ == "__main__":
    sys.exit(main())
