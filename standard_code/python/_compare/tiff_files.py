"""TIFF files for a comparison, read in bands of rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import _tiff.sets
from _compare.facts import Facts, of_tiff
from _compare.shown import as_shown
from _compare.sources import Source, of_array, refuse_large, source_of
from _program.files import UserError
from _tiff.metadata import describe
from _tiff.whole import MOST_PLANES, planes_told

if TYPE_CHECKING:
    import numpy as np
    import tifffile

    Array: TypeAlias = np.ndarray[Any, Any]


def open_tiff(path: Path, closing: ExitStack) -> Source:
    """The first series of `path` at its full resolution, with the others beside it, until `closing` ends."""
    tif, buffer = _tiff.sets.open_file(path, closing), closing.enter_context(_Buffer())
    if (planes := planes_told(tif)) > MOST_PLANES:
        raise UserError(f"is too large to compare: it tells of {planes:,} planes, and the most is {MOST_PLANES:,}")
    told = [of_tiff(about) for about in describe(tif)]

    def image(number: int) -> Source:
        source = _of_series(tif, tif.series[number], buffer)
        source.facts = told[number] if number < len(told) else Facts()
        return source

    first = image(0)
    for number in range(1, len(tif.series)):
        first.others[f"series {number + 1}"] = partial(image, number)
    return first


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


def _of_series(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, buffer: _Buffer) -> Source:
    """At its full resolution, as it is shown."""
    source = as_shown(_stored(tif, series, buffer), tif, series)
    turned = series.keyframe.tags.valueof("Orientation", 1)
    for each in (source, source.numbers):
        if each and turned != 1:
            each.told = ", ".join([each.told] * bool(each.told) + [f"viewers turn it (orientation {turned})"])
    return source


def _stored(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, buffer: _Buffer) -> Source:
    axes, shape, dtype = series.axes, series.shape, series.dtype
    if len(shape) < 2 or dtype is None:
        raise UserError("holds no image of two dimensions")
    first = series.keyframe
    row = shape[-2:] if axes.endswith("S") else shape[-1:]
    planes = math.prod(shape[:-3] if axes.endswith("S") else shape[:-2])
    native = dtype.newbyteorder("=")
    if first.is_tiled:
        tile = first.tilelength * first.tilewidth * first.tiledepth * first.samplesperpixel
        refuse_large(tile * native.itemsize, "a tile")
    if series.dataoffset is not None:
        return source_of(axes, shape, native, _contiguous(tif, series, row, buffer), plain=True)
    if len(series.pages) == planes and first.shape == shape[-len(first.shape) :] and len(first.shape) == 1 + len(row):
        return source_of(axes, shape, native, _paged(series, row), rows=first.tilelength or first.rowsperstrip or 1)
    refuse_large(math.prod(shape) * native.itemsize, "an image that is stored by colours or in three-dimensional tiles")
    return of_array(series.asarray(), axes)  # colours as separate planes and the like


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
            raise UserError("ends before its last row; it may be damaged")
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
