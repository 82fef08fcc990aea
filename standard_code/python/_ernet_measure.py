"""Measures of a network: how much of it is which class, and length, junctions, ends and loops of its tubules.

Large masks are worked through in bands of rows. A band is read with so many rows around it that specks, and the
skeleton of anything up to 128 pixels thick, come out as from the whole mask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

TUBULE, SHEET, SBT = 1, 2, 3
SPECK = 50  # pixels; smaller pieces of tubule say nothing about the network
BAND_PIXELS = 2**22  # at a time; labels of pieces take eight bytes each
AROUND = 256  # rows; thinning moves inwards one pixel at a step, in two half steps

COLUMNS = (
    "foreground_fraction", "tubule_fraction", "sheet_fraction", "sbt_fraction",
    "tubule_length_px", "junctions", "ends", "loops", "pieces", "tubule_length_um",
)  # fmt: skip


def measures(mask: Array, pixel_size: float | None) -> dict[str, float | int | str]:
    """Of one plane of classes. Fractions of classes are of the foreground, as ERnet reports them."""
    import numpy as np

    counts = sum(np.bincount(band.ravel(), minlength=4) for _, band in _bands(mask, 0))
    foreground = int(counts[1:].sum())
    found: dict[str, float | int | str] = {"foreground_fraction": round(foreground / mask.size, 4)}
    for name, number in (("tubule", TUBULE), ("sheet", SHEET), ("sbt", SBT)):
        found[f"{name}_fraction"] = round(int(counts[number]) / foreground, 4) if foreground else 0.0
    found |= network(skeleton_pixels(mask), mask.shape)
    length = float(found["tubule_length_px"])
    return found | {"tubule_length_um": round(length * pixel_size, 3) if pixel_size else ""}


def remove_specks(mask: Array, smallest: int) -> None:
    """Pieces of the foreground (8-connected) of fewer pixels become background, in place.

    What an earlier band lost is no matter to the next one: the rest of a speck is a speck.
    """
    if smallest > 1:
        for band, around, inside in _with_surroundings(mask, smallest):
            mask[band][~without_specks(around > 0, smallest)[inside]] = 0


def without_specks(foreground: Array, smallest: int) -> Array:
    """The pieces (8-connected) of at least `smallest` pixels."""
    import numpy as np
    from skimage.measure import label

    pieces = label(foreground, connectivity=2)
    large = np.bincount(pieces.ravel()) >= smallest
    large[0] = False
    return large[pieces]


def skeleton_pixels(mask: Array) -> tuple[Array, Array]:
    """Rows and columns of the tubules' centrelines, in row-major order."""
    import numpy as np
    from skimage.morphology import skeletonize

    rows, columns = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for band, around, inside in _with_surroundings(mask, AROUND + SPECK):
        thin = skeletonize(without_specks(around == TUBULE, SPECK))[inside]
        y, x = np.nonzero(thin)
        rows.append(y + band.start)
        columns.append(x)
    return np.concatenate(rows), np.concatenate(columns)


def _bands(mask: Array, around: int) -> Iterator[tuple[slice, Array]]:
    height = max(64, BAND_PIXELS // mask.shape[1])
    for start in range(0, len(mask), height):
        stop = min(start + height, len(mask))
        yield slice(start, stop), mask[max(0, start - around) : stop + around]


def _with_surroundings(mask: Array, around: int) -> Iterator[tuple[slice, Array, slice]]:
    """Bands of rows, each with the rows around it, and where in those the band lies."""
    for band, rows in _bands(mask, around):
        first = band.start - max(0, band.start - around)
        yield band, rows, slice(first, first + band.stop - band.start)


def network(pixels: tuple[Array, Array], shape: tuple[int, ...]) -> dict[str, float | int]:
    """The graph of a skeleton: pixels are joined to their neighbours, diagonally only where no straight way leads."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    places = pixels[0] * (shape[1] + 2) + pixels[1]  # two empty columns keep the ends of rows apart
    if not len(places):
        return {"tubule_length_px": 0.0, "junctions": 0, "ends": 0, "loops": 0, "pieces": 0}
    ends, lengths = _edges(places, shape[1] + 2)
    count = len(places)
    graph = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), shape=(count, count))
    pieces = int(connected_components(graph, directed=False)[0])
    degree = np.bincount(ends.ravel(), minlength=count)
    branching = degree >= 3
    among = branching[ends].all(axis=1)
    # neighbouring pixels of degree 3 or more are one junction
    near = coo_array((np.ones(int(among.sum()), bool), (ends[among, 0], ends[among, 1])), shape=(count, count))
    groups = connected_components(near, directed=False)[1]
    return {
        "tubule_length_px": round(float(lengths.sum()), 2),
        "junctions": len(np.unique(groups[branching])),
        "ends": int((degree == 1).sum()),
        "loops": len(ends) - count + pieces,  # Euler: independent cycles of the graph
        "pieces": pieces,
    }


def _edges(places: Array, width: int) -> tuple[Array, Array]:
    """Pairs of neighbouring pixels by their number, and how far apart they are."""
    import numpy as np

    def joined(step: int, unless: Callable[[Array], Array] | None = None) -> Array:
        first = np.nonzero(_among(places, places + step))[0]
        if unless is not None:
            first = first[~unless(places[first])]
        return np.stack([first, np.searchsorted(places, places[first] + step)], axis=1)

    def corner(*steps: int) -> Callable[[Array], Array]:
        return lambda here: _among(places, here + steps[0]) | _among(places, here + steps[1])

    straight = [joined(1), joined(width)]
    diagonal = [joined(width + 1, corner(1, width)), joined(width - 1, corner(-1, width))]
    sides = sum(len(pairs) for pairs in straight)
    ends = np.concatenate(straight + diagonal)
    return ends, np.where(np.arange(len(ends)) < sides, 1.0, 2**0.5)


def _among(places: Array, asked: Array) -> Array:
    """Which of the numbers asked for are there; `places` is sorted."""
    import numpy as np

    found = np.searchsorted(places, asked)
    return (found < len(places)) & (places[np.minimum(found, len(places) - 1)] == asked)
