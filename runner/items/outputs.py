"""The declared outputs of items: which are gone. A folder with the outputs of many items is listed once."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import sys
from bisect import bisect_left
from collections.abc import Callable, Sequence

from runner.ground.patterns import ESCAPED, is_plain, unescaped
from runner.items.fill import Filler, Template
from runner.items.item import Item
from runner.pipeline.tokens import ITEM_TOKEN

_LIST_FROM = 3  # questions about one folder, from which on listing it is cheaper


def in_folder(patterns: Sequence[str], folder: str) -> list[str]:
    """`patterns` below `folder`, which may hold tokens; one that begins with what may be a whole path stays."""
    return [one if may_lead(one) else os.path.join(glob.escape(folder), one) for one in patterns]  # noqa: PTH118


def may_lead(pattern: str) -> bool:
    token = ITEM_TOKEN.match(pattern)
    return token is not None and token["name"] in ("ITEM", "PARENT", None)


class Outputs:
    """The `outputs:` of one segment. `paths` are the templates that name one path, `globs` the others."""

    def __init__(self, patterns: Sequence[str], filler: Filler, folder: str) -> None:
        self._folder = folder
        self.paths = [filler.template(unescaped(one)) for one in patterns if is_plain(one)]
        self.globs = [filler.template(one, pattern=True) for one in patterns if not is_plain(one)]
        self._listings = _Listings()

    def path(self, template: Template, item: Item) -> str:
        return os.path.join(self._folder, template(item))  # noqa: PTH118  (100,000 of them)

    def gone(self, item: Item) -> str:
        """The first declared output that is not there, or ""."""
        for template in self.paths:
            path = self.path(template, item)
            if not self._listings.has(path):
                return path
        for template in self.globs:
            pattern = template(item)
            if not self._listings.any(os.path.join(glob.escape(self._folder), pattern)):  # noqa: PTH118
                return unescaped(pattern)
        return ""


class _Listings:
    """Names in folders, each folder listed when it is asked for often."""

    def __init__(self) -> None:
        self._asked: dict[str, int] = {}
        self._names: dict[str, frozenset[str] | None] = {}
        self._sorted: dict[str, list[str]] = {}

    def has(self, path: str) -> bool:
        folder, name = os.path.split(path)
        times = self._asked[folder] = self._asked.get(folder, 0) + 1
        if times < _LIST_FROM or name in ("", ".", ".."):
            return os.path.lexists(path)
        # where a name is spelled in another way (case on Windows, umlauts on macOS), the system decides
        return name in self._names_in(folder) or (not _EXACT and os.path.lexists(path))

    def any(self, pattern: str) -> bool:
        """Whether something matches. Only where the last part alone is a pattern, the listing answers."""
        folder, name = os.path.split(pattern)
        if not is_plain(folder) or name in ("", "**"):
            return next(glob.iglob(pattern, recursive=True), None) is not None  # noqa: PTH207
        folder = unescaped(folder)
        if folder not in self._sorted:
            self._sorted[folder] = sorted(map(os.path.normcase, self._names_in(folder)))
        names, name = self._sorted[folder], os.path.normcase(name)
        start, rest = _cut(name)
        matches = _test(name, start, rest)
        for at in range(bisect_left(names, start), len(names)):
            one = names[at]
            if not one.startswith(start):
                return False
            if matches(one) and (one[0] != "." or name[0] == "."):
                return True
        return False

    def _names_in(self, folder: str) -> frozenset[str]:
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(os.listdir(folder or "."))  # noqa: PTH208
            except OSError:
                self._names[folder] = frozenset()
        return self._names[folder] or frozenset()


_EXACT = sys.platform not in ("win32", "darwin")


def _test(pattern: str, start: str, rest: str) -> Callable[[str], object]:
    """`NAME_*.csv`, by far the commonest, needs no expression of its own for each item."""
    if rest[:1] == "*" and is_plain(rest[1:]):
        end = unescaped(rest[1:])
        return lambda name: name.endswith(end) and len(name) >= len(start) + len(end)
    return re.compile(fnmatch.translate(pattern)).match


def _cut(pattern: str) -> tuple[str, str]:
    """What every match begins with, and the rest of the pattern."""
    at = 0
    while at < len(pattern):
        if escaped := ESCAPED.match(pattern, at):
            at = escaped.end()
        elif pattern[at] in "*?[":
            break
        else:
            at += 1
    return unescaped(pattern[:at]), pattern[at:]
