"""OME-TIFF images that lie in several files, or whose description is in a companion file beside them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from _program.files import UserError
from _tiff.whole import COMPANION

if TYPE_CHECKING:
    import tifffile


@dataclass(frozen=True)
class _Set:
    """What belongs together: the description of those images alone, and all files that it names, the companion last."""

    xml: str
    files: tuple[Path, ...]


def open_file(path: Path, closing: ExitStack) -> tifffile.TiffFile:
    """A TIFF file, or the set that a companion file describes, with the images that it has a part of."""
    import tifffile

    if path.name.lower().endswith(COMPANION):
        whole = _companion(path)
        first = next((file for file in whole.files[:-1] if file.is_file()), None)
        if not first:
            raise UserError("it describes images of TIFF files, and none of them is there.")
        return closing.enter_context(tifffile.TiffFile(first, omexml=whole.xml))
    tif = closing.enter_context(tifffile.TiffFile(path))
    found = _of(tif, path)
    return closing.enter_context(tifffile.TiffFile(path, omexml=found.xml)) if found else tif


def represented_by(path: Path, patterns: Sequence[str]) -> Path | None:
    """The file among those of `patterns` whose result has all of this one's planes too; None where it is this one."""
    from _program.patterns import matches

    for file in _files(path):
        if file == path:
            return None
        if file.is_file() and any(matches(one, file) for one in patterns) and path in _files(file):
            return file
    return None


@lru_cache(64)
def _files(path: Path) -> tuple[Path, ...]:
    """All of the set; none where it is no set, or cannot be read, which its own reading tells."""
    import tifffile

    if not path.name.lower().endswith((".tif", ".tiff", COMPANION)):
        return ()
    try:
        if path.name.lower().endswith(COMPANION):
            return _companion(path).files
        with tifffile.TiffFile(path) as tif:
            found = _of(tif, path, tell=False)
    except Exception:  # whatever tifffile makes of a damaged file
        return ()
    return found.files if found else ()


def _companion(path: Path) -> _Set:
    root = _parsed(path)
    files = [file for image in root.findall("{*}Image") for file in _named(image, path, {})]
    return _Set(ElementTree.tostring(root, "unicode"), (*dict.fromkeys(files), path))


def _parsed(companion: Path) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(companion.read_bytes())
    except ElementTree.ParseError as error:
        raise UserError(f"{companion.name} cannot be read as OME's XML; it may be damaged ({error}).") from error


def _of(tif: tifffile.TiffFile, path: Path, *, tell: bool = True) -> _Set | None:
    """The set that a TIFF file belongs to; None where it stands alone. UserError where it names files elsewhere."""
    text = (tif.ome_metadata if tif.is_ome else None) or ""
    if "UUID>" not in text and "BinaryOnly" not in text:
        return None
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None  # told where its metadata are read
    own = root.get("UUID", "")
    last: tuple[Path, ...] = ()
    if (elsewhere := root.find("{*}BinaryOnly")) is not None:
        companion = _beside(path, elsewhere.get("MetadataFile", ""))
        if not companion.is_file():
            if tell:
                logging.warning("what its planes mean is told in %s, which is not there.", companion.name)
            return None
        root, last = _parsed(companion), (companion,)
    images = {image: _named(image, path, {own: path}) for image in root.findall("{*}Image")}
    files = _together(list(images.values()), path)
    if not files:
        if tell:
            logging.warning("the description of its image names other files and not this one.")
        return None
    for image in [image for image, named in images.items() if not files & set(named)]:
        root.remove(image)
    if own:
        root.set("UUID", own)  # a companion's is another one
    ordered = dict.fromkeys(file for named in images.values() for file in named if file in files)
    return _Set(ElementTree.tostring(root, "unicode"), (*ordered, *last))


def _named(image: ElementTree.Element, path: Path, own: dict[str, Path]) -> list[Path]:
    """The files of one image. Names in the description become those that this system knows."""
    files: list[Path] = []
    for data in image.iterfind("{*}Pixels/{*}TiffData"):
        uuid = data.find("{*}UUID")
        if uuid is None:
            files += own.values()
            continue
        name = uuid.get("FileName", "")
        file = own.get(uuid.text or "") or (_beside(path, name) if name or not own else path)  # no name: this file
        uuid.set("FileName", file.relative_to(path.parent).as_posix())
        files.append(file)
    return files


def _together(images: list[list[Path]], path: Path) -> set[Path]:
    """The files of all images that share a file with `path`, or with one that does."""
    found = {path} if any(path in files for files in images) else set()
    while more := {file for files in images if found & set(files) for file in files} - found:
        found |= more
    return found


def _beside(path: Path, name: str) -> Path:
    """The file of that name in the folder of `path` or below it. A name made on Windows counts everywhere."""
    parts = PureWindowsPath(name)
    if parts.anchor or ".." in parts.parts or not parts.parts:
        raise UserError(f"it names {name!r} as a part of it, which is not in its folder, so it is not read.")
    file = path.parent.joinpath(*parts.parts)
    if file.exists() and not file.is_file():
        raise UserError(f"it names {name!r} as a part of it, which is no file.")
    return file
