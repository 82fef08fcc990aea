"""Finds TIFF files that were cut short, for example in copying. tifffile goes on with what is left of them, and where
their pages or their description are gone, a stack would be taken for its first plane."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from _program.files import UserError

if TYPE_CHECKING:
    import tifffile

COMPANION = ".companion.ome"  # describes images of TIFF files beside it
DESCRIPTION = 270  # the tag that holds OME's XML or ImageJ's text
MOST_TAGS = 4096  # of a page; more is no page
MOST_PLANES = 5_000_000  # of an image


def check_kind(path: Path) -> None:
    """Raises UserError for an empty file, and for one that is not even meant to be a TIFF file."""
    with path.open("rb") as file:
        beginning = file.read(2)
    if not beginning:
        raise UserError("the file is empty.")
    if path.name.lower().endswith(COMPANION):
        return
    if beginning not in (b"II", b"MM") and path.suffix.lower() not in (".tif", ".tiff"):
        raise UserError("it is no TIFF file, which is needed here. Make one of it with convert_to_tif.py.")


def check(tif: tifffile.TiffFile) -> None:
    """Raises UserError where parts that the file tells of lie beyond its end."""
    if not len(tif.pages):
        raise UserError("it holds no image; it may be damaged.")
    if (planes := planes_told(tif)) > MOST_PLANES:
        raise UserError(f"it tells of {planes:,} planes, and the most is {MOST_PLANES:,}; it may be damaged.")
    codes, _ = _page(tif, tif.pages.first.offset)
    _, following = _page(tif, tif.pages[len(tif.pages) - 1].offset)
    if following:  # of a whole file, this is 0; of some old ones, a page that came before
        _page(tif, following)
    found = tif.pages.first.tags.get(DESCRIPTION)
    if DESCRIPTION in codes and (not found or found.valueoffset + found.valuebytecount > tif.filehandle.size):
        raise _cut_short()
    _check_imagej(tif)


def planes_told(tif: tifffile.TiffFile) -> int:
    """How many planes OME's XML tells of, in the image that has most. Each costs time and memory, there or not."""
    try:
        images = ElementTree.fromstring(tif.ome_metadata or "<OME/>").findall("{*}Image/{*}Pixels")
        return max(map(_planes_of, images), default=0)
    except (ElementTree.ParseError, ValueError):  # to tifffile it is no OME-TIFF either, or damaged
        return 0


def _planes_of(pixels: ElementTree.Element) -> int:
    parts = pixels.iterfind("{*}TiffData")
    counts = [int(part.get(name, 0)) for part in parts for name in ("PlaneCount", "NumPlanes", "IFD")]
    return max(math.prod(int(pixels.get(f"Size{axis}", 1)) for axis in "ZCT"), *counts, 0)


def _page(tif: tifffile.TiffFile, offset: int) -> tuple[list[int], int]:
    """The codes of a page's tags, and where the next page is. Raises UserError where the page is not all there."""
    kind, file = tif.tiff, tif.filehandle
    try:
        file.seek(offset)
        (count,) = struct.unpack(kind.tagnoformat, file.read(kind.tagnosize))
        if count > MOST_TAGS:
            raise _cut_short()
        tags = file.read(count * kind.tagsize)
        (following,) = struct.unpack(kind.offsetformat, file.read(kind.offsetsize))
    except (struct.error, OSError) as error:
        raise _cut_short() from error
    code = struct.Struct(kind.byteorder + "H")
    return [code.unpack_from(tags, number * kind.tagsize)[0] for number in range(count)], following


def _check_imagej(tif: tifffile.TiffFile) -> None:
    """ImageJ's stacks may have one page, with the values of all others behind its own."""
    if not tif.is_imagej or len(tif.pages) > 1:
        return
    images = (tif.imagej_metadata or {}).get("images", 1)
    first = tif.pages.first
    if not isinstance(images, int) or images < 2 or not first.is_contiguous:
        return
    if first.dataoffsets[0] + images * first.nbytes > tif.filehandle.size:
        raise _cut_short()


def _cut_short() -> UserError:
    return UserError("it cannot be read as a TIFF image: its end is missing. Was it copied completely?")
