"""Writes small ND2 files of Nikon's NIS-Elements (version 3: chunks, and a map of them at the end)."""

from __future__ import annotations

import struct
from itertools import product
from pathlib import Path
from typing import Any

MAGIC = 0x0ABECEDA
BOOL, UNSIGNED, DOUBLE, TEXT, LEVEL = 1, 3, 6, 8, 11  # kinds of values in the metadata
NAME_ROOM = 4072  # bytes that the name of a frame's chunk takes


def value_at(time: int, position: int, z: int, y: int, x: int, channel: int) -> int:
    """What each pixel of a written file holds: no two planes are alike."""
    return 10_000 * channel + 2_000 * position + 500 * time + 100 * z + 10 * y + x


def write_nd2(
    path: Path,
    *,
    times: int = 1,
    positions: tuple[str, ...] = (),
    planes: int = 1,
    channels: tuple[str, ...] = ("DAPI",),
    height: int = 6,
    width: int = 9,
    pixel_um: float = 0.25,
    step_um: float = 1.5,
    period_ms: float = 2000.0,
) -> Path:
    """A file whose pixels are `value_at`, 16 bits each; loops are nested as time, position, Z."""
    loops = []
    if times > 1:
        pars = {"uiCount": times, "dStart": 0.0, "dPeriod": period_ms, "dDuration": period_ms * times}
        loops.append((1, pars))
    if positions:
        points = {
            f"i{n:010}": {"dPosX": 100.0 * n, "dPosY": 0.0, "dPosZ": 0.0, "dPosName": name}
            for n, name in enumerate(positions)
        }
        loops.append((2, {"uiCount": len(positions), "Points": points}))
    if planes > 1:
        loops.append((4, {"uiCount": planes, "dZLow": 0.0, "dZHigh": step_um * (planes - 1), "dZStep": step_um}))
    frames = list(product(range(times), range(max(len(positions), 1)), range(planes)))
    with path.open("wb") as file:
        file.write(
            struct.pack("<IIQ", MAGIC, 32, 64) + b"ND2 FILE SIGNATURE CHUNK NAME01!" + b"Ver3.0".ljust(64, b"\0")
        )
        places: dict[bytes, tuple[int, int]] = {}

        def chunk(name: bytes, data: bytes, room: int = 0) -> None:
            places[name] = (file.tell(), len(data))
            written = name.ljust(room, b"\0")
            file.write(struct.pack("<IIQ", MAGIC, len(written), len(data)) + written + data)

        shape = {
            "uiWidth": width, "uiWidthBytes": width * 2 * len(channels), "uiHeight": height, "uiComp": len(channels),
            "uiBpcInMemory": 16, "uiBpcSignificant": 16, "uiSequenceCount": len(frames), "eCompression": 2,
        }  # fmt: skip
        chunk(b"ImageAttributesLV!", _encoded({"SLxImageAttributes": shape}))
        chunk(b"ImageMetadataSeqLV|0!", _encoded({"SLxPictureMetadata": _picture(channels, pixel_um)}))
        if loops:
            chunk(b"ImageMetadataLV!", _encoded({"SLxExperiment": _nested(loops)}))
        for number, (time, position, z) in enumerate(frames):
            values = [
                value_at(time, position, z, y, x, c)
                for y, x, c in product(range(height), range(width), range(len(channels)))
            ]
            pixels = struct.pack(f"<d{len(values)}H", 0.0, *values)
            chunk(b"ImageDataSeq|%d!" % number, pixels, NAME_ROOM)
        moments = [time * period_ms for time, _, _ in frames]
        chunk(b"CustomData|AcqTimesCache!", struct.pack(f"<{len(moments)}d", *moments))
        start = file.tell()
        table = b"".join(name + struct.pack("<QQ", *place) for name, place in places.items())
        chunk(b"ND2 FILEMAP SIGNATURE NAME 0001!", table + b"ND2 CHUNK MAP SIGNATURE 0000001!")
        file.write(b"ND2 CHUNK MAP SIGNATURE 0000001!" + struct.pack("<Q", start))
    return path


def _picture(channels: tuple[str, ...], pixel_um: float) -> dict[str, Any]:
    """Readers need a probe for each channel."""
    planes = {}
    for number, name in enumerate(channels):
        spectrum = {"uiCount": 1, "pPoint": {"Point0": {"dWavelength": 450.0 + 60 * number, "dTValue": 1.0}}}
        probe = {"m_EmissionSpectrum": spectrum, "m_ExcitationSpectrum": spectrum}
        planes[f"a{number}"] = {
            "uiCompCount": 1, "uiSampleIndex": number, "sDescription": name, "uiColor": 0xFF << (8 * (number % 3)),
            "pFluorescentProbe": probe,
        }  # fmt: skip
    return {
        "bCalibrated": True, "dCalibration": pixel_um, "dObjectiveMag": 60.0, "dObjectiveNA": 1.4,
        "wsObjectiveName": "Plan Apo λ 60x Oil",
        "sPicturePlanes": {"uiCount": len(channels), "sPlaneNew": planes},
    }  # fmt: skip


def _nested(loops: list[tuple[int, dict[str, Any]]]) -> dict[str, Any]:
    (kind, pars), *inner = loops
    below = {"ppNextLevelEx": {"i0000000000": _nested(inner)}} if inner else {}
    return {"eType": kind, "uLoopPars": pars, **below}


def _encoded(content: dict[str, Any]) -> bytes:
    """Nikon's binary form of nested values, each with its kind and its name in UTF-16."""
    out = b""
    for name, value in content.items():
        title = bytes([len(name) + 1]) + (name + "\0").encode("utf-16-le")
        if isinstance(value, dict):
            inner = _encoded(value)
            size = 1 + len(title) + 12 + len(inner)
            out += bytes([LEVEL]) + title + struct.pack("<IQ", len(value), size) + inner + bytes(8 * len(value))
        elif isinstance(value, bool):
            out += bytes([BOOL]) + title + bytes([value])
        elif isinstance(value, int):
            out += bytes([UNSIGNED]) + title + struct.pack("<I", value)
        elif isinstance(value, float):
            out += bytes([DOUBLE]) + title + struct.pack("<d", value)
        else:
            out += bytes([TEXT]) + title + (value + "\0").encode("utf-16-le")
    return out
