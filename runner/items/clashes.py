"""The same output of two items: refused with both names before anything runs."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from runner.items.fill import Template
from runner.items.item import Item, stem_of
from runner.items.outputs import Outputs

MOST = 5


@dataclass(frozen=True)
class Clash:
    """`of_input`: the output is the file that `second` reads."""

    output: str
    first: Item
    second: Item
    of_input: bool = False

    @property
    def message(self) -> str:
        if self.of_input:
            whose = "its own input" if self.first is self.second else f"the input {self.second.key}"
            return f"the output of {self.first.key} would overwrite {whose}: {self.output}"
        return f"{self.first.key} and {self.second.key} have the same output {self.output}"


def clashes(items: Sequence[Item], outputs: Outputs, *, platform: str, most: int = MOST) -> list[Clash]:
    """The first few. Compared as the system that runs them does: case and the two spellings of umlauts."""
    fold = platform in ("win32", "darwin")
    templates = [*outputs.paths, *outputs.globs]
    told = [template for template in templates if template.tokens or _is_one_file(template, outputs)]
    inputs = {_same(item.text, fold): item for item in items if item.is_file} if told else {}
    found, owners = list[Clash](), dict[str, Item]()
    for item in items:
        for template in told:
            path = outputs.path(template, item)
            same = _same(path, fold)
            owner = owners.setdefault(same, item)
            if owner is not item:
                found.append(Clash(path, owner, item))
            elif same in inputs and template in outputs.paths:
                found.append(Clash(path, item, inputs[same], of_input=True))
            if len(found) >= most:
                return found
    return found


def _is_one_file(template: Template, outputs: Outputs) -> bool:
    """One that all items share: a pattern, or a folder, may hold what each of them writes."""
    if template in outputs.globs:
        return False
    name = os.path.basename(template.text)  # noqa: PTH119
    return stem_of(name) != name


def _same(path: str, fold: bool) -> str:
    path = os.path.normpath(path)
    if not path.isascii():
        path = unicodedata.normalize("NFC", path)
    return path.casefold() if fold else path
