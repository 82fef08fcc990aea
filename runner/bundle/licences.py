"""The licences of what is in a bundle: each package's own texts, and one table of all."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from pathlib import Path

from runner.bundle.form import LICENCES
from runner.errors import EnvironmentMissing

TABLE = f"{LICENCES}/LICENCES.txt"
_LONGEST = 60  # of what some put into `License`: the whole text
# as PEP 639 has it, and as wheels had it before
_TEXT = re.compile(r"(licen[cs]e|copying|notice|authors)[^/]*\Z", re.IGNORECASE)
_MOST = 8 << 20  # bytes of a text


@dataclass
class Licence:
    """Of one package, by its own words."""

    package: str
    version: str
    licence: str
    texts: dict[str, bytes] = field(default_factory=dict)  # name -> text


def of_wheel(wheel: Path) -> Licence:
    """Raises EnvironmentMissing for a wheel that is none."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            (folder,) = {name.split("/")[0] for name in archive.namelist() if _is_info(name)}
            headers = BytesHeaderParser().parsebytes(archive.read(f"{folder}/METADATA"))
            named = {f"{folder}/{name}" for name in headers.get_all("License-File", [])}
            named |= {f"{folder}/licenses/{name}" for name in headers.get_all("License-File", [])}
            texts = {}
            for info in archive.infolist():
                name = info.filename
                if not name.startswith(f"{folder}/") or info.is_dir() or info.file_size > _MOST:
                    continue
                inside = name[len(folder) + 1 :]
                if name in named or inside.startswith("licenses/") or _TEXT.match(inside):
                    texts[inside.removeprefix("licenses/")] = archive.read(info)
    except (zipfile.BadZipFile, ValueError, KeyError, OSError) as error:
        raise EnvironmentMissing(f"{wheel.name} is no sound wheel: {error}", "Ask who keeps that index.") from error
    return Licence(str(headers["Name"]), str(headers["Version"]), _licence(headers), texts)


def _is_info(name: str) -> bool:
    return name.split("/")[0].endswith(".dist-info") and name.endswith("/METADATA") and name.count("/") == 1


def _licence(headers: object) -> str:
    """The expression of PEP 639, else what stands in `License`, else the classifiers."""
    get = headers.get_all  # type: ignore[attr-defined]
    for name in ("License-Expression", "License"):
        for text in get(name, []):
            line = " ".join(str(text).split())
            if line and line.upper() != "UNKNOWN":
                return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
    told = [str(one).rpartition("::")[2].strip() for one in get("Classifier", []) if str(one).startswith("License ::")]
    return ", ".join(told) or "not said"


def files(licences: Iterable[Licence]) -> Iterator[tuple[str, bytes]]:
    """Name in the bundle, and the bytes: the table and each text. What is there twice is there once."""
    rows: dict[tuple[str, str, str], None] = {}
    taken: set[str] = set()
    for one in sorted(licences, key=lambda one: (one.package.lower(), one.version)):
        row = (one.package, one.version, one.licence)
        if row in rows:
            continue
        rows[row] = None
        for inside, text in sorted(one.texts.items()):
            name = f"{LICENCES}/{_plain(f'{one.package}-{one.version}')}/{'/'.join(map(_plain, inside.split('/')))}"
            while name.casefold() in taken:
                name += "_"
            taken.add(name.casefold())
            yield name, text
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    lines = [f"{name:{widths[0]}}  {version:{widths[1]}}  {licence}" for name, version, licence in rows]
    yield TABLE, ("\n".join(lines) + "\n").encode()


def _plain(name: str) -> str:
    """As Windows can have it."""
    plain = re.sub(r'[<>:"|?*\\\x00-\x1f]', "_", name).rstrip(". ") or "_"
    return (
        f"_{plain}" if plain in (".", "..") or re.match(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|\Z)", plain) else plain
    )
