"""A conda channel on disk with small packages, written as conda-build writes them; needs no conda."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

VERSION = "{}.{}.{}".format(*sys.version_info[:3])
_PYTHON = Path(os.path.realpath(sys.executable))
_NAME = "python{}.{}".format(*sys.version_info[:2])
_SITE = f"lib/{_NAME}/site-packages"
_TIME = 1_700_000_000
# in a package's files, this text stands for the folder that the environment will have
_PLACEHOLDER = "/opt/where_the_environment_will_be"
_COUNT = """\
import os, sys

def main():
    print(sys.prefix, os.environ.get("CELL_MODELS"), *sys.argv[1:], sep="\\n")
    return 7
"""


def make_channel(folder: Path, library: bytes = b"") -> Path:
    """`python` (this one), `cell-tools` (a module and the program `cell-count`), `lab-vars` (activation scripts).

    With the bytes of a shared library, `cell-library` as well: libcells.so, and the program `cell-where`.
    """
    records = [
        _package(
            folder,
            "python",
            VERSION,
            {
                # makes sys.prefix the environment; `home` is where the standard library is found
                "pyvenv.cfg": f"home = {_PYTHON.parent}\ninclude-system-site-packages = false\n",
                f"{_SITE}/README.txt": "Packages of this environment.\n",
            },
            links={"bin/python": str(_PYTHON), "bin/python3": "python", f"bin/{_NAME}": "python"},
        ),
        _package(
            folder,
            "cell-tools",
            "2.0",
            {"site-packages/cell_tools.py": _COUNT},
            depends=["python >=3"],
            link={
                "noarch": {"type": "python", "entry_points": ["cell-count = cell_tools:main"]},
                "package_metadata_version": 1,
            },
        ),
        _package(
            folder,
            "lab-vars",
            "1.0",
            {
                "etc/conda/activate.d/lab-vars.sh": 'export CELL_MODELS="$CONDA_PREFIX/share/cell models"\necho on\n',
                "etc/conda/deactivate.d/lab-vars.sh": "unset CELL_MODELS\necho off\n",
                "etc/conda/env_vars.d/lab-vars.json": json.dumps({"Lab_Static": "a b$c", "LAB_BOTH": "package"}),
                "share/cell models/where.txt": f"{_PLACEHOLDER}/share\n",
            },
        ),
    ]
    if library:
        files = {
            "lib/libcells.so": library,
            "bin/cell-where": '#!/bin/sh\necho "$CELL_DATA" "$@"\n',
            "etc/conda/activate.d/cells.sh": 'export CELL_DATA="$CONDA_PREFIX/share/cells" PYTHONPATH=/conda/here\n',
            f"{_SITE}/only_conda.py": "",
        }
        records.append(_package(folder, "cell-library", "3.1", files))
    data = {"info": {"subdir": "noarch"}, "packages": dict(records), "packages.conda": {}, "repodata_version": 1}
    (folder / "noarch" / "repodata.json").write_text(json.dumps(data), encoding="utf-8")
    return folder


def _package(
    channel: Path,
    name: str,
    version: str,
    files: Mapping[str, str | bytes],
    *,
    links: Mapping[str, str] | None = None,
    depends: Sequence[str] = (),
    link: Mapping[str, Any] | None = None,
) -> tuple[str, dict[str, Any]]:
    """Writes NAME-VERSION-0.tar.bz2; gives its file name and its entry in repodata.json."""
    index = {"name": name, "version": version, "build": "0", "build_number": 0, "depends": list(depends)}
    index |= {
        "subdir": "noarch",
        "noarch": "python" if link else "generic",
        "license": "MIT",
        "timestamp": _TIME * 1000,
    }
    members = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    paths = [_path(path, content) for path, content in members.items()]
    paths += [_path(path, b"") | {"path_type": "softlink"} for path in links or {}]
    members |= {
        "info/index.json": json.dumps(index).encode(),
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}).encode(),
        "info/files": "".join(f"{entry['_path']}\n" for entry in paths).encode(),
        "info/about.json": b"{}",
    }
    if link:
        members["info/link.json"] = json.dumps(link).encode()
    file = channel / "noarch" / f"{name}-{version}-0.tar.bz2"
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w:bz2") as archive:
        for path, content in members.items():
            _add(archive, path, content)
        for path, target in (links or {}).items():
            _add(archive, path, b"", target)
    data = file.read_bytes()
    sums = {"md5": hashlib.md5(data).hexdigest(), "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    return file.name, index | sums


def _path(path: str, content: bytes) -> dict[str, Any]:
    entry = {
        "_path": path,
        "path_type": "hardlink",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_in_bytes": len(content),
    }
    if _PLACEHOLDER.encode() in content:
        entry |= {"prefix_placeholder": _PLACEHOLDER, "file_mode": "text"}
    return entry


def _add(archive: tarfile.TarFile, path: str, content: bytes, target: str = "") -> None:
    member = tarfile.TarInfo(path)
    member.mode, member.mtime = 0o755 if path.startswith("bin/") else 0o644, _TIME
    if target:
        member.type, member.linkname = tarfile.SYMTYPE, target
    else:
        member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
