"""Runs a network over an image of any size, tile by tile, with the same result as over the whole image.

A tile begins at a multiple of what the network's grid needs and overlaps its neighbours by its receptive field (halo).
Only the image's own borders see zero padding. Nothing is blended: each pixel comes from one tile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from _program.files import UserError

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

Look = Callable[[slice, slice], "Array"]


class OutOfMemoryError(Exception):
    """A device has not enough memory for this batch."""


class Engine(Protocol):
    """A network on a device. `multiple` and `halo` are in pixels."""

    multiple: int
    halo: int
    core: int  # pixels of a tile without its halo
    batch: int  # tiles at once; made smaller when memory runs out
    workers: int  # batches at the same time
    about: str  # on what it runs, for the user

    def classes(self, images: Array) -> Array:
        """(N, 1, H, W) float32 in 0..1 gives (N, H, W) uint8, in our order. May raise OutOfMemoryError."""
        ...


@dataclass(frozen=True)
class Span:
    """Pixels along one axis: what is read, and which of it is kept."""

    start: int
    stop: int
    core_start: int
    core_stop: int

    @property
    def read(self) -> slice:
        return slice(self.start, self.stop)

    @property
    def kept(self) -> slice:
        return slice(self.core_start, self.core_stop)

    @property
    def inside(self) -> slice:
        """What is kept, counted from the first pixel that was read."""
        return slice(self.core_start - self.start, self.core_stop - self.start)


@dataclass(frozen=True)
class Tile:
    rows: Span
    columns: Span

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start


def spans(length: int, core: int, halo: int, multiple: int) -> list[Span]:
    """Cuts an axis of a length that is a multiple of `multiple` into pieces of about equal size, at most `core`."""
    if halo % multiple or length % multiple:
        raise ValueError("halo and length must be multiples of the network's grid")
    pieces = -(-length // max(core, multiple))
    step = -(-length // pieces // multiple) * multiple
    return [
        Span(max(0, start - halo), min(length, start + step + halo), start, min(length, start + step))
        for start in range(0, length, step)
    ]


def tiles(height: int, width: int, core: int, halo: int, multiple: int) -> list[Tile]:
    """Those that cover an image, once its sides are filled up to multiples of `multiple`; row by row."""
    down = spans(height + -height % multiple, core, halo, multiple)
    across = spans(width + -width % multiple, core, halo, multiple)
    return [Tile(rows, columns) for rows in down for columns in across]


def segment(look: Look, shape: tuple[int, int], engine: Engine, progress: Callable[[int], None]) -> Array:
    """uint8 classes of an image of this shape. `look` gives any part of it; `progress` gets numbers of tiles."""
    import numpy as np

    height, width = shape
    result = np.empty(shape, np.uint8)

    def work(batch: Sequence[Tile]) -> int:
        for tile, found in zip(batch, in_batches(look, batch, engine), strict=True):
            rows, columns = tile.rows.kept, tile.columns.kept
            kept = found[tile.rows.inside, tile.columns.inside]
            result[rows, columns] = kept[: height - rows.start, : width - columns.start]
        return len(batch)

    todo = tiles(height, width, engine.core, engine.halo, engine.multiple)
    if engine.workers == 1:
        for batch in batches(todo, engine):
            progress(work(batch))
        return result
    with ThreadPoolExecutor(engine.workers) as pool:
        for done in pool.map(work, batches(todo, engine)):
            progress(done)
    return result


def batches(todo: Sequence[Tile], engine: Engine) -> Iterator[list[Tile]]:
    """Tiles of one shape together, as many as the device takes at the time."""
    for _, group in groupby(sorted(todo, key=lambda tile: tile.shape), key=lambda tile: tile.shape):
        waiting = list(group)
        while waiting:
            size = engine.batch
            yield waiting[:size]
            del waiting[:size]


def in_batches(look: Look, batch: Sequence[Tile], engine: Engine) -> list[Array]:
    """The classes of each tile; a batch for which memory runs out is halved, and so are those that follow."""
    import numpy as np

    images = np.stack([look(tile.rows.read, tile.columns.read) for tile in batch])[:, None]
    try:
        return list(engine.classes(images))
    except OutOfMemoryError as error:
        if len(batch) == 1:
            raise UserError(
                f"the device has not enough memory for one tile of {images.shape[3]} x {images.shape[2]} pixels "
                f"({error}). Try a smaller --tile-size, or --device cpu."
            ) from error
    half = len(batch) // 2
    engine.batch = min(engine.batch, half)
    logging.warning("memory ran out with %d tiles at once; going on with %d", len(batch), half)
    return in_batches(look, batch[:half], engine) + in_batches(look, batch[half:], engine)
