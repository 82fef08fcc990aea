"""Makes synthetic images of the endoplasmic reticulum (ER), and their truth as label images.

The truth has the classes 0 background, 1 tubule, 2 sheet, 3 tubule on a sheet (SBT). It is the network as it was drawn,
before blur, haze, uneven light and noise. Equal arguments give equal files.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import _program.alone
from _program.arguments import not_negative, positive_integer, whole_number
from _program.files import absolute

KINDS = ("plain", "mixed", "sheets", "low-light")
GROUP = "segment_er"  # whose environment has its packages


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    parser = _program.alone.parser(__doc__ or "")
    parser.add_argument("--output-folder", required=True, metavar="FOLDER", help="gets folders images and truth")
    parser.add_argument("--N", type=positive_integer, default=8, metavar="N", help="images of each kind")
    parser.add_argument("--size", type=size, default=512, metavar="PIXELS", help="width and height of an image")
    parser.add_argument("--seed", type=whole_number, default=1, metavar="N", help="another gives others")
    parser.add_argument(
        "--kind",
        choices=(*KINDS, "all"),
        default="plain",
        help="plain: tubules of one width; mixed: of many widths and brightnesses; sheets: with sheets; "
        "low-light: 6 to 15 photons in a pixel; all: every kind",
    )
    parser.add_argument(
        "--break-prob", type=share, default=0.05, metavar="SHARE", help="of the tubules that have a gap, 0 to 1"
    )
    parser.add_argument(
        "--darkness",
        type=share,
        nargs="?",
        const=0.5,  # older pipelines name it without a number
        default=0.0,
        metavar="SHARE",
        help="of the light that is missing, 0 to 1; 0.5 where no number follows",
    )
    return parser


def share(text: str) -> float:
    """A number from 0 to 1."""
    value = not_negative(text)
    if value > 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def size(text: str) -> int:
    """Pixels of a side: at least 16, and no more than fit in memory."""
    value = positive_integer(text)
    if not 16 <= value <= 8192:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 16 to 8192")
    return value


def make(args: argparse.Namespace) -> int:
    """Writes the images; gives the exit code."""
    folder = absolute(args.output_folder)
    kinds = KINDS if args.kind == "all" else (args.kind,)
    wanted = [(kind, number) for kind in kinds for number in range(args.N)]
    if args.dry_run:
        for kind, number in wanted:
            print("{}, {}".format(*paths(folder, kind, number)))
        print(f"{len(wanted)} images would be made; nothing was written.")
        return 0
    from tqdm import tqdm

    for kind, number in tqdm(wanted, unit="image", file=sys.stderr, dynamic_ncols=True):
        make_one(folder, kind, number, args)
    print(f"{len(wanted)} image{'s' * (len(wanted) != 1)} with truth made in {folder}")
    return 0


def paths(folder: Path, kind: str, number: int) -> tuple[Path, Path]:
    """Where an image and its truth are; numbers in names start at 1."""
    name = f"er_{kind}_{number + 1:03}"
    return folder / "images" / f"{name}.ome.tif", folder / "truth" / f"{name}_truth.tif"


def make_one(folder: Path, kind: str, number: int, args: argparse.Namespace) -> None:
    """Writes one image and its truth."""
    import _er.training  # noqa: F401
    from _image.images import Image, PixelSize
    from _tiff.in_memory import write_tiff
    from synthetic_er import KINDS as LOOKS
    from synthetic_er import PIXEL_SIZE, generate

    sample = generate(LOOKS[kind], args.size, args.seed, number, break_prob=args.break_prob, darkness=args.darkness)
    for path, data in zip(paths(folder, kind, number), (sample.image, sample.truth), strict=True):
        write_tiff(path, Image(data[None, None, None], PixelSize(PIXEL_SIZE, PIXEL_SIZE)))
        logging.debug("%s written", path)


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    return _program.alone.run(arguments().parse_args(argv), make)


if __name__ == "__main__":
    sys.exit(main())
