"""Turns label images into ROIs of ImageJ. The result is a zip file for each image, which ImageJ's ROI Manager opens."""  # noqa: N999

from __future__ import annotations

import argparse
import sys
import zipfile
from typing import TYPE_CHECKING, Any, TypeAlias

import _program.arguments
import _program.work
from _program.arguments import whole_number
from _program.files import Job, writing

if TYPE_CHECKING:
    import numpy as np
    from roifile import ImagejRoi

    Array: TypeAlias = np.ndarray[Any, Any]

BEGINNING = (1980, 1, 1, 0, 0, 0)  # the time that each ROI gets in the zip file, so that equal labels give equal files
GROUP = "mask_measure"  # whose environment has its packages


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    parser = _program.arguments.parser(__doc__ or "", suffix="_rois")
    parser.epilog = "Each outline follows the edges of the pixels, so that ImageJ makes the same pixels out of it."
    rois = parser.add_argument_group("ROIs")
    rois.add_argument(
        "--channel-index", type=whole_number, default=0, metavar="N", help="of the labels, counted from 0"
    )
    rois.add_argument(
        "--split-parts", action="store_true", help="a ROI for each part of an object that is not in one piece"
    )
    return parser


def convert(job: Job, args: argparse.Namespace) -> str:
    """Converts one file; gives what to say about it."""
    from _image.scenes import first_of
    from _image.stacks import select
    from _pixels.regions import whole
    from _tiff.reading import open_tiff

    with open_tiff(job.source, how="labels") as scenes:
        stack = select(first_of(scenes).open(), channels=[args.channel_index])
        frames, _, planes, _, _ = stack.shape
        count = 0
        with writing(job.target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for t in range(frames):
                for z in range(planes):
                    place = (t if frames > 1 else None, z if planes > 1 else None)
                    count += _add(archive, whole(stack.plane(t, 0, z)), place, args.split_parts)
    return f"{count} ROI{'s' * (count != 1)}"


def _add(archive: zipfile.ZipFile, labels: Array, place: tuple[int | None, int | None], split: bool) -> int:
    """Adds the ROIs of one plane; gives how many."""
    from _pixels.outlines import outlines

    t, z = place
    start = "".join(f"{letter}{number + 1:04}_" for letter, number in (("t", t), ("z", z)) if number is not None)
    count = 0
    for label, parts in outlines(labels, split):
        for number, loops in enumerate(parts, 1):
            name = f"{start}{label:04}" + (f"_{number}" if len(parts) > 1 else "")
            archive.writestr(zipfile.ZipInfo(f"{name}.roi", BEGINNING), roi(loops, name, t, z).tobytes())
            count += 1
    return count


def roi(loops: list[Array], name: str, t: int | None, z: int | None) -> ImagejRoi:
    """A traced outline, or, of several loops, a composite of them."""
    import numpy as np
    import roifile

    made = roifile.ImagejRoi.frompoints(np.concatenate(loops), name=name, t=t, z=z)
    made.roitype = roifile.ROI_TYPE.TRACED
    made.right, made.bottom = made.right - 1, made.bottom - 1  # they bound the pixels, not the corners
    if len(loops) > 1:
        path = np.concatenate([_path(loop) for loop in loops])
        made.roitype = roifile.ROI_TYPE.RECT
        made.multi_coordinates = path
        made.shape_roi_size = len(path)
        made.integer_coordinates = made.subpixel_coordinates = None
        made.n_coordinates = 0
    return made


def _path(loop: Array) -> Array:
    """Java's form of a path: 0 moves to a corner, 1 draws a line to one, 4 closes."""
    import numpy as np

    steps = [(1.0, x, y) for x, y in loop.tolist()]
    steps[0] = (0.0, *steps[0][1:])
    return np.array([*(number for step in steps for number in step), 4.0], np.float32)


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    return _program.work.run(arguments().parse_args(argv), convert, ending=".zip")


if __name__ == "__main__":
    sys.exit(main())
