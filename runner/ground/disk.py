"""The few looks at the disk that the environments need, for paths of any platform."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath


def on_disk(path: PurePath) -> Path:
    """`path` to open. A Windows path without a drive is a real one everywhere, which lets tests lay out folders."""
    return Path(path.as_posix())


def is_file(path: PurePath) -> bool:
    """Whether a file is there; a share that cannot be reached counts as no."""
    try:
        return on_disk(path).is_file()
    except OSError:
        return False


def is_folder(path: PurePath) -> bool:
    """Whether a folder is there; a share that cannot be reached counts as no."""
    try:
        return on_disk(path).is_dir()
    except OSError:
        return False


def entries(folder: PurePath, suffix: str = "") -> list[PurePath]:
    """What lies in `folder` (with that ending), sorted by name; empty where it cannot be read."""
    try:
        names = sorted(entry.name for entry in on_disk(folder).iterdir() if entry.name.endswith(suffix))
    except OSError:
        return []
    return [folder / name for name in names]


def read_text(path: PurePath) -> str:
    """The file's text, "" where it cannot be read. Undecodable bytes become signs that match nothing."""
    try:
        return on_disk(path).read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return ""


def stamps(paths: Iterable[PurePath]) -> list[list[object]]:
    """Name, time (ns) and size of every file that is there: equal as long as nothing was changed."""
    out: list[list[object]] = []
    for path in paths:
        try:
            info = on_disk(path).stat()
        except OSError:
            continue
        out.append([str(path), info.st_mtime_ns, info.st_size])
    return out


def free_space(folder: Path) -> int | None:
    """Bytes that may be written there; None where that cannot be told."""
    import shutil

    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
