"""What TIFF files say about their images: OME's XML, and ImageJ's own text."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from _images import PixelSize

if TYPE_CHECKING:
    import tifffile

# How many micrometres one unit is. OME writes "µm", ImageJ "micron" or an escaped "\u00B5m".
UNITS = {
    "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "\\u00b5m": 1.0,
    "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6, "inch": 25400.0,
}  # fmt: skip
SECONDS = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "µs": 1e-6, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class About:
    """Of one image; empty where the file does not say it."""

    name: str = ""
    pixel_size: PixelSize | None = None
    channels: tuple[str, ...] = ()
    time_interval: float | None = None  # seconds


def describe(tif: tifffile.TiffFile) -> list[About]:
    """For each image of the file, in its order."""
    try:
        if tif.is_ome and tif.ome_metadata:
            return _ome(tif.ome_metadata)
        if tif.is_imagej:
            return [_imagej(tif)]
    except (ElementTree.ParseError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        logging.warning("its metadata cannot be understood, so its pixel size is not known (%s)", error)
    return []


def _ome(text: str) -> list[About]:
    return [
        _ome_image(image.get("Name", ""), pixels)
        for image in ElementTree.fromstring(text).findall("{*}Image")
        if (pixels := image.find("{*}Pixels")) is not None
    ]


def _ome_image(name: str, pixels: ElementTree.Element) -> About:
    channels = tuple(channel.get("Name", "") for channel in pixels.findall("{*}Channel"))
    x, y, z = (
        _number(pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm"), UNITS) for axis in "XYZ"
    )
    interval = _number(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s"), SECONDS)
    return About(name, PixelSize(x, y or x, z) if x else None, channels if all(channels) else (), interval)


def _imagej(tif: tifffile.TiffFile) -> About:
    """ImageJ keeps pixels per unit as TIFF resolution, and the unit in its own text."""
    described = tif.imagej_metadata or {}
    unit = str(described.get("unit", ""))
    tags = tif.pages.first.tags
    x, y = (_per_unit(tags[name].value, unit) if name in tags else None for name in ("XResolution", "YResolution"))
    size = PixelSize(x, y or x, _number(described.get("spacing"), unit, UNITS)) if x else None
    return About("", size, (), _number(described.get("finterval"), str(described.get("tunit", "s")), SECONDS))


def _per_unit(resolution: tuple[int, int], unit: str) -> float | None:
    pixels, units = resolution
    return _number(units / pixels, unit, UNITS) if pixels else None


def _number(number: object, unit: str, units: dict[str, float]) -> float | None:
    """`number` of `unit` in the first of `units`; None where that is no length or no time."""
    factor = units.get(unit.strip().lower())
    value = float(str(number)) if number is not None else 0.0
    return value * factor if factor and value > 0 else None
