"""`matrix:` and `batch:`."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from runner.items.item import Combination, Item
from runner.model import Many

_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f%]+|\s+')
_LONGEST = 80  # of a folder's name
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def combinations(many: Many) -> list[tuple[Combination, str]]:
    """Each combination of the parameters in the order written, with a folder's name for it that no other one has."""
    names = [name for name, _ in many.matrix]
    found = [tuple(zip(names, each, strict=True)) for each in itertools.product(*(v for _, v in many.matrix))]
    labels = [_label(combination) for combination in found]
    folded = [label.casefold() for label in labels]
    twice = {label for label in folded if folded.count(label) > 1} if len(set(folded)) < len(folded) else set()
    return [
        (combination, f"{label}-{_digest(combination)}" if label.casefold() in twice else label)
        for combination, label in zip(found, labels, strict=True)
    ]


def _label(combination: Combination) -> str:
    text = _UNSAFE.sub("-", "_".join(f"{name}-{value}" for name, value in combination)).rstrip(". ")
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST].rstrip('. ')}-{_digest(combination)}"
    return f"_{text}" if _RESERVED.match(text) else text


def _digest(combination: Combination) -> str:
    return hashlib.sha256(repr(combination).encode("utf-8", "surrogatepass")).hexdigest()[:6]


def with_matrix(items: Sequence[Item], many: Many) -> list[Item]:
    """Each item with each combination."""
    found: list[Item] = []
    all_of_them = [(each, label, ", ".join(f"{k}={v}" for k, v in each)) for each, label in combinations(many)]
    for item in items:
        for combination, label, words in all_of_them:
            one = replace(item, key=f"{item.key} [{words}]" if item.key else words, text=item.text or words)
            one.relative, one.combination, one.label = item.relative or label, combination, label
            found.append(one)
    return found


def batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    """At most `size` items each, all of one combination: they share a command line."""
    by_label: dict[str, list[Item]] = {}
    for item in items:
        by_label.setdefault(item.label, []).append(item)
    for group in by_label.values():
        for start in range(0, len(group), max(size, 1)):
            yield group[start : start + max(size, 1)]
