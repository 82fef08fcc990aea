"""The methods that find a threshold: one for the whole image, or one for each pixel. Whole numbers are taken as such,
with one bin of the histogram for each grey level; of floats, scikit-image makes 256 bins."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any, TypeAlias

import _pixels.histograms
from _program.files import UserError

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]
    Threshold: TypeAlias = float | Array

LOCAL = ("local", "niblack", "sauvola")
FEW = 32  # grey levels of a smoothed image; what spans less is divided more finely
FINEST = 1024  # parts of a grey level
EXACT = 2**53
MANY = 2**20  # grey levels; of more, only those that occur are kept
MINIMUM_MANY = 2**17  # of the method "minimum"
TRIALS = 2e8  # of scikit-image's multiotsu, which tries each combination


def divide(pixels: Array, args: argparse.Namespace) -> tuple[Array, Threshold]:
    """Where the objects are, and the threshold in image values. An image with one value only has no objects."""
    import numpy as np

    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise UserError("it has values that are no numbers (NaN or infinite).")
    base, values = _without_offset(pixels)
    whole = values.dtype.kind != "f"
    values = _filtered(values, args)
    if args.threshold is not None:
        threshold: Threshold = args.threshold - base
        return values < threshold if args.dark_objects else values > threshold, float(args.threshold)
    parts = 1
    if whole and args.method not in LOCAL:
        values, parts = _levels(values)
    if pixels.min() == pixels.max() or values.min() == values.max():
        return np.zeros(pixels.shape, bool), float(pixels.max())
    try:
        if args.method in LOCAL:
            threshold = _local(values.astype(np.float64 if values.dtype.kind in "ui" else values.dtype), args)
            return values < threshold if args.dark_objects else values > threshold, threshold + base
        threshold = _global(values, args)
    except (RuntimeError, ValueError, IndexError) as error:  # "minimum" needs two peaks, "multiotsu" enough values
        raise UserError(
            f"the method {args.method!r} finds no threshold ({error}). Try --method otsu, or --median-filter-size 3 "
            "where single pixels are far from all others."
        ) from error
    # The grey level of the threshold itself is on the dark side, as in scikit-image.
    return values <= threshold if args.dark_objects else values > threshold, threshold / parts + base


def _without_offset(pixels: Array) -> tuple[int, Array]:
    """Large whole numbers less their lowest, so that filters and histograms lose none of their differences.

    Those that span more than floats can tell apart become floats.
    """
    import numpy as np

    if pixels.dtype.kind == "f":
        return 0, pixels.astype(np.result_type(pixels, np.float32), copy=False)
    if pixels.dtype.itemsize <= 2:
        return 0, pixels
    lowest, highest = int(pixels.min()), int(pixels.max())
    if highest - lowest >= EXACT:
        return 0, pixels.astype(np.float64)
    if pixels.dtype.kind == "u":
        return lowest, (pixels - pixels.dtype.type(lowest)).astype(np.int64)
    return lowest, pixels.astype(np.int64) - lowest


def _filtered(values: Array, args: argparse.Namespace) -> Array:
    import numpy as np
    from scipy import ndimage

    if args.median_filter_size > 1:
        values = ndimage.median_filter(values, args.median_filter_size)
    if args.sigma:
        kind = values.dtype if values.dtype.kind == "f" else np.float32 if values.dtype.itemsize <= 2 else np.float64
        values = ndimage.gaussian_filter(values, args.sigma, output=kind)
    return values


def _levels(values: Array) -> tuple[Array, int]:
    """Grey levels as whole numbers; where a smoothed image spans few of them, each is divided into so many parts."""
    import numpy as np

    if values.dtype.kind in "ui":
        return values, 1
    span = float(values.max() - values.min())
    parts = min(math.ceil(FEW / span), FINEST) if span else 1
    levels = np.rint(values.astype(np.float64) * parts)
    return levels.astype(np.int64 if abs(levels).max() >= 2**31 else np.int32), parts


def _global(values: Array, args: argparse.Namespace) -> float:
    import numpy as np
    from skimage import filters

    method, whole = args.method, values.dtype.kind in "ui"
    span = int(values.max()) - int(values.min()) if whole else 0
    if method == "multiotsu":
        found = _multiotsu(values, args.classes, span)
        return float(found[args.object_classes - 1] if args.dark_objects else found[-args.object_classes])
    if whole and method == "minimum" and span > MINIMUM_MANY:
        raise ValueError(f"its {span} grey levels are too many for it")
    if not (whole and method == "minimum") and (span <= MANY or method == "mean"):
        return float(getattr(filters, f"threshold_{method}")(values))
    if method == "li":
        return float(filters.threshold_li(values.astype(np.float64)))
    levels, counts = np.unique(values, return_counts=True)
    if method in ("otsu", "yen"):
        return float(getattr(filters, f"threshold_{method}")(hist=(counts, levels)))
    return float(getattr(_pixels.histograms, method)(levels, counts))


def _multiotsu(values: Array, classes: int, span: int) -> Any:
    import numpy as np
    from skimage import filters

    if span ** (classes - 1) / math.factorial(classes - 1) > TRIALS or span > math.sqrt(TRIALS):
        levels, counts = np.unique(values, return_counts=True)
        return _pixels.histograms.multiotsu(levels, counts, classes)
    return filters.threshold_multiotsu(values, classes=classes)


def _local(values: Array, args: argparse.Namespace) -> Array:
    from skimage import filters

    window = args.window_size
    if args.method == "local":
        return filters.threshold_local(values, window, method=args.local_weights, offset=args.offset)
    # Both were made for dark writing: their thresholds lie on the dark side of the mean. Squares of large numbers lose
    # the differences, so they start at 0.
    lowest, highest = values.min(), values.max()
    mirrored = values - lowest if args.dark_objects else highest - values
    if args.method == "niblack":
        found = filters.threshold_niblack(mirrored, window, k=args.k)
    else:
        # The method's own scale is half of what values can span; for a camera's images, what they do span.
        found = filters.threshold_sauvola(mirrored, window, k=args.k, r=float(highest - lowest) / 2)
    return found + lowest if args.dark_objects else highest - found
