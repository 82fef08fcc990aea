"""The objects of a label image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from _program.files import UserError

if TYPE_CHECKING:
    import numpy as np

HIGH = 2**20  # scikit-image makes a table of all numbers up to the highest, which is then large
MOST = 2**53  # above it, floats leave out whole numbers


def whole(labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Labels as whole numbers: Fiji and TrackMate write those above 65,535 as floats. Raises UserError for others."""
    import numpy as np

    if labels.dtype.kind in "ui":
        return labels
    if labels.dtype.kind == "b":
        return labels.astype(np.uint8)
    fits = labels.dtype.kind == "f" and bool(np.isfinite(labels).all()) and abs(labels).max(initial=0) <= MOST
    numbers = labels.astype(np.int64) if fits else None
    if numbers is None or not np.array_equal(numbers, labels):
        raise UserError("it is no label image: its values are not whole numbers.")
    return numbers


def regions(labels: np.ndarray[Any, Any]) -> list[tuple[int, Any]]:
    """The number of each object (above 0) and its properties as of scikit-image, in the order of the numbers."""
    import numpy as np
    from skimage.measure import regionprops

    if labels.max(initial=0) <= HIGH:
        return [(int(region.label), region) for region in regionprops(labels.astype(np.int64))]
    numbers = np.unique(labels[labels > 0])
    places = np.where(labels > 0, np.searchsorted(numbers, labels) + 1, 0)
    return [(int(numbers[region.label - 1]), region) for region in regionprops(places)]
