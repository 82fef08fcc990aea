"""What is different between a segment as it is and as it was when it was done. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from runner.go.text import go_text
from runner.model import Entry, Segment

_MOST = 2  # changes that are spelled out
_LONGEST = 60  # characters of one text


def what_changed(old: Segment, new: Segment) -> str:
    """`--min-size: 100` became `--min-size: 200`; two changes are told, further ones counted."""
    found = list(_changes(old, new))
    further = len(found) - _MOST
    return "; ".join(found[:_MOST]) + (f"; and {further} more" if further > 0 else "")


def _changes(old: Segment, new: Segment) -> Iterator[str]:
    from difflib import SequenceMatcher

    for key in ("environment", "distro", "type", "message", "cwd"):
        before, after = (str(getattr(one, key).value if key == "type" else getattr(one, key)) for one in (old, new))
        if before != after:
            yield f"`{'use-linux-distro' if key == 'distro' else key}`: {_became(before, after)}"
    variables = [{name: go_text(value) for name, value in one.env} for one in (old, new)]
    for name in sorted({*variables[0], *variables[1]}):
        before, after = (one.get(name, "") for one in variables)
        if before != after:
            yield f"{name} in `env`: {_became(before, after)}"
    texts = [[_text(entry) for entry in one.commands] for one in (old, new)]
    for tag, a, b, c, d in SequenceMatcher(None, texts[0], texts[1], autojunk=False).get_opcodes():
        if tag != "equal":
            yield _became(", ".join(texts[0][a:b]), ", ".join(texts[1][c:d]))


def _text(entry: Entry) -> str:
    if isinstance(entry, str):
        return entry
    return ", ".join(flag if value is None else f"{flag}: {go_text(value)}" for flag, value in entry.items)


def _became(before: str, after: str) -> str:
    if not before or not after:
        return f"`{_short(before or after)}` {'is new' if after else 'is gone'}"
    return f"`{_short(before)}` became `{_short(after)}`"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
