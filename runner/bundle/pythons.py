"""Interpreters for the target: those of uv, from its own list or the user's mirror, each as an archive."""

from __future__ import annotations

import gzip
import os
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runner.bundle.licences import Licence
from runner.bundle.target import Target, here
from runner.environments import Site
from runner.environments.offline import offline
from runner.environments.uv.settings import ask_uv, downloads_off
from runner.ground.disk import entries, on_disk

_LIMIT = 1800.0  # seconds for a download
_LICENCE = "Python-2.0"
_KEYS = {"windows": "windows-{machine}-none", "linux": "linux-{machine}-gnu", "macos": "macos-{machine}-none"}


@dataclass(frozen=True)
class Interpreter:
    """One for the bundle, or why it has none."""

    version: str  # 3.11.9; where there is none, as it was asked for
    archive: Path | None
    why: str = ""
    licence: Licence | None = None


def get(version: str, target: Target, site: Site, folder: Path, say: Callable[[str], None]) -> Interpreter:
    """In `folder`, which is made. A Python that uv did not make works at its own place alone, so it is none."""
    folder.mkdir()
    found, why = _installed(version, target, site), ""
    if found is None:
        if why := offline(site) or downloads_off(site):
            why = f"no Python is fetched ({why})"
        else:
            say(f"fetching Python {version} for {target.platform}")
            found, why = _fetched(version, target, site, folder)
    if found is None:
        return Interpreter(version, None, why)
    exact = found.name.split("-")[1] if found.name.count("-") > 1 else version
    archive = folder / f"cpython-{exact}-{target.platform}-{target.machine}.tar.gz"
    say(f"packing Python {exact}")
    pack(found, archive)
    return Interpreter(exact, archive, "", _licence(found, exact))


def pack(prefix: Path, archive: Path) -> None:
    """With one folder in it; the same files give the same bytes. What Python compiles by itself stays here."""
    root = prefix.name
    with (
        archive.open("wb") as stream,
        gzip.GzipFile("", "wb", 6, stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path, folders, files in os.walk(prefix):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            links = [name for name in folders if os.path.islink(os.path.join(path, name))]  # noqa: PTH114, PTH118
            for name in sorted([*files, *links]):
                file = Path(path, name)
                info = tar.gettarinfo(file, f"{root}/{file.relative_to(prefix).as_posix()}")
                info.uid = info.gid = info.mtime = 0
                info.uname = info.gname = ""
                if info.isreg():
                    with file.open("rb") as content:
                        tar.addfile(info, content)
                elif info.issym():
                    tar.addfile(info)


def _installed(version: str, target: Target, site: Site) -> Path | None:
    """One of uv's on this machine, for this kind of machine."""
    if here() != target.name:
        return None
    answer = ask_uv(["python", "dir"], site)
    name = re.compile(rf"cpython-({re.escape(version)}(?:\.\d+)*)-{re.escape(_key(target))}")
    found = []
    for folder in entries(Path(answer.stdout.decode("utf-8", "replace").strip())) if answer.code == 0 else ():
        place = on_disk(folder).resolve()  # uv has links such as cpython-3.11-linux-x86_64-gnu
        if (match := name.fullmatch(place.name)) and _is_whole(place):
            found.append((tuple(map(int, match[1].split("."))), place))
    return max(found)[1] if found else None


def _fetched(version: str, target: Target, site: Site, folder: Path) -> tuple[Path | None, str]:
    into = folder / "installed"
    words = ["python", "install", f"cpython-{version}-{_key(target)}", "--install-dir", str(into), "--no-bin"]
    answer = ask_uv(words, site, timeout=_LIMIT)
    found = [on_disk(one) for one in entries(into) if not on_disk(one).is_symlink() and _is_whole(on_disk(one))]
    if answer.code == 0 and found:
        return found[0], ""
    said = answer.error or answer.stderr.decode("utf-8", "replace")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    first = next((line for line in lines if line.startswith("error")), lines[0] if lines else "uv said nothing")
    causes = [line.removeprefix("cause:").strip() for line in lines if line.lower().startswith("cause")]
    return None, ": ".join([first.removeprefix("error: "), *causes[-1:]])


_MACHINES = {"arm64": "aarch64"}


def _key(target: Target) -> str:
    return _KEYS[target.platform].format(machine=_MACHINES.get(target.machine, target.machine))


def _is_whole(prefix: Path) -> bool:
    return any((prefix / name).is_file() for name in ("python.exe", "bin/python3"))


def _licence(prefix: Path, version: str) -> Licence:
    minor = ".".join(version.split(".")[:2])
    places = (prefix / "LICENSE.txt", prefix / "lib" / f"python{minor}" / "LICENSE.txt")
    texts = {path.name: path.read_bytes() for path in places if path.is_file()}
    return Licence("CPython", version, _LICENCE, texts)
