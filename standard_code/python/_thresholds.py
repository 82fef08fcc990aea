"""The methods that find a threshold: one for the whole image, or one for each pixel."""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING, Any, TypeAlias

from _files import UserError

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

LOCAL = ("local", "niblack", "sauvola")


def find_threshold(values: Array, args: argparse.Namespace) -> float | Array:
    """By the chosen method. An image with one value only has no objects."""
    if args.threshold is not None:
        return float(args.threshold)
    if values.min() == values.max():
        logging.warning("all its pixels have the same value, so it has no objects")
        return float(values.max())
    try:
        return _local(values, args) if args.method in LOCAL else _global(values, args)
    except (RuntimeError, ValueError) as error:  # "minimum" needs two peaks, "multiotsu" as many values as classes
        raise UserError(f"the method {args.method!r} finds no threshold ({error}). Try --method otsu.") from error


def _global(values: Array, args: argparse.Namespace) -> float:
    from skimage import filters

    if args.method != "multiotsu":
        return float(getattr(filters, f"threshold_{args.method}")(values))
    found = filters.threshold_multiotsu(values, classes=args.classes)
    return float(found[args.object_classes - 1] if args.dark_objects else found[-args.object_classes])


def _local(values: Array, args: argparse.Namespace) -> Array:
    from skimage import filters

    window = args.window_size
    if args.method == "local":
        return filters.threshold_local(values, window, method=args.local_weights, offset=args.offset)
    # Both were made for dark writing: their thresholds lie on the dark side of the mean.
    mirrored = values if args.dark_objects else values.max() - values
    if args.method == "niblack":
        found = filters.threshold_niblack(mirrored, window, k=args.k)
    else:
        # The method's own scale is half of what values can span; for a camera's images, what they do span.
        half = float(mirrored.max() - mirrored.min()) / 2
        found = filters.threshold_sauvola(mirrored - mirrored.min(), window, k=args.k, r=half) + mirrored.min()
    return found if args.dark_objects else values.max() - found
