"""What a pipeline file cannot show by itself: a script that does not exist, with the names that are near."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path, PurePath

from runner.environments import Finding
from runner.host import Host
from runner.model import ResolvedEntry, Segment
from runner.pipeline.near import did_you_mean, near

__all__ = ["near", "script_findings"]

_SCRIPTS = (".py", ".ijm")
_PYTHONS = frozenset({"python", "python3", "pythonw", "py"})
_PROGRAM_OPTIONS = frozenset({"-m", "-c"})  # of python: no script follows
_VALUE_OPTIONS = frozenset({"-W", "-X"})  # of python: the next word is theirs


def script_findings(segment: Segment, entries: Sequence[ResolvedEntry], cwd: str, host: Host) -> list[Finding]:
    """The script of the command, where it is not there. Asks the disk, so only on the platform that `host` is.

    Nothing is said of a shell's line, in which a `cd` may stand.
    """
    if host.platform != sys.platform or segment.environment.strip().lower() == "cmd":
        return []
    script = _script_word(entries)
    if script is None:
        return []
    key, text = script
    path = Path(cwd, text)
    return [] if path.is_file() else [_missing(path, key)]


def _script_word(entries: Sequence[ResolvedEntry]) -> tuple[str, str] | None:
    """The script, with the key of its entry: the first word, or the first behind `python` and its options."""
    words = _words(entries)
    for position, (key, word) in enumerate(words):
        if position == 0 and PurePath(word).stem.lower() in _PYTHONS:
            continue
        if word in _PROGRAM_OPTIONS:
            return None
        if word.startswith("-") or (position > 0 and words[position - 1][1] in _VALUE_OPTIONS):
            continue
        return (key, word) if word.lower().endswith(_SCRIPTS) else None
    return None


def _words(entries: Sequence[ResolvedEntry]) -> list[tuple[str, str]]:
    words: list[tuple[str, str]] = []
    for number, entry in enumerate(entries):
        parts = [entry] if isinstance(entry, str) else [part for item in entry.items for part in item]
        words += [(f"commands.{number}", part) for part in parts if part is not None]
    return words


def _missing(path: Path, key: str) -> Finding:
    message = f"there is no script {path}"
    if path.is_dir():
        return Finding(f"{path} is a folder, not a script", "Name the script itself.", key)
    if not path.parent.is_dir():
        return Finding(message, f"There is no folder {path.parent} either. Correct the path.", key)
    try:
        names = sorted(p.name for p in path.parent.iterdir() if p.suffix.lower() == path.suffix.lower())
    except OSError:
        names = []
    meant = near(path.name, names)
    return Finding(message, did_you_mean(path.name, meant) if meant else "Correct the path in `commands`.", key)
