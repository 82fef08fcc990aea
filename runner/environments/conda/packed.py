"""Environments of conda that came in a bundle: below the folder of our own, for a machine with or without conda."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import PurePath

from runner.environments.conda.prefix import expanded
from runner.environments.site import Site
from runner.environments.spec import is_prefix
from runner.ground.disk import is_file, is_folder, on_disk, read_text
from runner.model import Finding

FOLDER = ".conda"
MARK = "conda-meta/run-pipeline"  # a file in each of them, and in no other environment
# no file may have such a name on Windows
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?\Z")
_CURE = "Unpack it again: run-pipeline unbundle"


def folder_name(text: str) -> str:
    """For `environment: TEXT` the name below FOLDER, and in a bundle; a path gets its last name and a hash."""
    text = {"root": "base"}.get(text, text)
    last = re.split(r"[\\/]", text.rstrip("\\/"))[-1]
    plain = re.sub(r"[^\w.-]|\A\.+|\.+\Z", "_", last) or "environment"
    if plain == text and not _DEVICES.match(plain):
        return plain
    return f"{plain}-{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def called(text: str, site: Site) -> str:
    """`text`, or for a folder in the repository one that is the same wherever the repository is."""
    if not is_prefix(text, site.host.platform):
        return text
    path = site.repo / expanded(text, site.host)
    if ".." in path.parts or not path.is_relative_to(site.repo):
        return text
    return f"./{path.relative_to(site.repo).as_posix()}"


def packed_prefix(text: str, site: Site) -> PurePath | None:
    """Its folder, where `environment: TEXT` came in a bundle: it counts before one of the machine's conda."""
    folder = site.environments / FOLDER / folder_name(called(text, site))
    return folder if text.strip() and is_folder(folder) and told(folder) else None


def note_of(folder: PurePath) -> PurePath:
    """The file beside it that makes it ours: for which folder it was written, and that it is whole."""
    return folder.with_name(f"{folder.name}.json")


def told(folder: PurePath) -> Mapping[str, object]:
    """What is noted of a packed environment; empty where it is none."""
    if not is_file(folder / MARK):
        return {}
    try:
        found = json.loads(read_text(note_of(folder)) or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def about_packed(folder: PurePath) -> Finding | None:
    """Why a packed environment cannot be used: only half there, or moved since it was unpacked."""
    if not (note := told(folder)):
        return None
    if note.get("whole") is not True:
        return Finding(f"the conda environment {folder} was unpacked in part only", f"{_CURE} BUNDLE FOLDER")
    if not _same(str(note.get("prefix")), folder):
        message = f"the conda environment {folder} was unpacked for {note.get('prefix')}, and works there alone"
        return Finding(message, f"{_CURE} BUNDLE {folder.parent.parent}, or put it back.")
    return None


def _same(written: str, folder: PurePath) -> bool:
    if written == str(folder):
        return True
    try:
        return on_disk(folder).samefile(written)
    except OSError:
        return False
