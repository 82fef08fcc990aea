"""Which program of a conda environment a segment's first word means."""

from __future__ import annotations

from pathlib import PurePath

from runner.ground.disk import is_file, is_folder
from runner.host import Host

_ENDINGS = (".exe", ".com", ".bat", ".cmd")
# the variants of MSYS2 that conda looks for, of which the first counts
_MSYS2 = ("ucrt64", "clang64", "mingw64", "clangarm64")


def path_folders(prefix: PurePath, host: Host) -> list[PurePath]:
    """The folders that activation puts in front of PATH, in conda's order."""
    if not host.windows:
        return [prefix / "bin"]
    library = prefix / "Library"
    msys2 = next(([library / name / "bin"] for name in _MSYS2 if is_folder(library / name)), [])
    rest = [library / "mingw-w64" / "bin", library / "usr" / "bin", library / "bin", prefix / "Scripts", prefix / "bin"]
    return [prefix, *msys2, *rest]


def is_python(word: str) -> bool:
    """Whether the first word asks for Python itself: `python`, `python3`, `Python.exe`."""
    return word.lower().removesuffix(".exe") in ("python", "python3")


def python_of(prefix: PurePath, host: Host) -> PurePath:
    """The environment's interpreter, whether it is there or not."""
    return prefix / "python.exe" if host.windows else prefix / "bin" / "python"


def program_words(words: list[str], prefix: PurePath, host: Host) -> list[str]:
    """`words` with the environment's own program in front, or as they are when it has no such program."""
    if not words:
        return []
    first = words[0]
    if is_python(first):
        own = find_program(first, prefix, host) if "3" in first else None
        return [str(own or python_of(prefix, host)), *words[1:]]
    if first.startswith("-") or first.lower().endswith((".py", ".pyw")):
        # an option of python, or a script: conda could only start what is marked as executable
        return [str(python_of(prefix, host)), *words]
    found = find_program(first, prefix, host)
    return [str(found) if found else first, *words[1:]]


def find_program(word: str, prefix: PurePath, host: Host) -> PurePath | None:
    """`word` among the environment's programs, condabin last; None for a path and for what is not there."""
    if "/" in word or (host.windows and "\\" in word):
        return None
    folders = [*path_folders(prefix, host), prefix / "condabin"]
    return next((f / name for f in folders for name in with_endings(word, host) if is_file(f / name)), None)


def with_endings(word: str, host: Host) -> list[str]:
    """The file names that `word` may stand for."""
    if host.windows and host.path(word).suffix.lower() not in _ENDINGS:
        return [word + ending for ending in _ENDINGS]
    return [word]
