"""Puts channels together: of one image, or of several that show the same place. The result is an OME-TIFF for each."""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import _program.arguments
import _program.work
from _program.files import Job, UserError, find

if TYPE_CHECKING:
    import numpy as np
    from _image.images import PixelSize
    from _image.stacks import Stack

    Array: TypeAlias = np.ndarray[Any, Any]

MOST = 9  # images that can be put together
Choice = list[list[int]]  # each new channel: the numbers of those that are joined to it
GROUP = "convert_to_tif"  # whose environment has its packages


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    patterns = ("--input-search-pattern", "--input-search-pattern1")
    parser = _program.arguments.parser(__doc__ or "", suffix="_merged", patterns=patterns, several=False)
    more = parser.add_argument_group(
        "more images", "An image belongs to the first one whose name has the same text in place of the asterisks."
    )
    for number in range(2, MOST + 1):
        more.add_argument(
            f"--input-search-pattern{number}", metavar="PATTERN", help="as above" if number > 2 else "the second images"
        )
    what = parser.add_argument_group("channels")
    what.add_argument(
        "--channels",
        "--merge-channels",
        type=choices,
        metavar="LIST",
        help="channels to take, in the new order, counted from 0 through all images: [2,0]. [[0,1],2] joins 0 and 1 to "
        'one channel. By image: {"image1": [0], "image2": "all"} (default: all)',
    )
    what.add_argument(
        "--merge-method", choices=("max", "sum", "mean"), default="max", help="how channels are joined to one"
    )
    what.add_argument("--channel-names", nargs="+", metavar="NAME", help="of the new channels")
    return parser


def choices(text: str) -> Choice | dict[int, Choice | None]:
    """A list such as [0,2] or [[0,1],2], or a mapping of such lists by image.

    It becomes lists; a mapping, by the number of the image from 0, where None takes all its channels.
    """
    try:
        value = json.loads(text)
        if isinstance(value, dict):
            return {_image(name): None if part == "all" else _list(part) for name, part in value.items()}
        return _list(value)
    except (ValueError, TypeError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list such as [0,2] or [[0,1],2]") from error


def _list(value: Any) -> Choice:
    numbers = [part if isinstance(part, list) else [part] for part in value]
    if not numbers or any(type(one) is not int or one < 0 for part in numbers for one in part) or [] in numbers:
        raise ValueError(value)
    return numbers


def _image(name: str) -> int:
    number = int(name.removeprefix("image"))
    if not 1 <= number <= MOST:
        raise ValueError(name)
    return number - 1


def merge(job: Job, args: argparse.Namespace) -> str:
    """Merges the channels of one image and its partners; gives what to say about it."""
    from contextlib import ExitStack

    from _image.scenes import first_of
    from _reading.formats import open_scenes
    from _tiff.writing import write_stack

    with ExitStack() as closing:
        stacks = []
        for path in [job.source, *partners(job.source, args)]:
            scenes = closing.enter_context(open_scenes(path))
            stacks.append(first_of(scenes).open())
        merged = joined(stacks, args)
        write_stack(job.target, merged)
    names = f": {', '.join(name or '?' for name in merged.channels)}" if merged.channels else ""
    return f"{merged.shape[1]} channel{'s' * (merged.shape[1] != 1)}{names}"


def partners(source: Path, args: argparse.Namespace) -> list[Path]:
    """The images of the other patterns that belong to `source`. Raises UserError where one is missing."""
    patterns = [value for number in range(2, MOST + 1) if (value := getattr(args, f"input_search_pattern{number}"))]
    if not patterns:
        return []
    from _program.patterns import key_of

    key = key_of(args.input_search_pattern, source)
    found = []
    for pattern in patterns:
        same = [path for path in find(pattern)[1] if key_of(pattern, path) == key]
        if not same:
            raise UserError(f"no file of {pattern!r} belongs to it: {' / '.join(key)!r} is to stand for the asterisks.")
        found.append(same[0])
    return found


@dataclass(frozen=True)
class _Source:
    """A channel of one of the images."""

    stack: Stack
    number: int

    @property
    def name(self) -> str:
        return self.stack.channels[self.number] if self.stack.channels else ""


def joined(stacks: list[Stack], args: argparse.Namespace) -> Stack:
    """One image of the chosen channels. Raises UserError where images do not fit together."""
    import numpy as np

    first = stacks[0]
    for stack in stacks[1:]:
        if (stack.shape[0], *stack.shape[2:]) != (first.shape[0], *first.shape[2:]):
            raise UserError(f"its images have different sizes: {_size(first)} and {_size(stack)}.")
    groups = _groups([[_Source(stack, number) for number in range(stack.shape[1])] for stack in stacks], args.channels)
    names = args.channel_names or [_name(group) for group in groups]
    if len(names) != len(groups):
        raise UserError(f"there are {len(groups)} new channels, and {len(names)} names in --channel-names.")
    dtype = np.result_type(*{one.stack.dtype for group in groups for one in group})

    def plane(t: int, c: int, z: int) -> Array:
        return _join([one.stack.plane(t, one.number, z) for one in groups[c]], args.merge_method, dtype)

    return replace(
        first,
        shape=(first.shape[0], len(groups), *first.shape[2:]),
        dtype=dtype,
        plane=plane,
        channels=tuple(names) if any(names) else (),
        rgb=False,
        pixel_size=_pixel_size(stacks),
    )


def _name(group: list[_Source]) -> str:
    return "+".join(one.name or "?" for one in group) if any(one.name for one in group) else ""


def _pixel_size(stacks: list[Stack]) -> PixelSize | None:
    """Of the first image that tells one; another that differs from it is worth a warning."""
    known = [stack.pixel_size for stack in stacks if stack.pixel_size]
    for other in known[1:]:
        if not math.isclose(other.x, known[0].x, rel_tol=0.01):
            logging.warning(
                "its images have different pixel sizes, %.4g and %.4g µm; the first is kept", known[0].x, other.x
            )
    return known[0] if known else None


def _groups(images: list[list[_Source]], chosen: Choice | dict[int, Choice | None] | None) -> list[list[_Source]]:
    every = [one for image in images for one in image]
    if chosen is None:
        return [[one] for one in every]
    if not isinstance(chosen, dict):
        return [[_pick(every, number, "") for number in part] for part in chosen]
    groups: list[list[_Source]] = []
    for place, parts in chosen.items():
        if place >= len(images):
            raise UserError(f"there is no image{place + 1}: it has {len(images)}. See --channels.")
        name = f" in image{place + 1}"
        image = images[place]
        groups += [[one] for one in image] if parts is None else [[_pick(image, n, name) for n in p] for p in parts]
    return groups


def _pick(sources: list[_Source], number: int, where: str) -> _Source:
    if number >= len(sources):
        raise UserError(f"there is no channel {number}{where}: it has {len(sources)}, counted from 0. See --channels.")
    return sources[number]


def _join(planes: list[Array], method: str, dtype: np.dtype[Any]) -> Array:
    """Sums that are too large for the type become its highest value."""
    import numpy as np

    if len(planes) == 1:
        return planes[0].astype(dtype, copy=False)
    if method == "max":
        return np.maximum.reduce(planes).astype(dtype, copy=False)
    total = np.sum(planes, axis=0, dtype=np.float64)
    if method == "mean":
        total /= len(planes)
    if dtype.kind in "ui":
        total = np.clip(np.rint(total), np.iinfo(dtype).min, np.iinfo(dtype).max)
    return total.astype(dtype)


def _size(stack: Stack) -> str:
    frames, _, planes, height, width = stack.shape
    return f"{width} x {height} pixels, {planes} Z planes, {frames} time points"


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    return _program.work.run(arguments().parse_args(argv), merge, ending=".ome.tif")


if __name__ == "__main__":
    sys.exit(main())
