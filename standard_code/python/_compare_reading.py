"""Images of several formats, read in bands of rows, so that none need fit into memory."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from _files import UserError

if TYPE_CHECKING:
    import numpy as np
    import tifffile

    Array = np.ndarray[Any, Any]

TIFF = (".tif", ".tiff", ".lsm", ".svs", ".stk")
ENDINGS = (*TIFF, ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".npy", ".zarr")
WHOLE = 64 << 20  # bytes of a plane that is read at once
BAND = 16 << 20  # bytes of a band of a larger one
NEAR = 1 << 20  # bytes that the processor keeps near: read and compared there, they cost half the time
_UNITS = {"m": 1e6, "mm": 1e3, "µm": 1, "um": 1, "micron": 1, "micrometer": 1, "nm": 1e-3, "pm": 1e-6, "cm": 1e4}


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
    plain: bool = False  # pixels lie in the file as they are; reading a part costs no more than its share

    @property
    def row_bytes(self) -> int:
        return max(1, self.width * self.samples * self.dtype.itemsize)

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
def open_image(path: Path) -> Iterator[Source]:
    """The image in `path`. Raises UserError when it cannot be read."""
    ending = path.suffix.lower()
    try:
        if ending in TIFF:
            import tifffile

            with tifffile.TiffFile(path) as tif, _Buffer() as buffer:
                yield _tiff(tif, buffer)
        elif ending == ".zarr":
            yield _zarr(path)
        elif ending == ".npy":
            import numpy as np

            yield _array(np.load(path, mmap_mode="r", allow_pickle=False))
        else:
            yield _array(_picture(path))
    except (UserError, MemoryError):
        raise
    except OSError as error:
        if error.strerror:
            raise
        raise UserError(f"it cannot be read as an image ({error})") from error
    except Exception as error:  # each library has its own for a damaged file
        raise UserError(f"it cannot be read as an image; it may be damaged ({error})") from error


class _Buffer:
    """Memory that one file after the other is read into: fresh memory costs as much time as the reading.

    What was read is good until the next reading from the same file.
    """

    _free: ClassVar[list[Array]] = []

    def __enter__(self) -> _Buffer:
        import numpy as np

        try:
            self._memory = self._free.pop()
        except IndexError:  # asked and not looked before: threads share it
            self._memory = np.empty(0, np.uint8)
        return self

    def __exit__(self, *error: object) -> None:
        self._free.append(self._memory)

    def array(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        import numpy as np

        size = math.prod(shape) * dtype.itemsize
        if self._memory.nbytes < size:
            self._memory = np.empty(size, np.uint8)
        return self._memory[:size].view(dtype).reshape(shape)


def _source(axes: str, shape: tuple[int, ...], dtype: Any, read: Any, **more: Any) -> Source:
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


def _array(data: Array, axes: str = "") -> Source:
    """An array that is there, or mapped."""
    if data.ndim < 2:
        data = data.reshape(1, -1)
    if not axes:
        colours = data.ndim == 3 and data.shape[2] in (3, 4) and data.dtype.itemsize < 4
        axes = "QQQQQQQQ"[: data.ndim - (3 if colours else 2)] + ("YXS" if colours else "YX")
    flat = data.reshape(-1, *data.shape[-3:] if axes.endswith("S") else data.shape[-2:])
    return _source(axes, data.shape, data.dtype.newbyteorder("="), lambda plane, top, end: flat[plane, top:end])


def _picture(path: Path) -> Array:
    import numpy as np

    if path.suffix.lower() == ".png":
        import imagecodecs

        data: Array = imagecodecs.png_decode(path.read_bytes())
        return data[..., 0] if data.ndim == 3 and data.shape[2] == 1 else data
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture)


def _tiff(tif: tifffile.TiffFile, buffer: _Buffer) -> Source:
    """The first series at its full resolution."""
    series = tif.series[0]
    axes, shape, dtype = series.axes, series.shape, series.dtype
    if len(shape) < 2 or dtype is None:
        raise UserError("it holds no image of two dimensions")
    size = _tiff_pixel_size(tif)
    first = series.keyframe
    row = shape[-2:] if axes.endswith("S") else shape[-1:]
    planes = math.prod(shape[:-3] if axes.endswith("S") else shape[:-2])
    native = dtype.newbyteorder("=")
    if series.dataoffset is not None:
        return _source(axes, shape, native, _contiguous(tif, series, row, buffer), pixel_size=size, plain=True)
    if len(series.pages) == planes and first.shape == shape[-len(first.shape) :] and len(first.shape) == 1 + len(row):
        return _source(
            axes, shape, native, _paged(series, row), pixel_size=size, rows=first.tilelength or first.rowsperstrip or 1
        )
    source = _array(series.asarray(), axes)  # colours as separate planes and the like
    source.pixel_size = size
    return source


def _contiguous(
    tif: tifffile.TiffFile, series: Any, row: tuple[int, ...], buffer: _Buffer
) -> Callable[[int, int, int], Array]:
    stored = series.dtype.newbyteorder(tif.byteorder)
    length = math.prod(row)
    height = series.shape[-1 - len(row)]

    def read(plane: int, top: int, end: int) -> Array:
        tif.filehandle.seek(series.dataoffset + (plane * height + top) * length * stored.itemsize)
        data = buffer.array((end - top, *row), stored)
        if tif.filehandle.readinto(memoryview(data).cast("B")) != data.nbytes:
            raise UserError("it ends before its last row; it may be damaged")
        return data

    return read


def _paged(series: Any, row: tuple[int, ...]) -> Callable[[int, int, int], Array]:
    def read(plane: int, top: int, end: int) -> Array:
        page = series.pages[plane]
        if page is None:
            import numpy as np

            return np.zeros((end - top, *row), series.dtype)
        if end - top == series.keyframe.shape[0]:
            whole: Array = page.asarray()
            return whole
        return _rows(page, series.keyframe, top, end, row)

    return read


def _rows(page: Any, keyframe: Any, top: int, end: int, row: tuple[int, ...]) -> Array:
    """Only the strips or tiles that hold these rows are decoded."""
    import numpy as np

    out = np.zeros((end - top, *row), keyframe.dtype)
    high = keyframe.tilelength if keyframe.is_tiled else keyframe.rowsperstrip
    across = math.ceil(row[0] / keyframe.tilewidth) if keyframe.is_tiled else 1
    handle = page.parent.filehandle
    for index in range(top // high * across, math.ceil(end / high) * across):
        if index >= len(page.dataoffsets) or not page.databytecounts[index]:
            continue
        handle.seek(page.dataoffsets[index])
        tables = {} if page.jpegtables is None else {"jpegtables": page.jpegtables}
        segment, place, _ = keyframe.decode(handle.read(page.databytecounts[index]), index, **tables)
        if segment is None:
            continue
        y, x = place[2], place[3]
        from_row, to_row = max(y, top), min(y + segment.shape[1], end)
        across_part = min(segment.shape[2], row[0] - x)  # tiles at the edge are filled up
        part = segment[0, from_row - y : to_row - y, :across_part]
        out[from_row - top : to_row - top, x : x + across_part] = part if len(row) == 2 else part[..., 0]
    return out


def _tiff_pixel_size(tif: tifffile.TiffFile) -> dict[str, float]:
    """In micrometres, from OME-XML, ImageJ's words or the resolution tags; empty where none tells it."""
    with suppress(Exception):  # a pixel size that cannot be read is none
        if tif.ome_metadata:
            found = re.findall(r'PhysicalSize([XYZ])="([^"]+)"', tif.ome_metadata)
            units = dict(re.findall(r'PhysicalSize([XYZ])Unit="([^"]+)"', tif.ome_metadata))
            return {axis: float(v) * _UNITS.get(units.get(axis, "µm"), 1) for axis, v in reversed(found)}
        tags = tif.pages[0].tags  # type: ignore[union-attr]
        across = tags["XResolution"].value
        per_pixel = across[1] / across[0] if across[0] else 0
        if tif.imagej_metadata:
            unit = _UNITS.get(str(tif.imagej_metadata.get("unit", "")).replace("\\u00B5", "µ"), 0)
            sizes = {"X": per_pixel * unit, "Y": per_pixel * unit}
            if "spacing" in tif.imagej_metadata:
                sizes["Z"] = float(tif.imagej_metadata["spacing"]) * unit
            return {axis: value for axis, value in sizes.items() if value}
        unit = {2: 25_400, 3: 10_000}.get(int(tags["ResolutionUnit"].value), 0)
        # 72 or 96 dots per inch is what programs write that know nothing
        if per_pixel and unit and round(1 / per_pixel) not in (1, 72, 96):
            return {"X": per_pixel * unit, "Y": per_pixel * unit}
    return {}


def _zarr(path: Path) -> Source:
    """The full resolution of an OME-Zarr image, or the first array of a plain one."""
    import zarr

    node: Any = zarr.open(str(path), mode="r")
    axes, scale = "", []
    if hasattr(node, "attrs") and not hasattr(node, "shape"):
        attributes = dict(node.attrs)
        about = attributes.get("ome", attributes).get("multiscales")
        if about:
            first = about[0]["datasets"][0]
            axes = "".join(str(a["name"] if isinstance(a, dict) else a)[0].upper() for a in about[0].get("axes", ()))
            scale = next((t["scale"] for t in first.get("coordinateTransformations", ()) if t["type"] == "scale"), [])
            node = node[first["path"]]
        else:
            arrays = sorted(node.arrays())
            if not arrays:
                raise UserError("it is a Zarr group without an array at its top")
            node = arrays[0][1]
    shape = tuple(node.shape)
    if len(shape) < 2:
        raise UserError("it holds no image of two dimensions")
    if len(axes) != len(shape):
        axes = "Q" * (len(shape) - 2) + "YX"
    lead = shape[:-2]

    def read(plane: int, top: int, end: int) -> Array:
        import numpy as np

        return np.asarray(node[(*np.unravel_index(plane, lead), slice(top, end))] if lead else node[top:end])

    sizes = {a: float(s) for a, s in zip(axes, scale, strict=False) if a in "XYZ"}
    return _source(axes, shape, node.dtype.newbyteorder("="), read, pixel_size=sizes, rows=node.chunks[-2])
