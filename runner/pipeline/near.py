"""The name that somebody probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from runner.pipeline.signs import look_alike


def near(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `name`, None when none is; case, blanks, `-` and `_` do not count."""
    names = list(candidates)
    wanted = _plain(name)
    for candidate in names:
        if _plain(candidate) == wanted:
            return candidate
    if len(wanted) < 2 or not names:
        return None
    from difflib import get_close_matches

    by_plain = {_plain(candidate): candidate for candidate in reversed(names)}
    found = get_close_matches(wanted, by_plain, 1, 0.6)
    return by_plain[found[0]] if found else None


def did_you_mean(name: str, candidate: str) -> str:
    """The question, or what differs where the eye sees no difference: accents in two parts, other blanks."""
    if differs := look_alike(name, candidate):
        return f"{candidate} looks the same and is another name: {differs}. Copy the name from there."
    return f"Did you mean {candidate}?"


def folder_meant(folder: Path) -> str:
    """Of a folder that is not there: what the first part that is missing was probably meant to be, or ""."""
    missing = folder
    while not missing.parent.is_dir() and missing.parent != missing:
        missing = missing.parent
    try:
        meant = near(missing.name, sorted(path.name for path in missing.parent.iterdir() if path.is_dir()))
    except OSError:
        return ""
    return f"In {missing.parent}: {did_you_mean(missing.name, meant)}" if meant else ""


def _plain(name: str) -> str:
    return "".join(name.lower().split()).replace("_", "-").strip("-")
