"""The objects of a label image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

HIGH = 2**20  # scikit-image makes a table of all numbers up to the highest, which is then large


def regions(labels: np.ndarray[Any, Any]) -> list[tuple[int, Any]]:
    """The number of each object (above 0) and its properties as of scikit-image, in the order of the numbers."""
    import numpy as np
    from skimage.measure import regionprops

    if labels.max(initial=0) <= HIGH:
        return [(int(region.label), region) for region in regionprops(labels.astype(np.int64))]
    numbers = np.unique(labels[labels > 0])
    places = np.where(labels > 0, np.searchsorted(numbers, labels) + 1, 0)
    return [(int(numbers[region.label - 1]), region) for region in regionprops(places)]
