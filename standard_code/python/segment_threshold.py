"""Finds objects by a brightness threshold. The result is a label image: 0 is background, each object has its number."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import _program.arguments
import _program.work
from _program.arguments import not_negative, positive_integer, whole_number
from _program.files import Job

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]
    Threshold: TypeAlias = float | Array

METHODS = (
    "otsu", "li", "triangle", "yen", "isodata", "mean", "minimum", "multiotsu", "local", "niblack", "sauvola",
)  # fmt: skip


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    parser = _program.arguments.parser(__doc__ or "", suffix="_labels")
    what = parser.add_argument_group("segmentation")
    what.add_argument(
        "--channel-index",
        "--channels",
        type=whole_number,
        metavar="N",
        help="counted from 0 (default: 0; of a colour image how bright it is, by its luminance)",
    )
    what.add_argument(
        "--method",
        "--threshold-methods",
        type=str.lower,
        choices=METHODS,
        default="otsu",
        help="how the threshold is found; for local, niblack and sauvola it differs from place to place",
    )
    what.add_argument("--threshold", type=float, metavar="VALUE", help="a fixed threshold instead, in image values")
    what.add_argument("--dark-objects", action="store_true", help="objects are darker than the background")
    what.add_argument(
        "--median-filter-size",
        "--median-filter-sizes",
        type=positive_integer,
        default=1,
        metavar="PIXELS",
        help="side of the square whose median replaces each pixel first, against wrong single pixels; 1 does nothing",
    )
    what.add_argument(
        "--sigma",
        type=not_negative,
        default=1.0,
        metavar="PIXELS",
        help="standard deviation of the Gaussian that smooths the image first; 0 does not smooth",
    )
    _add_methods(parser)
    _add_objects(parser)
    return parser


def _add_methods(parser: argparse.ArgumentParser) -> None:
    ways = parser.add_argument_group("settings of some methods")
    ways.add_argument(
        "--classes",
        type=int,
        choices=(2, 3, 4, 5),
        default=3,
        help="multiotsu: how many levels of brightness there are",
    )
    ways.add_argument(
        "--object-classes",
        type=positive_integer,
        default=1,
        metavar="N",
        help="multiotsu: how many of them, the brightest (or darkest) first, are objects",
    )
    ways.add_argument(
        "--window-size",
        type=_odd,
        default=51,
        metavar="PIXELS",
        help="local, niblack, sauvola: side of the square around a pixel that its threshold depends on; an odd number",
    )
    ways.add_argument(
        "--local-weights",
        choices=("gaussian", "mean", "median"),
        default="gaussian",
        help="local: how the threshold is made of the pixels in the square",
    )
    ways.add_argument(
        "--offset", type=float, default=0.0, metavar="VALUE", help="local: taken from each threshold, in image values"
    )
    ways.add_argument("--k", type=float, default=0.2, help="niblack, sauvola: weight of the standard deviation")


def _odd(text: str) -> int:
    """An odd number of at least 3."""
    number = positive_integer(text)
    if number % 2 == 0 or number < 3:
        raise argparse.ArgumentTypeError(f"{text!r} is not an odd number of at least 3")
    return number


def _add_objects(parser: argparse.ArgumentParser) -> None:
    objects = parser.add_argument_group("objects")
    objects.add_argument(
        "--min-size",
        "--min-sizes",
        type=whole_number,
        default=100,
        metavar="PIXELS",
        help="smaller objects are dropped",
    )
    objects.add_argument(
        "--max-size",
        "--max-sizes",
        type=positive_integer,
        metavar="PIXELS",
        help="larger objects are dropped (default: none)",
    )
    objects.add_argument("--no-fill-holes", action="store_true", help="keep holes inside objects")
    objects.add_argument(
        "--split-depth",
        type=not_negative,
        default=2.0,
        metavar="PIXELS",
        help="touching objects are cut apart where the waist between them is narrower than both by this much on "
        "either side; smaller cuts more, 0 does not cut",
    )
    objects.add_argument(
        "--watershed-large-labels", action="store_true", help="cut objects larger than --max-size alone"
    )
    objects.add_argument(
        "--clear-border", "--remove-xy-edges", action="store_true", help="drop objects that touch the image's edge"
    )


def segment(job: Job, args: argparse.Namespace) -> str:
    """Segments one file; gives what to say about it."""
    import _pixels.doubts
    import numpy as np
    from _image.images import with_data
    from _tiff.in_memory import read_tiff, write_tiff

    image = read_tiff(job.source)
    frames = image.channel(args.channel_index)
    found = [label_objects(frame, args) for frame in frames]
    labels = np.stack([one for one, _ in found])
    _pixels.doubts.warn_of_times(labels)
    highest = int(labels.max())
    write_tiff(job.target, with_data(image, labels.astype(np.uint16 if highest < 2**16 else np.uint32)))
    count = sum(int(one.max()) for one, _ in found)
    thresholds = ", ".join(_described(threshold) for _, threshold in found[:3]) + (", …" if len(found) > 3 else "")
    return f"{count} object{'s' * (count != 1)}, threshold {thresholds}"


def _described(threshold: Threshold) -> str:
    if isinstance(threshold, float):
        return _number(threshold)
    return f"{_number(threshold.min())} to {_number(threshold.max())}"


def _number(value: float) -> str:
    """With five digits, and as many more as large numbers have before the point."""
    return f"{value:.{max(5, len(str(int(abs(value)))) + 2)}g}" if abs(value) >= 1000 else f"{value:.5g}"


def label_objects(pixels: Array, args: argparse.Namespace) -> tuple[Array, Threshold]:
    """The label image of one flat image, and the threshold in its values."""
    import _pixels.doubts
    from _pixels.thresholds import divide
    from scipy import ndimage
    from skimage import measure, segmentation

    mask, threshold = divide(pixels, args)
    if not args.no_fill_holes:
        mask = ndimage.binary_fill_holes(mask)
    if args.watershed_large_labels:
        labels = _split_large(measure.label(mask), args)
    else:
        labels = split(mask, args.split_depth) if args.split_depth else measure.label(mask)
    if args.clear_border:
        labels = segmentation.clear_border(labels)
    labels = keep_sizes(labels, args.min_size, args.max_size)
    _pixels.doubts.warn(pixels, mask, labels, args)
    return labels, threshold


def _split_large(labels: Array, args: argparse.Namespace) -> Array:
    """Cuts only what has more than --max-size pixels."""
    import numpy as np

    large = np.bincount(labels.ravel()) > args.max_size
    large[0] = False
    parts = split(large[labels], args.split_depth)
    return np.where(parts > 0, parts + len(large), labels)


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


def keep_sizes(labels: Array, smallest: int, largest: int | None) -> Array:
    """Labels without objects of fewer or more pixels, numbered anew from 1."""
    import numpy as np

    sizes = np.bincount(labels.ravel())
    kept = (sizes >= max(smallest, 1)) & (sizes <= (largest or sizes.max()))
    kept[0] = False
    numbers = np.cumsum(kept) * kept
    return numbers[labels]


def parsed(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line, read, with what its arguments need of each other."""
    parser = arguments()
    args = parser.parse_args(argv)
    if args.watershed_large_labels and not args.max_size:
        parser.error("--watershed-large-labels needs --max-size")
    if args.object_classes >= args.classes:
        parser.error("--object-classes has to be smaller than --classes")
    return args


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    return _program.work.run(parsed(argv), segment, ending=".tif")


if __name__ == "__main__":
    sys.exit(main())
