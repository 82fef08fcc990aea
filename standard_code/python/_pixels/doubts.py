"""Warns where a threshold finds nothing or everything, which is seldom meant; and says what the cause may be."""

from __future__ import annotations

import argparse
import logging
import math
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

SMALL = 0.01  # part of an image; what a hot pixel alone brings above the threshold is less
HANDFUL = 0.001  # part of an image that counts as single pixels
FAR = 1.5  # times as far as all others span


def warn(pixels: Array, mask: Array, labels: Array, args: argparse.Namespace) -> None:
    """Of one flat image, what its threshold divides, and the objects that are left of it."""
    beyond, other = ("below", "bright") if args.dark_objects else ("above", "dark (--dark-objects)")
    share = mask.mean()
    if args.threshold is None and not SMALL < share < 1 - SMALL and _carried(pixels, mask, args):
        logging.warning(
            "the threshold comes of single pixels that lie far from all others; "
            "--median-filter-size 3 replaces such pixels first"
        )
    if share > 1 - SMALL:
        logging.warning("%.4g %% of its pixels are %s the threshold; are the objects %s?", share * 100, beyond, other)
    elif args.threshold is None and pixels.min() == pixels.max():
        logging.warning("all its pixels have the same value, so it has no objects")
    elif not share:
        logging.warning("no pixel is %s the threshold, so it has no objects", beyond)
    elif not labels.any():
        limits = f"--min-size {args.min_size}" + (f", --max-size {args.max_size}" if args.max_size else "")
        limits += ", --clear-border" if args.clear_border else ""
        logging.warning("it has no objects: all that is %s the threshold is dropped (%s)", beyond, limits)


def warn_of_times(labels: Array) -> None:
    """Of a time series; one image is warned of already."""
    empty = [time for time, one in enumerate(labels) if not one.any()]
    if empty and len(labels) > 1:
        logging.warning("it has no objects at %d of its %d time points, first at %d", len(empty), len(labels), empty[0])


def _carried(pixels: Array, mask: Array, args: argparse.Namespace) -> bool:
    """Whether single pixels are far from the others, which without them all lie on one side of the threshold."""
    import numpy as np
    from scipy import ndimage

    # as differences to the lowest, since floats hold no large numbers exactly
    values = (pixels - pixels.min() if pixels.dtype.kind in "uf" else pixels.astype(np.float64)).astype(np.float64)
    usual = ndimage.median_filter(values, max(3, args.median_filter_size))
    single = abs(values - usual) > FAR * np.ptp(usual)
    if not 0 < single.mean() <= HANDFUL:
        return False
    reach = math.ceil(4 * args.sigma) + args.median_filter_size // 2 + 1
    smeared = ndimage.binary_dilation(single, np.ones((3, 3)), iterations=reach)
    others = mask[~smeared]
    return bool(others.size) and (bool(others.all()) or not others.any())
