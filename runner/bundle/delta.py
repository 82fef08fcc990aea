"""A bundle that holds what an older one has not: of that, the manifest alone is read."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.bundle.form import MANIFEST, Manifest, Packed, Unusable, read_manifest
from runner.bundle.target import Target
from runner.errors import UsageError

_MOST = 256 << 20  # bytes of a manifest
_NEVER = ("__main__.py", "runner/")  # what unpacks the delta itself


@dataclass(frozen=True)
class Base:
    """The older bundle, and all that is there once it was unpacked: of a delta also what that builds on."""

    name: str
    files: Mapping[str, Packed]

    def has(self, name: str, packed: Packed) -> bool:
        old = self.files.get(name)
        return old is not None and old == packed and not name.startswith(_NEVER)


def is_bundle(path: Path) -> bool:
    """Whether it looks like one, be it damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return MANIFEST in archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False


def read_base(path: Path, target: Target) -> Base:
    """Raises UsageError."""
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(MANIFEST)
            if info.file_size > _MOST:
                raise Unusable("its manifest.json is too long")
            manifest = read_manifest(archive.read(info))
    except (Unusable, zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError) as error:
        why = str(error) if isinstance(error, Unusable) else "it is damaged, or no bundle"
        raise UsageError(f"{path} cannot be built on: {why}", "Name the bundle that the computer there has.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}", "Check that it is there.") from error
    _check(path, manifest, target)
    return Base(manifest.name, {**manifest.base_files, **manifest.files})


def _check(path: Path, manifest: Manifest, target: Target) -> None:
    if (manifest.platform, manifest.machine) != (target.platform, target.machine):
        raise UsageError(
            f"{path} is for {manifest.platform} {manifest.machine}, not for {target.platform} {target.machine}",
            "Give the same --platform as for that one.",
        )
