"""Measures of a network: how much of it is which class, and length, junctions, ends and loops of its tubules.

Masks are worked through in bands of rows. A band is read with so many rows around it that specks and skeleton come out
as from the whole mask: the more, the wider its widest tubule is. Lines that are exactly diagonal, pixel by pixel, for
hundreds of rows are the exception: thinning shortens them from their ends, however far away those are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

TUBULE, SHEET, SBT = 1, 2, 3
SPECK = 50  # pixels; smaller pieces of tubule say nothing about the network
BAND_PIXELS = 2**22  # at a time; labels of pieces take eight bytes each
AROUND = 256  # rows at least; thinning moves inwards one pixel at a step, in two half steps

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
    found |= network(skeleton_bands(mask))
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


def skeleton_bands(mask: Array) -> Iterator[Array]:
    """The tubules' centrelines (bool), some rows at a time."""
    from skimage.morphology import skeletonize

    reach = thinning_reach(mask)
    lowest = reach if reach > AROUND else 1  # or most of the work would be for the surroundings
    for _, around, inside in _with_surroundings(mask, reach + SPECK, lowest):
        yield skeletonize(without_specks(around == TUBULE, SPECK))[inside]


def thinning_reach(mask: Array) -> int:
    """How many rows away a pixel can be that matters to the skeleton: four times as wide as the widest tubule's half.

    What has no square of n x n pixels on a grid of n is nowhere wider than 2 n.
    """
    import numpy as np

    side = AROUND // 4
    rows, columns = len(mask) // side, mask.shape[1] // side
    squares = np.zeros((rows, columns), bool)
    for row in range(rows):
        strip = mask[row * side : (row + 1) * side, : columns * side] == TUBULE
        squares[row] = strip.reshape(side, columns, side).all(axis=(0, 2))
    reach = AROUND
    while squares.any():
        rows, columns = (length // 2 * 2 for length in squares.shape)
        squares = squares[:rows, :columns]
        squares = squares[::2, ::2] & squares[1::2, ::2] & squares[::2, 1::2] & squares[1::2, 1::2]
        reach *= 2
    return reach


def _bands(mask: Array, around: int, lowest: int = 1) -> Iterator[tuple[slice, Array]]:
    height = max(64, lowest, BAND_PIXELS // mask.shape[1])
    for start in range(0, len(mask), height):
        stop = min(start + height, len(mask))
        yield slice(start, stop), mask[max(0, start - around) : stop + around]


def _with_surroundings(mask: Array, around: int, lowest: int = 1) -> Iterator[tuple[slice, Array, slice]]:
    """Bands of at least `lowest` rows, each with the rows around it, and where in those the band lies."""
    for band, rows in _bands(mask, around, lowest):
        first = band.start - max(0, band.start - around)
        yield band, rows, slice(first, first + band.stop - band.start)


def network(bands: Iterator[Array]) -> dict[str, float | int]:
    """The graph of a skeleton: pixels are joined to their neighbours, diagonally only where no straight way leads.

    The skeleton (bool) comes as bands of rows from top to bottom. Of what was before, one row is kept at a time.
    """
    import numpy as np

    count = straight = diagonal = squares = ends = 0
    pieces, junctions = Pieces(), Pieces()
    for rows in _with_neighbours(bands):
        edges = _edges(rows)
        degree = _degree(rows.shape, edges)[1:-1]
        inner = rows[1:-1]
        # the edges down to the next band are that band's
        new = [edges[0][1:-1], *(down[:-1] for down in edges[1:])]
        count += int(np.count_nonzero(inner))
        straight += sum(int(np.count_nonzero(each)) for each in new[:2])
        diagonal += sum(int(np.count_nonzero(each)) for each in new[2:])
        squares += int(np.count_nonzero(rows[:-2, :-1] & rows[:-2, 1:] & inner[:, :-1] & inner[:, 1:]))
        ends += int(np.count_nonzero(inner & (degree == 1)))
        pieces.add(inner, new)
        # neighbouring pixels of degree 3 or more are one junction
        junctions.add(inner & (degree >= 3), new)
    return {
        "tubule_length_px": round(straight + 2**0.5 * diagonal, 2),
        "junctions": junctions.count,
        "ends": ends,
        # Euler: independent cycles of the graph; four pixels that fill a square, as at many crossings, are none
        "loops": straight + diagonal - squares - count + pieces.count,
        "pieces": pieces.count,
    }


class Pieces:
    """Counts the connected pieces of an image that comes as bands of rows from top to bottom."""

    def __init__(self) -> None:
        self.count = 0
        self._last: Array | None = None  # the last row's pieces, numbered from 1

    def add(self, nodes: Array, edges: Sequence[Array]) -> None:
        """The next rows; the edges, as of _edges, are within them and down to them from the row before."""
        import numpy as np
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        before = np.zeros(nodes.shape[1], np.int32) if self._last is None else self._last
        known = int(before.max(initial=0))
        numbers = np.zeros((len(nodes) + 1, nodes.shape[1]), np.int32)  # 0: no node
        numbers[0] = before
        new = int(np.count_nonzero(nodes))
        numbers[1:][nodes] = np.arange(known + 1, known + new + 1, dtype=np.int32)
        first, second = (np.concatenate(side) for side in zip(*_ends(numbers, edges), strict=True))
        both = (first > 0) & (second > 0)
        first, second = first[both] - 1, second[both] - 1
        graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(known + new, known + new))
        found, groups = connected_components(graph, directed=False) if known + new else (0, np.empty(0, np.int32))
        self.count += int(found) - known
        last = numbers[-1]
        self._last = np.zeros_like(last)
        self._last[last > 0] = np.unique(groups[last[last > 0] - 1], return_inverse=True)[1] + 1


def _ends(numbers: Array, edges: Sequence[Array]) -> Iterator[tuple[Array, Array]]:
    """The numbers of the pixels that edges join."""
    across, down, right, left = edges
    rows = numbers[1:]
    yield rows[:, :-1][across], rows[:, 1:][across]
    yield numbers[:-1][down], rows[down]
    yield numbers[:-1, :-1][right], rows[:, 1:][right]
    yield numbers[:-1, 1:][left], rows[:, :-1][left]


def _with_neighbours(bands: Iterator[Array]) -> Iterator[Array]:
    """Each band between the row above and the row below it; beyond the image there is nothing."""
    import numpy as np

    above = waiting = None
    for band in bands:
        if waiting is not None and above is not None:
            yield np.concatenate([above, waiting, band[:1]])
            above = waiting[-1:]
        else:
            above = np.zeros_like(band[:1])
        waiting = band
    if waiting is not None and above is not None:
        yield np.concatenate([above, waiting, np.zeros_like(above)])


def _edges(rows: Array) -> tuple[Array, Array, Array, Array]:
    """Where a pixel is joined to the next in its row, to the one below, and to those below to the right and the left.

    The last two are as wide as the gaps between columns: gap 0 lies between the columns 0 and 1.
    """
    upper, lower = rows[:-1], rows[1:]
    right = upper[:, :-1] & lower[:, 1:] & ~upper[:, 1:] & ~lower[:, :-1]
    left = upper[:, 1:] & lower[:, :-1] & ~upper[:, :-1] & ~lower[:, 1:]
    return rows[:, :-1] & rows[:, 1:], upper & lower, right, left


def _degree(shape: tuple[int, ...], edges: tuple[Array, Array, Array, Array]) -> Array:
    """How many edges each pixel has."""
    import numpy as np

    across, down, right, left = edges
    degree = np.zeros(shape, np.uint8)
    degree[:, :-1] += across
    degree[:, 1:] += across
    degree[:-1] += down
    degree[1:] += down
    degree[:-1, :-1] += right
    degree[1:, 1:] += right
    degree[:-1, 1:] += left
    degree[1:, :-1] += left
    return degree
