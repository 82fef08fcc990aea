"""Pixel sizes that makers of microscopes write into blocks of their own, as tifffile reads these."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import tifffile

Told: TypeAlias = tuple[Any, str]  # a number, None where there is none, and its unit
Sizes: TypeAlias = tuple[Told, Told, Told]  # X, Y, Z
NOTHING: Told = (None, "")


def sizes(tif: tifffile.TiffFile) -> Sizes:
    """What the file's maker tells of its images."""
    for kind, read in _READERS.items():
        try:
            found = getattr(tif, f"{kind}_metadata") if getattr(tif, f"is_{kind}") else None
            if found:
                return read(found)
        except Exception as error:  # whatever a block that is not as expected makes of it
            logging.warning("what the program that made it (%s) says cannot be understood (%s)", kind.upper(), error)
    return NOTHING, NOTHING, NOTHING


def _zeiss_lsm(told: dict[str, Any]) -> Sizes:
    x, y, z = ((told.get(f"VoxelSize{axis}"), "m") for axis in "XYZ")
    return x, y, z


def _metamorph_stack(told: dict[str, Any]) -> Sizes:
    unit = str(told.get("CalibrationUnits") or "") if told.get("SpatialCalibration") else "pixel"
    steps = [abs(float(step)) for step in itertools.islice(told.get("ZDistance", ()), 2)]  # of the first plane, often 0
    return (told.get("XCalibration"), unit), (told.get("YCalibration"), unit), (max(steps, default=None), unit)


def _metamorph(told: dict[str, Any]) -> Sizes:
    plane = told.get("PlaneInfo", told)
    unit = str(plane.get("spatial-calibration-units") or "") if plane.get("spatial-calibration-state") else "pixel"
    x, y = ((plane.get(f"spatial-calibration-{axis}"), unit) for axis in "xy")
    return x, y, NOTHING


def _fei(told: dict[str, Any]) -> Sizes:
    scan = told.get("Scan") or told.get("EScan") or told.get("IScan") or {}
    return (scan.get("PixelWidth"), "m"), (scan.get("PixelHeight"), "m"), NOTHING


def _zeiss_sem(told: dict[str, Any]) -> Sizes:
    found: tuple[Any, ...] = told.get("ap_image_pixel_size") or told.get("ap_pixel_size") or ()
    both: Told = (found[1], str(found[2])) if len(found) == 3 else NOTHING
    return both, both, NOTHING


def _olympus(told: dict[str, Any]) -> Sizes:
    return (told.get("pixelsizex"), "m"), (told.get("pixelsizey"), "m"), NOTHING


def _olympus_fluoview(told: dict[str, Any]) -> Sizes:
    by_axis = {name: (step, str(unit)) for name, _, _, step, unit in told.get("Dimensions", ())}
    x, y, z = (by_axis.get(axis, NOTHING) for axis in "XYZ")
    return x, y, z


def _micromanager(told: dict[str, Any]) -> Sizes:
    summary = told.get("Summary") or {}
    size, step = summary.get("PixelSize_um"), summary.get("z-step_um")
    return (size, "um"), (size, "um"), (abs(step) if isinstance(step, int | float) else None, "um")


_READERS: dict[str, Callable[[dict[str, Any]], Sizes]] = {
    "lsm": _zeiss_lsm,
    "stk": _metamorph_stack,
    "metaseries": _metamorph,
    "fei": _fei,
    "sem": _zeiss_sem,
    "sis": _olympus,
    "fluoview": _olympus_fluoview,
    "micromanager": _micromanager,
}
