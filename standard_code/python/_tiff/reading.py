"""Reads TIFF files plane by plane, with what they say about axes, pixel size and channels."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import _tiff.metadata
import _tiff.sets
import _tiff.shown
import _tiff.whole
from _image.stacks import Scene, Stack
from _program.files import UserError, in_words

if TYPE_CHECKING:
    import numpy as np
    import tifffile

    Array: TypeAlias = np.ndarray[Any, Any]


@contextmanager
def open_tiff(path: Path, stack_axis: str = "Z", how: _tiff.shown.How = "image") -> Iterator[list[Scene]]:
    """The images of a TIFF file; `stack_axis` is what pages mean where the file does not say, `how` what values do."""
    _tiff.whole.check_kind(path)
    with ExitStack() as closing, warnings.catch_warnings():
        # each page of an image that is spread over several files warns of it
        warnings.filterwarnings("ignore", message=".*reading array from closed file")
        with _in_words():
            tif = _tiff.sets.open_file(path, closing)
            _tiff.whole.check(tif)
            described = _tiff.metadata.describe(tif)
            scenes = [
                _scene(tif, series, described[number] if number < len(described) else None, stack_axis, how)
                for number, series in enumerate(tif.series)
            ]
        if not scenes:
            raise UserError("it holds no image that can be read.")
        yield scenes


def _in_words() -> AbstractContextManager[None]:
    """Around tifffile and its codecs."""
    return in_words(lambda error: f"it cannot be read as a TIFF image; it may be damaged ({error}).")


def _scene(
    tif: tifffile.TiffFile,
    series: tifffile.TiffPageSeries,
    about: _tiff.metadata.About | None,
    stack_axis: str,
    how: _tiff.shown.How,
) -> Scene:
    height, width = (series.shape[series.axes.index(axis)] if axis in series.axes else 0 for axis in "YX")
    name = (about.name if about else "") or series.name or ""
    return Scene(name, height * width, lambda: _stack(tif, series, about or _tiff.metadata.About(), stack_axis, how))


def _stack(
    tif: tifffile.TiffFile,
    series: tifffile.TiffPageSeries,
    about: _tiff.metadata.About,
    stack_axis: str,
    how: _tiff.shown.How,
) -> Stack:
    with _in_words():
        axes = named(series.axes, series.shape, stack_axis)
        sizes = dict(zip(axes, series.shape, strict=True))
        read = _reader(tif, series, axes)
        shown = _tiff.shown.shown(tif, series, sizes.get("S", 1), how)
    channels = sizes.get("C", 1) * shown.samples
    names = about.channels + ("",) * (channels - len(about.channels) if about.channels and shown.samples == 1 else 0)

    def plane(t: int, c: int, z: int) -> Array:
        with _in_words():
            place = {"T": t, "C": c // shown.samples, "Z": z}
            return shown.sample(lambda s: read(place | {"S": s}), c % shown.samples)

    return Stack(
        (sizes.get("T", 1), channels, sizes.get("Z", 1), sizes["Y"], sizes["X"]),
        shown.dtype.newbyteorder("="),
        plane,
        about.pixel_size,
        names if len(names) == channels else (),
        sizes.get("C", 1) == 1 and shown.rgb,
        about.time_interval,
    )


def named(axes: str, shape: tuple[int, ...], stack_axis: str) -> str:
    """`axes` with a meaning for each; those of length 1 without a meaning become small letters."""
    if "Y" not in axes or "X" not in axes:
        raise UserError(f"its axes are {axes}; an image needs X and Y.")
    strange = [place for place, axis in enumerate(axes) if axis not in "TCZYXS"]
    unknown = [place for place in strange if shape[place] > 1]
    if len(unknown) > 1 or (unknown and stack_axis in axes):
        raise UserError(f"the meaning of its axes {axes} is not known. Save it as OME-TIFF from Fiji, for example.")
    if unknown:
        logging.warning("the file does not say what its pages are; they are taken as %s. See --stack-axis.", stack_axis)
    single = iter("abcdefghijklmnopqrstuvw")
    letters = [
        stack_axis if place in unknown else next(single) if place in strange else axis
        for place, axis in enumerate(axes)
    ]
    return "".join(letters)


def _reader(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, axes: str) -> Callable[[dict[str, int]], Array]:
    """Gives one plane for the places on the other axes. The part that was read last is kept."""
    import numpy as np

    parts = _raw_parts(tif, series, axes) or _pages(series, axes)
    kept: dict[int, Array] = {}
    lock = threading.Lock()

    def plane(places: dict[str, int]) -> Array:
        number = 0
        for axis, size in zip(parts.outer, series.shape, strict=False):
            number = number * size + places.get(axis, 0)
        with lock:
            if number not in kept:
                kept.clear()
                kept[number] = parts.read(number)
            data = kept[number]
        flat = data[tuple(slice(None) if axis in "YX" else places.get(axis, 0) for axis in parts.inner)]
        flat = flat if parts.inner.index("Y") < parts.inner.index("X") else flat.T
        return np.asarray(flat).astype(flat.dtype.newbyteorder("="), copy=False)

    return plane


@dataclass(frozen=True)
class _Parts:
    """A series in parts that are read as one: which axes number them, which lie in them."""

    outer: str
    inner: str
    read: Callable[[int], Array]


def _raw_parts(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, axes: str) -> _Parts | None:
    """Where all values lie in the file one after the other: planes, from where they are."""
    import numpy as np

    start = series.dataoffset
    if start is None:
        return None
    first = min(axes.index("Y"), axes.index("X"))
    shape, kind = series.shape[first:], series.dtype.newbyteorder(tif.byteorder)
    count = int(np.prod(shape))

    def read(number: int) -> Array:
        found: Array = tif.filehandle.read_array(kind, count, start + number * count * kind.itemsize)
        return found.reshape(shape)

    return _Parts(axes[:first], axes[first:], read)


def _pages(series: tifffile.TiffPageSeries, axes: str) -> _Parts:
    """Pages of the file, each decoded as a whole; all at once in the rare file whose pages do not follow the axes."""
    import numpy as np

    shape = series.keyframe.shape
    outer = axes[: max(len(axes) - len(shape), 0)]
    if series.shape[len(outer) :] != shape or int(np.prod(series.shape[: len(outer)])) != len(series):
        return _Parts("", axes, lambda number: series.asarray())

    def read(number: int) -> Array:
        page = series[number]
        if page is None:  # tifffile's own reading gives zeros
            counted = np.unravel_index(number, series.shape[: len(outer)])
            raise UserError(_missing(dict(zip(outer, counted, strict=True))))
        return np.asarray(page.asarray())

    return _Parts(outer, axes[len(outer) :], read)


def _missing(place: dict[str, Any]) -> str:
    t, c, z = (int(place.get(axis, 0)) for axis in "TCZ")
    return (
        f"its plane of time point {t}, channel {c}, Z plane {z} is missing. It may be in another file that belongs to "
        "it; or it was never taken: convert_to_tif.py with --time-points, --channels or --z-planes takes the others."
    )
