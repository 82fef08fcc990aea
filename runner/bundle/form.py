"""What a bundle is: a ZIP file whose first entry, manifest.json, names each other one with size and sha256.

Python 3.8 and its standard library: this file travels in the bundle, and unpacks it where nothing of ours is yet.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, NamedTuple

FORMAT = 1
MANIFEST = "manifest.json"
# the folders of a bundle
REPO = "repo"  # what is below becomes the folder that is unbundled to: the repository, its pipelines and the runner
WHEELS = "wheels"  # of all environments, each once
ENVIRONMENTS = "environments"  # NAME/pylock.toml, with `path` entries to the wheels
PYTHONS = "pythons"  # interpreters: a tar file each, with one folder that holds bin/python3.11 or python.exe
CONDA = "conda"  # packed environments of conda, an archive each
LICENCES = "licences"  # PACKAGE-VERSION/...
KEPT = ".bundle"  # in the folder that is unbundled to: all that is not below REPO
RUNNER = f"{ENVIRONMENTS}/runner/pylock.toml"  # what the runner's own environment holds; uv is among it
# by which `python lab.bundle` unpacks itself: files of ours, beside START as __main__.py and an empty
# runner/__init__.py. The manifest names these too
PROGRAM = tuple(f"runner/bundle/{name}.py" for name in ("__init__", "form", "opened", "place", "fits", "own", "unpack"))
START = """\
import sys
if sys.version_info < (3, 8):
    sys.exit("error: a bundle is unpacked by Python 3.8 or newer; this is " + sys.version.split()[0])
from runner.bundle.unpack import start
sys.exit(start(sys.argv[1:]))
"""
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
# what Windows cannot have in a name; a bundle may be unpacked there
_BAD = re.compile(r'[<>:"|?*\\\x00-\x1f]|[. ]\Z')
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?\Z")


class Unusable(Exception):
    """A bundle that is damaged, cut, or asks for what no bundle of ours asks; its text is for the user."""


class Packed(NamedTuple):
    """A file of the bundle."""

    size: int  # bytes
    sha256: str
    executable: bool = False


class Environment(NamedTuple):
    """One that is made there."""

    name: str  # of its folder below ENVIRONMENTS
    text: str  # as the segment writes it: uv:segment_er
    python: str  # the version that its packages are for: 3.11
    pipeline: str  # one of Manifest.pipelines that has it, and there
    segment: int  # the number of a segment


class Python(NamedTuple):
    """An interpreter; `file` is "" where it could not be had: then the machine must have it."""

    version: str  # 3.11 or 3.11.9
    file: str


class Manifest(NamedTuple):
    name: str  # of the bundle, as it was written
    made: str  # ISO 8601
    runner: str  # its version
    platform: str  # windows, linux or macos
    machine: str  # x86_64 or arm64, aarch64
    python: str  # what the runner's own environment is for: 3.11
    pipelines: tuple[str, ...]  # below the folder that is unbundled to
    files: Mapping[str, Packed]  # by their names in the bundle
    environments: tuple[Environment, ...]
    pythons: tuple[Python, ...]
    missing: tuple[str, ...]  # in words: what a segment needs and the bundle has not
    base: str = ""  # of a delta: the name of the bundle that has the rest
    base_files: Mapping[str, Packed] = {}  # those that are taken from it, unchanged


def to_bytes(manifest: Manifest) -> bytes:
    told: dict[str, Any] = {"format": FORMAT, **manifest._asdict()}
    for name in ("files", "base_files"):
        told[name] = {path: packed._asdict() for path, packed in sorted(told[name].items())}
    for name in ("environments", "pythons"):
        told[name] = [one._asdict() for one in told[name]]
    return json.dumps(told, indent=1, ensure_ascii=False).encode()


def read_manifest(data: bytes) -> Manifest:
    """Raises Unusable."""
    try:
        told = json.loads(data)
        if not isinstance(told, dict) or told.get("format") != FORMAT:
            raise Unusable("it was made by another version of run-pipeline: make it anew, or update the runner")
        fields: dict[str, Any] = {name: told[name] for name in Manifest._fields}
        for name in ("files", "base_files"):
            fields[name] = {safe_name(path): Packed(**packed) for path, packed in fields[name].items()}
        for name, kind in (("environments", Environment), ("pythons", Python)):
            fields[name] = tuple(kind(**one) for one in fields[name])
        for name in ("pipelines", "missing"):
            fields[name] = tuple(map(str, fields[name]))
        manifest = Manifest(**fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Unusable("its manifest.json is damaged") from error
    _check(manifest)
    return manifest


def _check(manifest: Manifest) -> None:
    for path, packed in [*manifest.files.items(), *manifest.base_files.items()]:
        sound = isinstance(packed.size, int) and packed.size >= 0 and _SHA256.match(str(packed.sha256))
        if not sound:
            raise Unusable(f"its manifest.json is damaged: {path}")
    for name in (*manifest.pipelines, *(one.name for one in manifest.environments)):
        safe_name(name)
    for python in manifest.pythons:
        if python.file:
            safe_name(python.file)
    _check_places([*manifest.files, *manifest.base_files])


def _check_places(names: list[str]) -> None:
    """Each has a place of its own, also where a name counts without upper and lower case."""
    places: dict[str, str] = {}
    for name in names:
        place = _alike(place_of(name))
        if place in places:
            raise Unusable(f"two of its entries have one place: {places[place]!r} and {name!r}")
        if name.startswith(f"{REPO}/") and place.split("/")[0] == _alike(KEPT):
            raise Unusable(f"an entry of the repository would lie among those of the bundle: {name!r}")
        places[place] = name
    for place, name in places.items():
        if any(str(folder) in places for folder in PurePosixPath(place).parents):
            raise Unusable(f"the folder of an entry is an entry itself: {name!r}")


def _alike(place: str) -> str:
    """Equal for names that Windows or macOS take for one."""
    return unicodedata.normalize("NFC", place).casefold()


def safe_name(name: str) -> str:
    """`name`, where it leads to a place below the folder on every system. Raises Unusable."""
    parts = PurePosixPath(name).parts if isinstance(name, str) else ()
    if not parts or "/".join(parts) != name or name.startswith("/"):
        raise Unusable(f"the name of an entry would leave the folder: {name!r}")
    for part in parts:
        if part in ("..", ".") or _BAD.search(part) or _DEVICES.match(part):
            raise Unusable(f"the name of an entry would leave the folder, or is none on Windows: {name!r}")
    return name


def place_of(name: str) -> str:
    """Where a file of the bundle lies below the folder that is unbundled to, with slashes."""
    room, _, rest = name.partition("/")
    return rest if room == REPO and rest else f"{KEPT}/{name}"
