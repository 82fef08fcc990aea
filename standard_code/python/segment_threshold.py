"""Finds objects by a brightness threshold. The result is a label image: 0 is background, each object has its number."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import TYPE_CHECKING, Any

import _arguments
import _work
from _files import Job, UserError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

METHODS = ("otsu", "li", "triangle", "yen", "isodata", "mean", "minimum")


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    parser = _arguments.parser(__doc__ or "", suffix="_labels")
    what = parser.add_argument_group("segmentation")
    what.add_argument("--channel-index", type=_arguments.whole_number, default=0, metavar="N", help="counted from 0")
    what.add_argument("--method", type=str.lower, choices=METHODS, default="otsu", help="how the threshold is found")
    what.add_argument("--threshold", type=float, metavar="VALUE", help="a fixed threshold instead, in image values")
    what.add_argument("--dark-objects", action="store_true", help="objects are darker than the background")
    what.add_argument(
        "--sigma",
        type=_arguments.not_negative,
        default=1.0,
        metavar="PIXELS",
        help="standard deviation of the Gaussian that smooths the image first; 0 does not smooth",
    )
    what.add_argument(
        "--min-size", type=_arguments.whole_number, default=100, metavar="PIXELS", help="smaller objects are dropped"
    )
    what.add_argument("--no-fill-holes", action="store_true", help="keep holes inside objects")
    what.add_argument(
        "--split-depth",
        type=_arguments.not_negative,
        default=2.0,
        metavar="PIXELS",
        help="touching objects are cut apart where the waist between them is narrower than both by this much on "
        "either side; smaller cuts more, 0 does not cut",
    )
    what.add_argument("--clear-border", action="store_true", help="drop objects that touch the image's edge")
    return parser


def segment(job: Job, args: argparse.Namespace) -> str:
    """Segments one file; gives what to say about it."""
    import numpy as np
    from _images import read_tiff, with_data, write_tiff

    image = read_tiff(job.source)
    frames = image.channel(args.channel_index)
    found = [label_objects(frame, args) for frame in frames]
    labels = np.stack([one for one, _ in found])
    highest = int(labels.max())
    write_tiff(job.target, with_data(image, labels.astype(np.uint16 if highest < 2**16 else np.uint32)))
    count = sum(int(one.max()) for one, _ in found)
    thresholds = ", ".join(f"{threshold:.5g}" for _, threshold in found[:3]) + (", …" if len(found) > 3 else "")
    return f"{count} object{'s' * (count != 1)}, threshold {thresholds}"


def label_objects(pixels: Array, args: argparse.Namespace) -> tuple[Array, float]:
    """The label image of one flat image, and the threshold in its values."""
    import numpy as np
    from scipy import ndimage
    from skimage import measure, segmentation

    values = pixels.astype(np.float32)
    if not np.isfinite(values).all():
        raise UserError("it has values that are no numbers (NaN or infinite).")
    if args.sigma:
        values = ndimage.gaussian_filter(values, args.sigma)
    threshold = find_threshold(values, args)
    mask = values < threshold if args.dark_objects else values > threshold
    if not args.no_fill_holes:
        mask = ndimage.binary_fill_holes(mask)
    labels = split(mask, args.split_depth) if args.split_depth else measure.label(mask)
    if args.clear_border:
        labels = segmentation.clear_border(labels)
    return drop_small(labels, args.min_size), threshold


def find_threshold(values: Array, args: argparse.Namespace) -> float:
    """By the chosen method. An image with one value only has no objects."""
    from skimage import filters

    if args.threshold is not None:
        return float(args.threshold)
    if values.min() == values.max():
        logging.warning("all its pixels have the same value, so it has no objects")
        return float(values.max())
    try:
        return float(getattr(filters, f"threshold_{args.method}")(values))
    except RuntimeError as error:  # "minimum" needs a histogram with two peaks
        raise UserError(f"the method {args.method!r} finds no threshold ({error}). Try --method otsu.") from error


def split(mask: Array, depth: float) -> Array:
    """Labels of `mask`, touching objects cut along the waist: a watershed of the distance to the background.

    A maximum of that distance starts an object of its own when it rises at least `depth` pixels above the
    waist that leads to a higher one.
    """
    import numpy as np
    from scipy import ndimage
    from skimage import measure, segmentation

    # The frame of background makes the image's edge count as an edge of the objects.
    distance = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1].astype(np.float32)
    parts = measure.label(mask)
    tops = np.zeros(mask.shape, bool)
    for number, box in enumerate(ndimage.find_objects(parts), 1):
        inside = parts[box] == number
        tops[box] |= _tops(np.where(inside, distance[box], 0), depth, inside)
    return segmentation.watershed(-distance, measure.label(tops), mask=mask, connectivity=2)


def _tops(distance: Array, depth: float, inside: Array) -> Array:
    """Where the objects of one connected part start."""
    from skimage import morphology

    lowered = morphology.reconstruction(distance - depth, distance, method="dilation")
    found = morphology.local_maxima(lowered) & inside
    # A part thinner than `depth` has no maximum left; it is one object.
    return found if found.any() else inside


def drop_small(labels: Array, smallest: int) -> Array:
    """Labels without objects of fewer than `smallest` pixels, numbered anew from 1."""
    import numpy as np

    sizes = np.bincount(labels.ravel())
    kept = sizes >= max(smallest, 1)
    kept[0] = False
    numbers = np.cumsum(kept) * kept
    return numbers[labels]


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    return _work.run(arguments().parse_args(argv), segment, ending=".tif")


if __name__ == "__main__":
    sys.exit(main())
