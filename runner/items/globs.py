"""Where the outputs of all items lie: globs with a star for what differs from item to item."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence

from runner.errors import UsageError
from runner.items.expand import expand
from runner.items.fill import Filler
from runner.items.outputs import in_folder, may_lead
from runner.items.walk import split_pattern
from runner.model import Many
from runner.pipeline.tokens import ITEM_TOKEN

# With a sign before the star, so that no two of them side by side mean "in all folders below"
_HERE, _BELOW = "?*", "?*/**/?*"
_IN_ONE_FOLDER = ("NAME", "STEM", "INDEX", "MATRIX")


def output_globs(job_outputs: Sequence[str], many: Many | None, cwd: str, base: str, folder: str) -> tuple[str, ...]:
    """`outputs` as globs for all items at once, absolute where they are of items.

    `cwd` may hold tokens, `base` is what a relative one counts from, `folder` that of the pipeline file. Nothing for
    a pattern that begins with what no text tells.
    """
    if many is None:
        return tuple(job_outputs)
    found = []
    home = base if ITEM_TOKEN.search(cwd) else os.path.join(base, cwd)  # noqa: PTH118
    for pattern in in_folder(job_outputs, cwd):
        for text in _begun(pattern, many, folder):
            found += _starred(os.path.join(glob.escape(home), text))  # noqa: PTH118  (a pattern, not a path)
    return tuple(dict.fromkeys(found))


def before_item(text: str) -> str:
    """The folder before the first token of an item; all of a text without one."""
    token = ITEM_TOKEN.search(text)
    if token is None:
        return text
    return text[: max(text.rfind("/", 0, token.start()), text.rfind("\\", 0, token.start()), 0)]


def _begun(pattern: str, many: Many, folder: str) -> list[str]:
    """A pattern that begins with a path of the items', for each folder that they lie in."""
    token = ITEM_TOKEN.match(pattern)
    if token is None or not may_lead(pattern):
        return [pattern]
    rest = pattern[token.end() :]
    if many.foreach and many.foreach.pattern and token["name"]:
        fixed, parts = split_pattern(many.foreach.pattern, folder)
        return ["/".join((glob.escape(fixed), *(parts if token["name"] == "ITEM" else parts[:-1]))) + rest]
    try:
        template = Filler(many, items := expand(many, folder), windows=os.name == "nt").template(token[0], pattern=True)
    except UsageError:
        return []
    return [text + rest for text in dict.fromkeys(map(template, items))]


def _starred(text: str) -> list[str]:
    found, at = [""], 0
    for token in ITEM_TOKEN.finditer(text):
        stars = (_HERE,) if token["name"] in _IN_ONE_FOLDER else (_HERE, _BELOW)
        found = [head + text[at : token.start()] + star for head in found for star in stars]
        at = token.end()
    return [head + text[at:] for head in found]
