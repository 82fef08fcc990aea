"""What a pipeline file cannot show by itself: a script that does not exist, with the names that are near."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path, PurePath

from runner.host import Host
from runner.model import Finding, ResolvedEntry, Segment
from runner.pipeline.near import did_you_mean, folder_meant, near
from runner.pipeline.tokens import ITEM_TOKEN, entry_keys

__all__ = ["near", "script_findings"]

_SCRIPTS = (".py", ".ijm")
_PYTHONS = frozenset({"python", "python3", "pythonw", "py"})


def script_findings(segment: Segment, entries: Sequence[ResolvedEntry], cwd: str, host: Host) -> list[Finding]:
    """The script of the command, where it is not there. Asks the disk, so only on the platform that `host` is.

    Nothing is said of a shell's line, in which a `cd` may stand.
    """
    if host.platform != sys.platform or segment.environment.strip().lower() == "cmd":
        return []
    words = keyed_words(segment, entries)
    place = script_place(words)
    if place is None:
        return []
    key, text = words[place]
    path = Path(cwd, text)
    if segment.many and ITEM_TOKEN.search(str(path)):
        return []
    return [] if path.is_file() else [_missing(path, key)]


def script_place(words: Sequence[tuple[str, str]]) -> int | None:
    """Where the script stands: the first word, or the first behind `python` and its options."""
    plain = [word for _, word in words]
    first = int(bool(plain) and PurePath(plain[0]).stem.lower() in _PYTHONS)
    place = place_behind_options(plain[first:])
    return None if place is None or not plain[first + place].lower().endswith(_SCRIPTS) else first + place


def place_behind_options(words: Sequence[str]) -> int | None:
    """Where Python's options end and the script stands; None for `-c`, `-m`, standard input or nothing."""
    place = 0
    while place < len(words):
        word = words[place]
        if word == "--":
            place += 1
        if word == "--" or not word.startswith("-"):
            return place if place < len(words) else None
        if word.startswith("--"):
            place += 2 if word == "--check-hash-based-pycs" else 1
            continue
        taking = re.search("[cmWX]", word[1:])  # of several letters in one word the first of these takes what follows
        if word == "-" or (taking and taking[0] in "cm"):
            return None
        place += 2 if taking and taking.end() == len(word) - 1 else 1
    return None


def keyed_words(segment: Segment, entries: Sequence[ResolvedEntry]) -> list[tuple[str, str]]:
    """The words of `entries`, each with the key of the entry in the file that it comes from."""
    words: list[tuple[str, str]] = []
    for key, entry in zip(entry_keys(segment), entries, strict=True):
        parts = [entry] if isinstance(entry, str) else [part for item in entry.items for part in item]
        words += [(key, part) for part in parts if part is not None]
    return words


def _missing(path: Path, key: str) -> Finding:
    message = f"there is no script {path}"
    if path.is_dir():
        return Finding(f"{path} is a folder, not a script", "Name the script itself.", key)
    if not path.parent.is_dir():
        cure = folder_meant(path.parent) or "Correct the path."
        return Finding(message, f"There is no folder {path.parent} either. {cure}", key)
    try:
        names = sorted(p.name for p in path.parent.iterdir() if p.suffix.lower() == path.suffix.lower())
    except OSError:
        names = []
    meant = near(path.name, names)
    return Finding(message, did_you_mean(path.name, meant) if meant else "Correct the path in `commands`.", key)
