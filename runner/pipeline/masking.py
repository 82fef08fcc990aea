"""Values of `.env` in what is written down: their names take their place, since others may read a record."""

from __future__ import annotations

import ntpath
import posixpath
import re
from collections.abc import Mapping
from typing import Any

_SHORT = 4  # characters: a shorter value stands in texts that have nothing to do with it
_WORD = 8  # up to here only a whole word counts


class Noting(dict[str, str]):
    """The values of `.env`; `used` are those that were asked for."""

    def __init__(self, dotenv: Mapping[str, str]) -> None:
        super().__init__(dotenv)
        self.used: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        value = super().__getitem__(name)
        self.used[name] = value
        return value


def masked(value: Any, secrets: Mapping[str, str], *, windows: bool) -> Any:
    """`value`, a text or anything of lists and maps, with `%NAME%` for the values of `secrets`."""
    if isinstance(value, str):
        return _masked_text(value, secrets, windows)
    if isinstance(value, Mapping):
        return {key: masked(one, secrets, windows=windows) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [masked(one, secrets, windows=windows) for one in value]
    return value


def _masked_text(text: str, secrets: Mapping[str, str], windows: bool) -> str:
    spelled = {form: name for name, value in secrets.items() for form in _spellings(value, windows) if form}
    for form in sorted(spelled, key=len, reverse=True):
        name = f"%{spelled[form]}%"
        if len(form) >= _SHORT:
            edges = (r"(?<!\w)", r"(?!\w)") if len(form) < _WORD else ("", "")
            text = re.sub(edges[0] + re.escape(form) + edges[1], lambda _, name=name: name, text)  # type: ignore[misc]
        elif text == form or text.endswith(f"={form}"):
            text = text[: -len(form)] + name
    return text


def _spellings(value: str, windows: bool) -> set[str]:
    """As it stands, as a path that was cleaned, and as shells want it."""
    bare = value.strip().rstrip("/\\") or value.strip()
    plain = {bare, bare if "://" in bare or not bare else (ntpath if windows else posixpath).normpath(bare)}
    quoted = {one.replace("'", "'\"'\"'") for one in plain} | {one.replace('"', '\\"') for one in plain}
    return plain | quoted | {one.replace("\\", "\\\\") for one in plain} | {one.replace("%", "%%") for one in plain}
