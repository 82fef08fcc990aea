"""A conda environment as conda installs packages: with records, a package cache, and its folder written into files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

PLACEHOLDER = "/opt/placehold" + "_placehold" * 20
# as in a program: two strings that end with a NUL byte, the first with the folder twice
PROGRAM = b"\x7fELF\0" + f"-I{PLACEHOLDER}/include:{PLACEHOLDER}/lib".encode() + b"\0next\0"


def install(prefix: Path, cache: Path, name: str, files: Mapping[str, bytes], *, subdir: str = "linux-64") -> Path:
    """Unpacks a package into `cache` and installs it as conda does; the package's folder in the cache."""
    package = cache / f"{name}-1.0-0"
    paths = []
    for path, content in files.items():
        for file, data in ((package / path, content), (prefix / path, written(content, prefix))):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            file.chmod(0o755 if path.startswith("bin/") else 0o644)
        entry = {"_path": path, "path_type": "hardlink", "size_in_bytes": len(content), "sha256": digest(content)}
        if PLACEHOLDER.encode() in content:
            mode = "binary" if b"\0" in content else "text"
            entry |= {"prefix_placeholder": PLACEHOLDER, "file_mode": mode}
        paths.append(entry | {"sha256_in_prefix": digest(written(content, prefix))})
    licence = package / "info" / "licenses" / "LICENSE.txt"
    licence.parent.mkdir(parents=True)
    licence.write_text(f"The licence of {name}.\n", encoding="utf-8")
    record: dict[str, object] = {
        "name": name,
        "version": "1.0",
        "build": "0",
        "subdir": subdir,
        "license": "BSD-3-Clause",
    }
    record |= {
        "url": f"https://ada:secret@conda.example/t/to-ken/forge/{subdir}/{name}-1.0-0.conda",
        "md5": "0" * 32,
        "files": list(files),
        "paths_data": {"paths": paths, "paths_version": 1},
        "link": {"source": str(package), "type": 1},
    }
    (prefix / "conda-meta").mkdir(parents=True, exist_ok=True)
    (prefix / "conda-meta" / "history").touch()
    (prefix / "conda-meta" / f"{name}-1.0-0.json").write_text(json.dumps(record), encoding="utf-8")
    return package


def written(content: bytes, prefix: Path) -> bytes:
    """A package's file as it is installed in `prefix`."""
    old, new = PLACEHOLDER.encode(), str(prefix).encode()
    if b"\0" not in content:
        return content.replace(old, new)
    strings = []
    for string in content.split(b"\0"):
        strings.append(string.replace(old, new) + b"\0" * ((len(old) - len(new)) * string.count(old)))
    return b"\0".join(strings)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
