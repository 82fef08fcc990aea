"""What is compared of an image: its planes, read in bands of rows, so that none need fit into memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from _compare.facts import Facts
from _program.files import UserError

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

WHOLE = 64 << 20  # bytes of a plane that is read at once
BAND = 16 << 20  # bytes of a band of a larger one
LARGEST = 1 << 30  # bytes of a piece that can only be read at once: a whole picture, a chunk, a tile
MOST = 1 << 43  # bytes of an image, which would take days
NEAR = 1 << 20  # bytes that the processor keeps near: read and compared there, they cost half the time


@dataclass
class Source:
    """An image: `planes` of `height` x `width` (x `samples` for colours), by `read(plane, from row, to row)`.

    What `read` gives may be written over by the next reading.
    """

    axes: str  # without axes of length 1
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    planes: int
    height: int
    width: int
    samples: int
    read: Callable[[int, int, int], Array]
    facts: Facts = field(default_factory=Facts)
    rows: int = 1  # a band should be a multiple of these
    others: dict[str, Callable[[], Source]] = field(default_factory=dict)  # what else the file holds, by name
    told: str = ""  # how its numbers are meant, where that is not as usual
    numbers: Source | None = None  # those of a label image, where an image is something else
    plain: bool = False  # pixels lie in the file as they are; reading a part costs no more than its share

    @property
    def row_bytes(self) -> int:
        return int(max(1, self.width * self.samples * self.dtype.itemsize))

    def band_rows(self) -> int:
        """How many rows to read at once."""
        if self.row_bytes * self.height <= WHOLE:
            return self.height
        return max(1, BAND // self.row_bytes // self.rows) * self.rows

    @property
    def outer(self) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """The axes that lead from plane to plane, with their lengths."""
        count = len(self.shape) - 2 - (self.samples > 1)
        return tuple(self.axes[:count]), self.shape[:count]


def bands(one: Source, two: Source) -> Iterator[tuple[int, int, int]]:
    """(plane, first row, row after the last), for two images of one shape."""
    yield from _bands(one, max(one.band_rows(), two.band_rows()))


def short_bands(one: Source, two: Source) -> Iterator[tuple[int, int, int]]:
    """As `bands`, for a look at each pixel alone; of plain images only so many rows as stay near the processor."""
    if not (one.plain and two.plain):
        return bands(one, two)
    return _bands(one, max(1, NEAR // max(one.row_bytes, two.row_bytes)))


def _bands(one: Source, step: int) -> Iterator[tuple[int, int, int]]:
    for plane in range(one.planes):
        for top in range(0, one.height, step):
            yield plane, top, min(top + step, one.height)


@contextmanager
def in_words(side: str, what: str) -> Iterator[None]:
    """Turns what goes wrong in reading into a sentence about `side`. Raises UserError, MemoryError."""
    try:
        yield
    except MemoryError:
        raise
    except UserError as error:
        raise UserError(f"{side} {error}") from error
    except OSError as error:
        if error.strerror:
            raise UserError(f"{side} cannot be read: {error.strerror}") from error
        raise UserError(f"{side} cannot be read as {_a(what)} ({error})") from error
    except Exception as error:  # each library has its own for a damaged file
        raise UserError(f"{side} cannot be read as {_a(what)}; it may be damaged ({error})") from error


def _a(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"


def refuse_empty(path: Path) -> None:
    """Raises UserError for a file without a byte, as a stopped program leaves it."""
    if path.is_file() and not path.stat().st_size:
        raise UserError("is an empty file")


def refuse_large(size: int, what: str, most: int = LARGEST) -> None:
    """By what a file says of itself, before memory is asked for: a few bytes can claim any size. Raises UserError."""
    if size > most:
        raise UserError(
            f"is too large to compare: {what} has {size / 2**30:,.1f} GiB, and the most is {most / 2**30:g} GiB"
        )


def real(values: Array) -> Array:
    """The magnitude of complex numbers, anything else as it is."""
    return abs(values) if values.dtype.kind == "c" else values


def source_of(axes: str, shape: tuple[int, ...], dtype: Any, read: Any, **more: Any) -> Source:
    refuse_large(math.prod(shape) * dtype.itemsize, "the image", MOST)
    samples = shape[-1] if axes.endswith("S") else 1
    flat = shape[:-1] if samples > 1 or axes.endswith("S") else shape
    kept = [(a, n) for i, (a, n) in enumerate(zip(axes, shape, strict=True)) if n > 1 or i in _plane_axes(axes)]
    source = Source(
        "".join(a for a, _ in kept),
        tuple(n for _, n in kept),
        dtype,
        math.prod(flat[:-2]),
        flat[-2],
        flat[-1],
        samples,
        read,
        **more,
    )
    source.rows = min(source.rows, source.height)
    piece = source.rows * source.row_bytes
    refuse_large(piece, "a piece that cannot be divided")
    if piece > BAND and source.row_bytes * source.height > WHOLE:
        source.read, source.rows = _in_pieces(source), 1
    return source


def _in_pieces(source: Source) -> Callable[[int, int, int], Array]:
    """A reading that keeps the piece it was in: what is worked on stays small, and no piece is read twice in a row."""
    import numpy as np

    read, rows, height = source.read, source.rows, source.height
    kept: list[Any] = [None, None]  # (plane, number of the piece), its pixels

    def piece_of(plane: int, number: int) -> Array:
        if kept[0] != (plane, number):
            kept[:] = None, None  # before the next one is in memory
            kept[:] = (plane, number), read(plane, number * rows, min((number + 1) * rows, height))
        piece: Array = kept[1]
        return piece

    def part(plane: int, top: int, end: int) -> Array:
        numbers = range(top // rows, math.ceil(end / rows))
        parts = [piece_of(plane, n)[max(0, top - n * rows) : end - n * rows] for n in numbers]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    return part


def _plane_axes(axes: str) -> range:
    end = len(axes) - axes.endswith("S")
    return range(end - 2, end)


def of_array(data: Array, axes: str = "") -> Source:
    """An array that is there, or mapped."""
    if data.dtype.kind not in "biufc":
        raise UserError(f"holds values of the type {data.dtype}, which are no pixels")
    if not data.size:
        raise UserError("holds no pixel")
    if data.ndim < 2:
        data = data.reshape(1, -1)
    if not axes:
        colours = data.ndim == 3 and data.shape[2] in (3, 4) and data.dtype.itemsize < 4
        axes = "QQQQQQQQ"[: data.ndim - (3 if colours else 2)] + ("YXS" if colours else "YX")
    lead = data.shape[: -3 if axes.endswith("S") else -2]

    def read(plane: int, top: int, end: int) -> Array:
        import numpy as np

        return data[(*np.unravel_index(plane, lead), slice(top, end))] if lead else data[top:end]

    return source_of(axes, data.shape, data.dtype.newbyteorder("="), read)
