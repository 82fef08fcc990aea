"""Outlines of objects along the edges of their pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

# Of each side of a pixel: where its neighbour is as (y, x), where the side starts as (x, y), and its direction.
SIDES = (
    ((-1, 0), (0, 0), (1, 0)),
    ((0, 1), (1, 0), (0, 1)),
    ((1, 0), (1, 1), (-1, 0)),
    ((0, -1), (0, 1), (0, -1)),
)


def outlines(labels: Array, split: bool = False) -> list[tuple[int, list[list[Array]]]]:
    """For each label its parts, each a list of loops as corners (x, y). `split` takes its pieces as parts."""
    import numpy as np
    from _pixels.regions import regions
    from skimage.measure import label

    found = []
    for number, region in regions(labels):
        corner = np.array(region.bbox[1::-1])
        pieces = label(region.image, connectivity=1) if split else region.image.astype(int)
        parts = [[loop + corner for loop in trace(pieces == piece)] for piece in range(1, int(pieces.max()) + 1)]
        found.append((number, parts))
    return found


def trace(mask: Array) -> list[Array]:
    """The closed loops around the pixels of `mask`, as corners (x, y) in order.

    The mask is on the right, seen along the loop with y downwards: outer loops run clockwise, those around holes
    the other way. Where two pixels touch at a corner alone, loops turn right, which keeps the pixels apart.
    """
    import numpy as np

    ways = _ways(mask)
    loops = []
    while ways:
        start = next(iter(ways))
        first = way = _take(ways, start, None)
        corner = (start[0] + way[0], start[1] + way[1])
        corners = []
        while not (corner == start and (start not in ways or _right(way) == first)):
            after = _take(ways, corner, way)
            if after != way:
                corners.append(corner)
            way = after
            corner = (corner[0] + way[0], corner[1] + way[1])
        if way != first:
            corners.append(start)
        loops.append(np.array(corners))
    return loops


def _ways(mask: Array) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """From each corner on the outline, the directions in which it goes on."""
    import numpy as np

    inside = np.pad(mask.astype(bool), 1)
    ways: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (dy, dx), (x0, y0), way in SIDES:
        ys, xs = np.nonzero(inside & ~np.roll(inside, (-dy, -dx), (0, 1)))
        for corner in zip((xs - 1 + x0).tolist(), (ys - 1 + y0).tolist(), strict=True):
            ways.setdefault(corner, []).append(way)
    return ways


def _take(
    ways: dict[tuple[int, int], list[tuple[int, int]]], corner: tuple[int, int], way: tuple[int, int] | None
) -> tuple[int, int]:
    """The direction to go on from `corner`; it is used up."""
    there = ways[corner]
    taken = _right(way) if way and _right(way) in there else there[0]
    there.remove(taken)
    if not there:
        del ways[corner]
    return taken


def _right(way: tuple[int, int]) -> tuple[int, int]:
    return (-way[1], way[0])
