"""What TIFF files say about their images: OME's XML, ImageJ's own text, tifffile's JSON, and TIFF's resolution."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import _image.units
import _tiff.makers
from _image.images import PixelSize

if TYPE_CHECKING:
    import tifffile

RESOLUTION_UNITS = {2: "inch", 3: "cm"}
NOMINAL = (1, 72, 96)  # pixels per inch that programs write which know nothing
PRINTING = (100, 120, 144, 150, 180, 200, 240, 300, 350, 360, 400, 600, 720, 1200)  # those that people print with


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
        told = _told(tif)
        of_maker = _size(*_tiff.makers.sizes(tif))
    except (ElementTree.ParseError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        logging.warning("its metadata cannot be understood, so its pixel size is not known (%s)", error)
        return []
    if tif.is_ome and len(told) > len(tif.series):  # those without a plane that is there are no series
        there = {series.name for series in tif.series}
        told = [about for about in told if about.name in there]
        if len(told) != len(tif.series):
            logging.warning("its description fits its images in more than one way, so it is left out.")
            told = []
    told += [About()] * (len(tif.series) - len(told))
    return [
        about if about.pixel_size else replace(about, pixel_size=_otherwise(tif, series, of_maker))
        for about, series in zip(told, tif.series, strict=False)
    ]


def _otherwise(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, of_maker: PixelSize | None) -> PixelSize | None:
    """Where an image's description tells no pixel size. The maker tells that of the first image, not of a thumbnail."""
    large = series.keyframe.shape == tif.pages.first.shape
    return of_maker if of_maker and large else _by_resolution(series.keyframe.tags)


def _told(tif: tifffile.TiffFile) -> list[About]:
    if tif.is_ome and tif.ome_metadata:
        return of_ome_xml(tif.ome_metadata)
    if tif.is_imagej:
        return [_imagej(tif.imagej_metadata or {}, tif.pages.first.tags)]
    if tif.is_shaped:
        about = tif.shaped_metadata or ()
        return [_imagej(one, series.keyframe.tags) for one, series in zip(about, tif.series, strict=False)]
    return []


def of_ome_xml(text: str) -> list[About]:
    """For each image that the XML describes, in its order."""
    return [
        _ome_image(image.get("Name", ""), pixels)
        for image in ElementTree.fromstring(text).findall("{*}Image")
        if (pixels := image.find("{*}Pixels")) is not None
    ]


def _ome_image(name: str, pixels: ElementTree.Element) -> About:
    channels = tuple(channel.get("Name", "") for channel in pixels.findall("{*}Channel"))
    interval = _interval(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s"))
    return About(name, _ome_size(pixels.attrib), channels if any(channels) else (), interval)


def _ome_size(told: Mapping[str, Any]) -> PixelSize | None:
    return _size(*((told.get(f"PhysicalSize{axis}"), told.get(f"PhysicalSize{axis}Unit", "µm")) for axis in "XYZ"))


def _imagej(told: Mapping[str, Any], tags: tifffile.TiffTags) -> About:
    """ImageJ keeps pixels per unit as TIFF resolution, and the units in its own text: one, or others for Y and Z."""
    unit = str(told.get("unit", ""))
    x, y = (_one_by(tags, f"{axis}Resolution") for axis in "XY")
    spacing = told.get("spacing")
    z = abs(spacing) if isinstance(spacing, int | float) else spacing
    size = _size((x, unit), (y, str(told.get("yunit", unit))), (z, str(told.get("zunit", unit))))
    interval = _interval(told.get("finterval"), str(told.get("tunit", "s")))
    return About("", size or _ome_size(told), (), interval)


def _by_resolution(tags: tifffile.TiffTags) -> PixelSize | None:
    """Where nothing else is told. Values of printing are no sizes of what was seen; of a scanner they may be."""
    unit = RESOLUTION_UNITS.get(int(tags.valueof("ResolutionUnit", 1)), "")
    x, y = (_one_by(tags, f"{axis}Resolution") for axis in "XY")
    if not unit or not x:
        return None
    per_inch = 25400 / (x * (_image.units.micrometres(unit) or 1))
    if round(1 / x) == 1 or any(abs(per_inch - nominal) < 0.6 for nominal in NOMINAL):
        logging.info("its resolution of %.4g pixels per %s is one for printing; it tells no pixel size", 1 / x, unit)
        return None
    if any(abs(per_inch - usual) < 0.6 for usual in PRINTING):
        logging.warning(
            "its resolution of %.4g pixels per %s is one for printing, so its pixel size counts as not known; if a "
            "scanner meant it, give convert_to_tif.py --pixel-size %.4f",
            *(1 / x, unit, 25400 / per_inch),
        )
        return None
    return _size((x, unit), (y, unit), (None, ""))


def _one_by(tags: tifffile.TiffTags, name: str) -> float | None:
    pixels, units = tags.valueof(name, (0, 0))
    return units / pixels if pixels else None


def _size(*told: tuple[Any, str]) -> PixelSize | None:
    """Of numbers with their units, for X, Y and Z. A side that is not told is as long as the other one."""
    for unit in dict.fromkeys(unit for number, unit in told if number is not None):
        _warn_of(unit, _image.units.micrometres)
    across, down, deep = (_number(number, unit, _image.units.micrometres) for number, unit in told)
    (x, _), (y, _), _ = told
    across, down = down if x is None else across, across if y is None else down
    return PixelSize(across, down, deep) if across and down else None


def _interval(number: object, unit: str) -> float | None:
    if number is not None:
        _warn_of(unit, _image.units.seconds)
    return _number(number, unit, _image.units.seconds)


def _warn_of(unit: str, factor_of: Callable[[str], float | None]) -> None:
    if factor_of(unit) is None and not _image.units.is_none(unit):
        what = "size" if factor_of is _image.units.micrometres else "time"
        logging.warning("it tells a %s in %r, a unit that is not known here, so it is left out.", what, unit)


def _number(number: object, unit: str, factor_of: Callable[[str], float | None]) -> float | None:
    """`number` of `unit` in what `factor_of` counts in; None where it is none, or nothing above 0."""
    factor = factor_of(unit)
    value = float(str(number)) if number is not None else 0.0
    return value * factor if factor and value > 0 and math.isfinite(value) else None
