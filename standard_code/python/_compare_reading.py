"""Images of several formats, read in bands of rows, so that none need fit into memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from _files import UserError

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

TIFF = (".tif", ".tiff", ".lsm", ".svs", ".stk")
WHOLE = 64 << 20  # bytes of a plane that is read at once
BAND = 16 << 20  # bytes of a band of a larger one
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
    pixel_size: dict[str, float] = field(default_factory=dict)  # axis -> micrometres
    rows: int = 1  # a band should be a multiple of these
    others: dict[str, Callable[[], Source]] = field(default_factory=dict)  # what else the file holds, by name
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
def open_image(path: Path, side: str = "the image") -> Iterator[Source]:
    """The image in `path`, called `side` in errors. Raises UserError when it cannot be read, then or later."""
    with ExitStack() as closing:
        with in_words(side, "image"):
            source = _opened(path, closing)
        read = source.read

        def read_or_tell(plane: int, top: int, end: int) -> Array:
            with in_words(side, "image"):
                return read(plane, top, end)

        source.read = read_or_tell
        yield source


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


def _opened(path: Path, closing: ExitStack) -> Source:
    refuse_empty(path)
    ending = path.suffix.lower()
    if ending in TIFF:
        from _compare_tiff import open_tiff

        return open_tiff(path, closing)
    if path.is_dir():
        from _compare_zarr import open_zarr

        return open_zarr(path)
    if ending == ".npy":
        import numpy as np

        return of_array(np.load(path, mmap_mode="r", allow_pickle=False))
    return of_array(_picture(path))


def real(values: Array) -> Array:
    """The magnitude of complex numbers, anything else as it is."""
    return abs(values) if values.dtype.kind == "c" else values


def source_of(axes: str, shape: tuple[int, ...], dtype: Any, read: Any, **more: Any) -> Source:
    samples = shape[-1] if axes.endswith("S") else 1
    flat = shape[:-1] if samples > 1 or axes.endswith("S") else shape
    kept = [(a, n) for i, (a, n) in enumerate(zip(axes, shape, strict=True)) if n > 1 or i in _plane_axes(axes)]
    return Source(
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
    flat = data.reshape(-1, *data.shape[-3:] if axes.endswith("S") else data.shape[-2:])
    return source_of(axes, data.shape, data.dtype.newbyteorder("="), lambda plane, top, end: flat[plane, top:end])


def _picture(path: Path) -> Array:
    import numpy as np

    if path.suffix.lower() == ".png":
        import imagecodecs

        data: Array = imagecodecs.png_decode(path.read_bytes())
        return data[..., 0] if data.ndim == 3 and data.shape[2] == 1 else data
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture)
