"""Small bundles, made by hand."""

from __future__ import annotations

import hashlib
import platform
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from runner.bundle.form import (
    PROGRAM,
    START,
    Manifest,
    Packed,
    to_bytes,
)

REPO = Path(__file__).resolve().parents[2]
HERE = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
SMALL = {"repo/uv.lock": b"lock\n", "repo/a b/\xfc.yaml".encode().decode(): b"name: x\n", "wheels/x.bin": b"x" * 5000}


def packed(content: Mapping[str, bytes], executable: frozenset[str] = frozenset()) -> dict[str, Packed]:
    return {
        name: Packed(len(data), hashlib.sha256(data).hexdigest(), name in executable) for name, data in content.items()
    }


def manifest_of(content: Mapping[str, bytes], **fields: object) -> Manifest:
    here = Manifest(
        *("lab", "2026-11-27T12:00:00+01:00", "0.1.0", HERE, platform.machine(), "3.11", ()),
        *(packed(content), (), (), ()),
    )
    return here._replace(**fields)  # type: ignore[arg-type]


def write_bundle(path: Path, content: Mapping[str, bytes] = SMALL, manifest: Manifest | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", to_bytes(manifest or manifest_of(content)))
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), data)
    return path


def with_program(content: Mapping[str, bytes]) -> dict[str, bytes]:
    """What `python lab.bundle` starts, too."""
    own = {name: (REPO / name).read_bytes() for name in PROGRAM}
    return {**content, "__main__.py": START.encode(), "runner/__init__.py": b"", **own}


def tree(folder: Path) -> dict[str, bytes]:
    """All that lies in `folder`, but the lock."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
