"""What runs were made from, kept by content and once for all runs of a pipeline: `locks/SHA256` beside their folders.

    000042-DATE/kept.json    what that run needs of it
    locks/SHA256             uv.lock and pyproject.toml, scripts that name their packages with their locks; of which of
                             them and of which scripts a segment was made; what the segments of a run read

Nothing hangs on it but `reproduce`: what cannot be written stops no run.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import field
from pathlib import Path

from runner.errors import StateError
from runner.frozen import frozen
from runner.ground.files import write_atomic
from runner.ground.plain import is_link, read_plain
from runner.ground.told import is_texts, read_json, text

FOLDER = "locks"
NAME = "kept.json"
SCHEMA = 1
_LARGEST = 512 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_OURS = re.compile(r"([0-9a-f]{64})(\.[0-9a-f]+\.tmp)?", re.ASCII)
NOTHING = "nothing"  # in place of a digest: no lock and no script, as of a line of the shell


@frozen
class OfSegment:
    """What a segment was made from; each map: a name and the SHA-256 of what it held."""

    environment: Mapping[str, str] = field(default_factory=dict)  # the files that its environment is made from
    scripts: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> bytes:
        told = {"environment": dict(self.environment), "scripts": dict(self.scripts)}
        return json.dumps(told, sort_keys=True).encode("utf-8", "backslashreplace")


@frozen
class Kept:
    """Of one run: names in FOLDER, "" for what could not be kept."""

    segments: Mapping[int, str] = field(default_factory=dict)  # number -> an OfSegment: most segments share one
    inputs: str = ""  # lines of the inputs' ledger, of all that ran
    machine: Mapping[str, str] = field(default_factory=dict)  # host, platform, gpu, driver

    def write(self, run: Path) -> None:
        """Raises StateError."""
        own = {str(number): digest for number, digest in self.segments.items()}
        told = {"schema": SCHEMA, "machine": dict(self.machine), "inputs": self.inputs, "segments": own}
        text = json.dumps(told, ensure_ascii=False, indent=1)
        write_atomic(run / NAME, text.encode("utf-8", "backslashreplace"), durable=False)


def read_kept(run: Path) -> Kept | None:
    """Of the run in that folder; None where nothing was kept, as by a runner of before."""
    data = read_json(run / NAME) or {}
    told, machine = data.get("segments"), data.get("machine")
    if data.get("schema") != SCHEMA or not is_texts(told):
        return None
    segments = {int(number): digest for number, digest in told.items() if number.isdecimal()}  # type: ignore[union-attr]
    return Kept(segments, text(data.get("inputs")) or "", machine if is_texts(machine) else {})  # type: ignore[arg-type]


def of_segment(root: Path, digest: str) -> OfSegment | None:
    """What was kept of a segment under that name; None where it is lost."""
    if digest == NOTHING:
        return OfSegment()
    try:
        told = json.loads(held(root, digest) or b"null")
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or not is_texts(told.get("environment")) or not is_texts(told.get("scripts")):
        return None
    return OfSegment(told["environment"], told["scripts"])


def keep(root: Path, data: bytes) -> str:
    """Put `data` among what the runs below `root` share; gives its name there. Raises StateError."""
    digest = hashlib.sha256(data).hexdigest()
    path = root / FOLDER / digest
    if held(root, digest) is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data, durable=False)
    return digest


def held(root: Path, digest: str) -> bytes | None:
    """What was kept under that name; None where it is gone or is not what it was."""
    if not _DIGEST.fullmatch(digest):
        return None
    try:
        data = read_plain(root / FOLDER / digest, follow=False, largest=_LARGEST)
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == digest else None


def prune_kept(root: Path, runs: Iterable[Path]) -> None:
    """Remove what none of `runs` needs, and nothing else; nothing at all where one of them cannot be read."""
    needed: set[str] = set()
    for run in runs:
        kept = read_kept(run)
        if kept is None and (run / NAME).exists():
            return
        needed |= {*kept.segments.values(), kept.inputs} if kept else set()
    for digest in list(needed):
        if made_from := of_segment(root, digest):
            needed |= set(made_from.environment.values())
    folder = root / FOLDER
    if is_link(folder):
        return
    with suppress(OSError):
        for path in folder.iterdir():
            found = _OURS.fullmatch(path.name)
            unneeded = found and (found[2] or found[1] not in needed)
            if unneeded and path.is_file() and not is_link(path):
                with suppress(OSError):
                    path.unlink()


def try_to_keep(root: Path, data: bytes) -> str:
    """As `keep`; "" where it cannot be written: no reason to stop a run."""
    try:
        return keep(root, data)
    except (StateError, OSError):
        return ""
