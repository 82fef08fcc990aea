"""The file itself: the manifest first, then each entry by its name; the same input gives the same bytes."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.bundle.form import MANIFEST, Manifest, Packed, to_bytes
from runner.errors import StateError
from runner.ground.files import state_errors

# what is compressed already
_STORED = (
    *(".whl", ".zip", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".png", ".jpg", ".jpeg", ".pt", ".pth", ".npz"),
    *(".conda", ".onnx"),
)
_TIME = (1980, 1, 1, 0, 0, 0)
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One of the bundle: a file here, or its bytes."""

    source: Path | bytes
    packed: Packed


def entry_of(source: Path | bytes, *, executable: bool | None = None) -> Entry:
    """`executable`: None: as the file here is. Raises StateError where it cannot be read."""
    if isinstance(source, bytes):
        return Entry(source, Packed(len(source), hashlib.sha256(source).hexdigest(), bool(executable)))
    with state_errors("read", source), source.open("rb") as stream:
        info = os.fstat(stream.fileno())
        own = bool(info.st_mode & stat.S_IXUSR) and os.name != "nt" if executable is None else executable
        return Entry(source, Packed(info.st_size, hashlib.file_digest(stream, "sha256").hexdigest(), own))


def write_bundle(
    path: Path, manifest: Manifest, entries: Mapping[str, Entry], told: Callable[[int], None] = lambda size: None
) -> None:
    """At `path`, which must not be the place where it is to stay. Raises StateError."""
    with state_errors("write", path), zipfile.ZipFile(path, "w") as archive:
        archive.writestr(_info(MANIFEST, executable=False, size=0), to_bytes(manifest))
        for name in sorted(entries):
            entry = entries[name]
            info = _info(name, executable=entry.packed.executable, size=entry.packed.size)
            if isinstance(entry.source, bytes):
                archive.writestr(info, entry.source)
            else:
                _copy(archive, info, entry.source, entry.packed)
            told(entry.packed.size)


def _info(name: str, *, executable: bool, size: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _TIME)
    info.create_system = 3  # Unix: the mode counts, and Windows' own name of the field would differ
    info.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
    info.compress_type = zipfile.ZIP_STORED if name.endswith(_STORED) else zipfile.ZIP_DEFLATED
    info.file_size = size
    return info


def _copy(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: Path, packed: Packed) -> None:
    sum_ = hashlib.sha256()

    with source.open("rb") as stream, archive.open(info, "w") as target:
        while chunk := stream.read(_CHUNK):
            sum_.update(chunk)
            target.write(chunk)
    if sum_.hexdigest() != packed.sha256:
        raise StateError(f"{source} changed while the bundle was written", "Make the bundle again.")
