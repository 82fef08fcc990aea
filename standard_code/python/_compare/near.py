"""Where two images differ most: the plane to show, and the part of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

from _compare.sources import Source

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]
    Read: TypeAlias = Callable[[int], Array]

AROUND = 32  # pixels of the image to each side of the place, at least
BLOCK = 32  # differences are counted in squares of so many pixels
PLANES = 64  # so many of a volume are looked at

Box: TypeAlias = "tuple[slice, slice]"


def worst_of(measures: Mapping[str, Any]) -> dict[str, Any]:
    """The first row of the report's table of objects."""
    return next(iter(measures.get("worst") or ()), {})


def plane_of(measures: Mapping[str, Any], image: Source, a: Read, b: Read) -> int:
    """The plane that shows most of the worst object, or else most of the difference."""
    import numpy as np

    if "worst_plane" in measures:
        return min(int(measures["worst_plane"]), image.planes - 1)
    worst = worst_of(measures)
    at = list(worst.get("at", ()))
    if measures.get("kind") == "mask" and at:  # planes counted through
        return min(int(at[0]), image.planes - 1)
    axes, lengths = image.outer
    if not lengths:
        return 0
    free = [axis == "Z" or not at for axis in axes]
    places = [range(n) if f else [min(int(at.pop(0)), n - 1)] for f, n in zip(free, lengths, strict=True)]
    planes = [int(np.ravel_multi_index(place, lengths)) for place in product(*places)]
    planes = planes[:: math.ceil(len(planes) / PLANES)]

    def shown(plane: int) -> int:
        if worst:
            return int(np.count_nonzero((a if worst["side"] == "A" else b)(plane) == worst["object"]))
        return int(np.count_nonzero(a(plane) != b(plane)))

    return max(planes, key=shown) if len(planes) > 1 else planes[0]


def same_place(entry: Mapping[str, Any], measures: Mapping[str, Any], image: Source, plane: int) -> bool:
    """Whether an object of the measures lies in that plane, or in the volume that the plane belongs to."""
    import numpy as np

    at = list(entry.get("at", ()))
    axes, lengths = image.outer
    if not at or not lengths:
        return True
    if measures.get("kind") == "mask":
        return bool(at[0] == plane)
    place = np.unravel_index(plane, lengths)
    return at == [int(p) for p, axis in zip(place, axes, strict=True) if axis != "Z"]


def near_object(a: Array, b: Array, worst: Mapping[str, Any], apart: Array) -> Box:
    """What lies around an object, or around the piece of it that has no partner; where it is large, a part of it."""
    own, other = (a, b) if worst["side"] == "A" else (b, a)
    found = own == worst["object"]
    if not found.any():  # of a large plane only some rows and columns are looked at
        return near_difference(apart)
    box = _bounds(found)
    piece = _piece(found[box], found[box] & (other[box] != worst["best"]))
    box = _within(box, _bounds(piece))
    size = max(side.stop - side.start for side in box)
    around = max(AROUND, round(0.75 * size))
    most = max(AROUND, max(a.shape) // 4)
    if around > most and apart[box].any():
        y, x = _densest(apart[box])
        return window(y + box[0].start, x + box[1].start, most, a.shape)
    y, x = ((side.start + side.stop) // 2 for side in box)
    return window(y, x, around, a.shape)


def near_difference(apart: Array) -> Box:
    """What lies around the place with most differing pixels."""
    return window(*_densest(apart), 2 * AROUND, apart.shape)


def window(y: int, x: int, around: int, shape: tuple[int, ...]) -> Box:
    """A square around a place, moved so that it lies inside the image."""
    edges = []
    for place, size in ((y, shape[0]), (x, shape[1])):
        start = min(max(0, place - around), max(0, size - 2 * around))
        edges.append(slice(start, min(size, start + 2 * around)))
    return edges[0], edges[1]


def _bounds(mask: Array) -> Box:
    import numpy as np

    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _within(outer: Box, inner: Box) -> Box:
    y, x = (slice(i.start + o.start, i.stop + o.start) for o, i in zip(outer, inner, strict=True))
    return y, x


def _piece(mask: Array, unmatched: Array) -> Array:
    """Of an object in several pieces the one that differs most; the middle between two would show neither."""
    import numpy as np
    from scipy.ndimage import label

    pieces = label(mask, np.ones((3, 3)))[0]
    counted = np.bincount(pieces[unmatched if unmatched.any() else mask], minlength=1)
    piece: Array = pieces == int(counted.argmax())
    return piece


def _densest(apart: Array) -> tuple[int, int]:
    """The middle of the differing pixels of the square that has most of them."""
    import numpy as np

    padded = np.pad(apart > 0, [(0, -n % BLOCK) for n in apart.shape])
    squares = padded.reshape(padded.shape[0] // BLOCK, BLOCK, padded.shape[1] // BLOCK, BLOCK)
    counts = squares.sum(axis=(1, 3))
    row, column = (int(n) for n in np.unravel_index(int(counts.argmax()), counts.shape))
    y, x = np.nonzero(squares[row, :, column, :])
    middle = (y.mean(), x.mean()) if y.size else (BLOCK / 2, BLOCK / 2)
    return round(row * BLOCK + middle[0]), round(column * BLOCK + middle[1])
