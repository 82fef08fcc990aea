"""Images in memory, and as TIFF files with their axes and pixel size."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from _files import UserError, writing

if TYPE_CHECKING:
    import numpy as np
    import tifffile

AXES = "TCZYX"

# How many micrometres one unit is. OME writes "µm", ImageJ "micron" or an escaped "\u00B5m".
UNITS = {
    "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "\\u00b5m": 1.0,
    "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6, "inch": 25400.0,
}  # fmt: skip


@dataclass(frozen=True)
class PixelSize:
    """In micrometres; `z` is None where there is no distance between planes."""

    x: float
    y: float
    z: float | None = None


@dataclass(frozen=True)
class Image:
    """`data` has the axes TCZYX; `rgb` says that its three channels are red, green and blue of one colour image."""

    data: np.ndarray[Any, Any]
    pixel_size: PixelSize | None = None
    channels: tuple[str, ...] = ()
    rgb: bool = False

    def channel(self, index: int) -> np.ndarray[Any, Any]:
        """One channel as (T, Y, X). Raises UserError where there is none, or where there are Z planes."""
        _, channels, planes, _, _ = self.data.shape
        if index >= channels:
            raise UserError(f"there is no channel {index}: it has {channels}, counted from 0. See --channel-index.")
        if planes > 1:
            raise UserError(
                f"it has {planes} Z planes, and this program works on flat images. "
                "Convert it with convert_to_tif.py --projection-method max first."
            )
        return self.data[:, index, 0]


def read_tiff(path: Path, *, stack_axis: str = "Z") -> Image:
    """The first image of a TIFF file. `stack_axis` is what pages mean where the file does not say."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as tif:
            series = tif.series[0]
            if len(tif.series) > 1:
                logging.warning("it holds %d images; the first is taken", len(tif.series))
            data, rgb = _five_axes(series.asarray(), series.axes, stack_axis)
            size, names = _metadata(tif)
    except (UserError, MemoryError):
        raise
    except OSError as error:
        if error.strerror:
            raise
        raise UserError(f"it cannot be read as a TIFF image ({error}).") from error
    except Exception as error:  # tifffile and the codecs have many of their own for a damaged file
        raise UserError(f"it cannot be read as a TIFF image; it may be damaged ({error}).") from error
    return Image(data, size, names if len(names) == data.shape[1] else (), rgb)


def _five_axes(data: np.ndarray[Any, Any], axes: str, stack_axis: str) -> tuple[np.ndarray[Any, Any], bool]:
    """`data` with the axes TCZYX, and whether its channels are the colours of RGB."""
    import numpy as np

    if "Y" not in axes or "X" not in axes:
        raise UserError(f"its axes are {axes}; an image needs X and Y.")
    unknown = [axis for axis in axes if axis not in "TCZYXS" and data.shape[axes.index(axis)] > 1]
    if len(unknown) > 1 or (unknown and stack_axis in axes):
        raise UserError(f"the meaning of its axes {axes} is not known. Save it as OME-TIFF from Fiji, for example.")
    if unknown:
        axes = axes.replace(unknown[0], stack_axis)
        logging.warning("the file does not say what its pages are; they are taken as %s. See --stack-axis.", stack_axis)
    for axis in [axis for axis in axes if axis not in "TCZYXS"]:
        data = np.take(data, 0, axis=axes.index(axis))
        axes = axes.replace(axis, "", 1)
    for axis in "TCZS":
        if axis not in axes:
            data, axes = data[np.newaxis], axis + axes
    data = data.transpose([axes.index(axis) for axis in "TCSZYX"])
    frames, channels, samples, planes, height, width = data.shape
    return data.reshape(frames, channels * samples, planes, height, width), channels == 1 and samples == 3


def _metadata(tif: tifffile.TiffFile) -> tuple[PixelSize | None, tuple[str, ...]]:
    try:
        if tif.is_ome and tif.ome_metadata:
            return _ome_metadata(tif.ome_metadata)
        if tif.is_imagej:
            return _imagej_pixel_size(tif), ()
    except (ElementTree.ParseError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        logging.warning("its metadata cannot be understood, so its pixel size is not known (%s)", error)
    return None, ()


def _ome_metadata(text: str) -> tuple[PixelSize | None, tuple[str, ...]]:
    pixels = ElementTree.fromstring(text).find(".//{*}Pixels")
    if pixels is None:
        return None, ()
    names = tuple(channel.get("Name", "") for channel in pixels.findall("{*}Channel"))
    x, y, z = (_micrometres(pixels.get(f"PhysicalSize{a}"), pixels.get(f"PhysicalSize{a}Unit", "µm")) for a in "XYZ")
    return (PixelSize(x, y or x, z) if x else None), (names if all(names) else ())


def _imagej_pixel_size(tif: tifffile.TiffFile) -> PixelSize | None:
    """ImageJ keeps pixels per unit as TIFF resolution, and the unit in its own text."""
    described = tif.imagej_metadata or {}
    unit = str(described.get("unit", ""))
    tags = tif.pages[0].tags
    x, y = (_per_unit(tags[name].value, unit) if name in tags else None for name in ("XResolution", "YResolution"))
    return PixelSize(x, y or x, _micrometres(described.get("spacing"), unit)) if x else None


def _per_unit(resolution: tuple[int, int], unit: str) -> float | None:
    pixels, units = resolution
    return _micrometres(units / pixels, unit) if pixels else None


def _micrometres(number: object, unit: str) -> float | None:
    """`number` of `unit` in micrometres; None where that is no length."""
    factor = UNITS.get(unit.strip().lower())
    value = float(str(number)) if number is not None else 0.0
    return value * factor if factor and value > 0 else None


def write_tiff(path: Path, image: Image) -> None:
    """Writes an OME-TIFF, compressed without loss. Equal images give equal files."""
    import numpy as np
    import tifffile

    data = storable(image.data)
    axes = AXES
    if image.rgb:
        data, axes = np.moveaxis(data, 1, -1), "TZYXS"
    kept = [place for place, axis in enumerate(axes) if axis in "YXS" or data.shape[place] > 1]
    axes = "".join(axes[place] for place in kept)
    data = np.ascontiguousarray(data.reshape([data.shape[place] for place in kept]))
    metadata: dict[str, Any] = {"axes": axes, "UUID": f"urn:uuid:{_fingerprint(data, axes)}"}
    metadata.update(_ome_pixel_size(image.pixel_size))
    if image.channels and not image.rgb:
        metadata["Channel"] = {"Name": list(image.channels)}
    with writing(path) as part, part.open("wb") as file:
        tifffile.imwrite(
            file,
            data,
            ome=True,
            bigtiff=data.nbytes > 2**32 - 2**25,
            photometric="rgb" if image.rgb else "minisblack",
            compression="zlib",
            predictor=data.dtype.kind in "ui" and data.dtype.itemsize <= 2,
            metadata=metadata,
        )


def storable(data: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """`data` in a type that OME-TIFF has, with the same values. Raises UserError where there is none."""
    import numpy as np

    if data.dtype == bool:
        return data.astype(np.uint8)
    if data.dtype == np.float16:
        return data.astype(np.float32)
    if data.dtype in (np.int64, np.uint64):
        for smaller in (np.uint16, np.int32, np.uint32):
            if np.iinfo(smaller).min <= data.min() and data.max() <= np.iinfo(smaller).max:
                return data.astype(smaller)
    if data.dtype.name not in {"int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64"}:
        raise UserError(f"OME-TIFF cannot hold its values (type {data.dtype}).")
    return data


def _ome_pixel_size(size: PixelSize | None) -> dict[str, Any]:
    if size is None:
        return {}
    lengths = {"X": size.x, "Y": size.y, "Z": size.z}
    found: dict[str, Any] = {}
    for axis, length in lengths.items():
        if length is not None:
            found[f"PhysicalSize{axis}"] = round(length, 9)
            found[f"PhysicalSize{axis}Unit"] = "µm"
    return found


def _fingerprint(data: np.ndarray[Any, Any], axes: str) -> uuid.UUID:
    """The file's UUID out of its content: a second run of a pipeline then writes the same bytes."""
    import hashlib

    return uuid.UUID(bytes=hashlib.sha256(axes.encode() + data.tobytes()).digest()[:16], version=5)


def with_data(image: Image, data: np.ndarray[Any, Any]) -> Image:
    """The same place and pixel size, other values: (T, Y, X) becomes one channel."""
    return replace(image, data=data[:, None, None], channels=(), rgb=False)
