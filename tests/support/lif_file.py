"""Writes small LIF files of Leica's LAS (version 2: a header of XML, then one block of memory for each image)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from xml.sax.saxutils import quoteattr

BEGIN, TEXT = 0x70, 0x2A


@dataclass(frozen=True)
class LifImage:
    """One image of a file; `channels` are names of lookup tables."""

    name: str
    times: int = 1
    planes: int = 1
    channels: tuple[str, ...] = ("Green",)
    height: int = 5
    width: int = 8
    pixel_um: float = 0.5
    step_um: float = 2.0


def value_at(time: int, channel: int, z: int, y: int, x: int) -> int:
    """What each pixel of a written file holds: no two planes are alike."""
    return 10_000 * channel + 500 * time + 100 * z + 10 * y + x


def write_lif(path: Path, *images: LifImage) -> Path:
    """A file whose pixels are `value_at`, 16 bits each."""
    elements = "".join(_element(image, number) for number, image in enumerate(images))
    header = (
        '<LMSDataContainerHeader Version="2"><Element Name="project"><Children>'
        f"{elements}</Children></Element></LMSDataContainerHeader>"
    )
    with path.open("wb") as file:
        file.write(struct.pack("<IIBI", BEGIN, 2 * len(header) + 5, TEXT, len(header)) + header.encode("utf-16-le"))
        for number, image in enumerate(images):
            name, pixels = _block(number), _pixels(image)
            file.write(struct.pack("<IIBQBI", BEGIN, 14 + 2 * len(name), TEXT, len(pixels), TEXT, len(name)))
            file.write(name.encode("utf-16-le") + pixels)
    return path


def _block(number: int) -> str:
    return f"MemBlock_{number}"


def _pixels(image: LifImage) -> bytes:
    places = product(
        range(image.times), range(image.planes), range(len(image.channels)), range(image.height), range(image.width)
    )
    values = [value_at(time, channel, z, y, x) for time, z, channel, y, x in places]
    return struct.pack(f"<{len(values)}H", *values)


def _element(image: LifImage, number: int) -> str:
    row = 2 * image.width
    plane = row * image.height
    stack = plane * len(image.channels)
    channels = "".join(
        '<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" NameOfMeasuredQuantity="" Min="0" Max="65535" '
        f'Unit="" LUTName={quoteattr(name)} IsLUTInverted="0" BytesInc="{plane * place}" BitInc="0"/>'
        for place, name in enumerate(image.channels)
    )
    sizes = [
        (1, image.width, (image.width - 1) * image.pixel_um * 1e-6, "m", 2),
        (2, image.height, (image.height - 1) * image.pixel_um * 1e-6, "m", row),
        (3, image.planes, (image.planes - 1) * image.step_um * 1e-6, "m", stack),
        (4, image.times, float(image.times - 1), "s", stack * image.planes),
    ]
    dimensions = "".join(
        f'<DimensionDescription DimID="{kind}" NumberOfElements="{count}" Origin="0" Length="{length:.9e}" '
        f'Unit="{unit}" BitInc="0" BytesInc="{step}"/>'
        for kind, count, length, unit, step in sizes
        if count > 1
    )
    return (
        f"<Element Name={quoteattr(image.name)}><Data><Image><ImageDescription><Channels>{channels}</Channels>"
        f"<Dimensions>{dimensions}</Dimensions></ImageDescription></Image></Data>"
        f'<Memory Size="{stack * image.planes * image.times}" MemoryBlockID="{_block(number)}"/></Element>'
    )
