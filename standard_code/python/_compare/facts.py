"""What images tell besides their pixels: how long a pixel is, where the first one lies, how the channels are named."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import _image.units
from _program.files import UserError

if TYPE_CHECKING:
    from _tiff.metadata import About

Length: TypeAlias = tuple[float, str]  # in µm or s; in another unit as it is written; "" for no unit
CLOSE = 1e-4  # of a size: programs round
NEAR = 1e-3  # of a pixel: how far positions may lie apart


@dataclass
class Facts:
    """Of one image; empty where it does not tell it."""

    size: dict[str, Length] = field(default_factory=dict)  # by axis; of T the time between two images
    origin: dict[str, Length] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    more: str = ""  # of its place, what is not understood here


def of_tiff(about: About) -> Facts:
    """What `describe` found, in micrometres and seconds."""
    facts = Facts(channels=about.channels)
    if size := about.pixel_size:
        facts.size = {axis: (v, "µm") for axis, v in (("X", size.x), ("Y", size.y), ("Z", size.z)) if v}
    if about.time_interval:
        facts.size["T"] = about.time_interval, "s"
    return facts


def of_zarr(attributes: Mapping[str, Any], path: Path) -> Facts:
    """Of the first multiscale image at its full resolution: its dataset's transformations, then those of the whole."""
    about = attributes["multiscales"][0]
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in about.get("axes", ())]
    steps = [
        *about["datasets"][0].get("coordinateTransformations", ()),
        *about.get("coordinateTransformations", ()),
    ]
    names = [_axis(str(axis.get("name", ""))) for axis in axes]
    size, origin, facts = [1.0] * len(axes), [0.0] * len(axes), Facts()
    for step in steps:
        kind, values = step.get("type"), step.get(step.get("type"))
        if isinstance(values, list) and len(values) != len(axes):
            raise UserError(f"has {len(axes)} axes, and its {kind} has {len(values)} numbers")
        if kind == "scale" and isinstance(values, list):
            size = [s * float(v) for s, v in zip(size, values, strict=True)]
            origin = [o * float(v) for o, v in zip(origin, values, strict=True)]
        elif kind == "translation" and isinstance(values, list):
            origin = [o + float(v) for o, v in zip(origin, values, strict=True)]
        elif kind != "identity":
            facts.more += json.dumps(step, sort_keys=True)
    if steps:
        for number, (name, axis) in enumerate(zip(names, axes, strict=True)):
            if name != "C" and axis.get("type") != "channel":
                unit = str(axis.get("unit") or "")
                facts.size[name], facts.origin[name] = _length(size[number], unit), _length(origin[number], unit)
    shown = attributes.get("omero") or {}
    channels = tuple(str(one.get("label") or "") for one in shown.get("channels") or ())
    facts.channels = channels if any(channels) else ()
    _complete(facts, path)
    return facts


def _axis(name: str) -> str:
    return name.upper() if len(name) == 1 else name


def _length(value: float, unit: str) -> Length:
    for factor, name in ((_image.units.micrometres(unit), "µm"), (_image.units.seconds(unit), "s")):
        if factor:
            return value * factor, name
    return value, "" if _image.units.is_none(unit) else _image.units.plain(unit)


def _complete(facts: Facts, path: Path) -> None:
    """bioformats2raw keeps sizes in the OME-XML of the whole; the series are numbered folders beside it."""
    xml = path.parent / "OME" / "METADATA.ome.xml"
    if not path.name.isdecimal() or not xml.is_file():
        return
    from _tiff.metadata import of_ome_xml

    images = of_ome_xml(xml.read_text(encoding="utf-8"))
    if int(path.name) < len(images):
        whole = of_tiff(images[int(path.name)])
        facts.size |= {axis: one for axis, one in whole.size.items() if not facts.size.get(axis, (0, ""))[1]}
        facts.channels = facts.channels or whole.channels


def differences(one: Facts, two: Facts) -> tuple[list[str], list[str]]:
    """What they tell otherwise, and (as remarks) what only one of them tells."""
    wrong: list[str] = []
    alone: dict[tuple[str, str], list[str]] = {}
    for axis in sorted(one.size.keys() | two.size.keys()):
        a, b = one.size.get(axis), two.size.get(axis)
        if a is None or b is None:
            alone.setdefault(("pixel size", "A" if b is None else "B"), []).append(axis)
        elif a[1] != b[1] and "" in (a[1], b[1]) and math.isclose(a[0], b[0], rel_tol=CLOSE):
            alone.setdefault(("unit of the pixel size", "A" if a[1] else "B"), []).append(axis)
        elif a[1] != b[1] or not math.isclose(a[0], b[0], rel_tol=CLOSE):
            wrong.append(f"pixel size in {axis} is {_two(a, b)}")
    for axis in sorted(one.origin.keys() | two.origin.keys()):
        a, b = one.origin.get(axis, (0.0, "")), two.origin.get(axis, (0.0, ""))
        pixel = one.size.get(axis, two.size.get(axis, (1.0, "")))[0]
        if not math.isclose(a[0], b[0], rel_tol=1e-9, abs_tol=NEAR * abs(pixel)):
            wrong.append(f"position in {axis} is {_two(a, b)}")
    if one.more != two.more:
        wrong.append("the transformations to its place differ")
    if one.channels and two.channels and one.channels != two.channels:
        wrong.append(f"channels are {_names(one.channels)} against {_names(two.channels)}")
    remarks = [f"{what} in {', '.join(axes)} is told by {side} alone" for (what, side), axes in alone.items()]
    if bool(one.channels) != bool(two.channels):
        remarks.append(f"names of channels are told by {'A' if one.channels else 'B'} alone")
    return wrong, remarks


def _two(a: Length, b: Length) -> str:
    if a[1] == b[1]:
        return f"{a[0]:.6g} against {b[0]:.6g} {a[1]}".rstrip()
    return " against ".join(f"{value:.6g} {unit or 'without a unit'}" for value, unit in (a, b))


def _names(channels: Iterable[str]) -> str:
    return ", ".join(name or "(no name)" for name in channels)
