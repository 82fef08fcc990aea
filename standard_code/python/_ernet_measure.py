"""Measures of a network: how much of it is which class, and length, junctions, ends and loops of its tubules.

Large masks are worked through in bands of rows. A band is read with so many rows around it that specks, and the
skeleton of anything up to 128 pixels thick, come out as from the whole mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

TUBULE, SHEET, SBT = 1, 2, 3
SPECK = 50  # pixels; smaller pieces of tubule say nothing about the network
BAND_PIXELS = 2**22  # at a time; labels of pieces take eight bytes each
AT_ONCE = 2**20  # pixels of a skeleton
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
    found |= network(skeleton_places(mask), mask.shape[1] + 2)
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


def skeleton_places(mask: Array) -> Array:
    """The pixels of the tubules' centrelines as sorted numbers: row * (width + 2) + column.

    The two columns that are always empty keep the end of a row apart from the next one's beginning.
    """
    import numpy as np
    from skimage.morphology import skeletonize

    places = [np.empty(0, np.int64)]
    for band, around, inside in _with_surroundings(mask, AROUND + SPECK):
        rows, columns = np.nonzero(skeletonize(without_specks(around == TUBULE, SPECK))[inside])
        places.append((rows + band.start) * (mask.shape[1] + 2) + columns)
    return np.concatenate(places)


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


def network(places: Array, width: int) -> dict[str, float | int]:
    """The graph of a skeleton: pixels are joined to their neighbours, diagonally only where no straight way leads."""
    import numpy as np

    count = len(places)
    if not count:
        return {"tubule_length_px": 0.0, "junctions": 0, "ends": 0, "loops": 0, "pieces": 0}
    straight, diagonal = _edges(places, width)
    edges = np.concatenate([straight, diagonal])
    length = len(straight) + 2**0.5 * len(diagonal)
    del straight, diagonal
    degree = np.bincount(edges[:, 0], minlength=count) + np.bincount(edges[:, 1], minlength=count)
    branching = degree >= 3
    # neighbouring pixels of degree 3 or more are one junction
    groups = _components(edges[branching[edges].all(axis=1)], count)[1]
    junctions = len(np.unique(groups[branching]))
    del groups
    pieces = _components(edges, count)[0]
    return {
        "tubule_length_px": round(length, 2),
        "junctions": junctions,
        "ends": int((degree == 1).sum()),
        "loops": len(edges) - count + pieces,  # Euler: independent cycles of the graph
        "pieces": pieces,
    }


def _components(edges: Array, count: int) -> tuple[int, Array]:
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(count, count))
    number, groups = connected_components(graph, directed=False)
    return int(number), groups


def _edges(places: Array, width: int) -> tuple[Array, Array]:
    """Pairs of neighbouring pixels by their number: those side by side, and those that only touch at a corner."""
    import numpy as np

    def joined(step: int, *corners: int) -> Array:
        found = [np.empty((0, 2), np.int32)]
        for start in range(0, len(places), AT_ONCE):
            here = places[start : start + AT_ONCE]
            there = _among(places, here + step)
            for corner in corners:
                there &= ~_among(places, here + corner)
            first = np.nonzero(there)[0]
            pairs = np.stack([first + start, np.searchsorted(places, here[first] + step)], axis=1)
            found.append(pairs.astype(np.int32))
        return np.concatenate(found)

    straight = np.concatenate([joined(1), joined(width)])
    return straight, np.concatenate([joined(width + 1, 1, width), joined(width - 1, -1, width)])


def _among(places: Array, asked: Array) -> Array:
    """Which of the numbers asked for are there; `places` is sorted."""
    import numpy as np

    found = np.searchsorted(places, asked)
    return (found < len(places)) & (places[np.minimum(found, len(places) - 1)] == asked)
