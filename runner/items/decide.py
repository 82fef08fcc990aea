"""Which items run, and why."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from runner.ground.words import size_text
from runner.items.item import Item, Mark, parent_and_name
from runner.items.ledger import Ledger, Unfinished
from runner.model import Many
from runner.records.lines import ItemState


class Why(StrEnum):
    NEW = "new"
    CHANGED = "changed"
    FAILED = "failed last time"
    NOT_RUN = "not run last time"
    UNFINISHED = "not finished"
    NO_OUTPUT = "outputs gone"
    ANEW = "to be made anew"
    FORCED = "to run again"


_WHY = {ItemState.ANEW: Why.ANEW, ItemState.NOT_RUN: Why.NOT_RUN}
_FAILED = (Why.FAILED, Why.NOT_RUN)  # itself, or before this segment


@dataclass(frozen=True)
class Selection:
    """What the command line asks for."""

    force: bool = False
    retry_failed: bool = False  # only those that failed last time
    patterns: tuple[str, ...] = ()  # `--item`


class Planned(NamedTuple):
    item: Item
    why: Why
    reason: str  # in plain words, "" where `why` says it all


@dataclass(frozen=True)
class ItemPlan:
    to_run: list[Planned]
    total: int
    done: int
    removed: tuple[str, ...]  # keys of done items that are no more
    left_out: int = 0  # not asked for, though not done
    renewed: list[tuple[Item, Mark]] = field(default_factory=list)  # done by their content, with another time now
    unmatched: tuple[str, ...] = ()  # patterns of the selection that no item matches

    @property
    def counts(self) -> dict[Why, int]:
        found = dict.fromkeys(Why, 0)
        for _, why, _ in self.to_run:
            found[why] += 1
        return {why: count for why, count in found.items() if count}

    @property
    def why_again(self) -> str:
        """Why a segment that counts as done is not, "" where it is."""
        return self.sentence if self.to_run or self.removed else ""

    @property
    def sentence(self) -> str:
        """`4,000 items: 3,997 done, 2 new, 1 changed; 1 removed`."""
        parts = [f"{self.done:,} done"] if self.done else []
        parts += [f"{count:,} {why.value}" for why, count in self.counts.items()]
        parts += [f"{self.left_out:,} not asked for"] if self.left_out else []
        told = f"{self.total:,} item{'' if self.total == 1 else 's'}"
        told += f": {', '.join(parts)}" if parts else ""
        return f"{told}; {len(self.removed):,} removed" if self.removed else told


def decide(
    items: Sequence[Item],
    ledger: Ledger,
    marks: Sequence[Mark],
    selection: Selection = Selection(),
    *,
    gone: Callable[[Item], str] | None = None,
    digest: Callable[[Item], str] | None = None,
) -> ItemPlan:
    """`marks`: of each item as it is now. `gone`: its first output that is not there, or "". `digest`: of its content,
    where that identifies it: then another time is no change."""
    asked, unmatched = _asked(items, selection.patterns)
    run, renewed = list[Planned](), list[tuple[Item, Mark]]()
    done = left_out = 0
    known, force = ledger.done, selection.force
    for item, mark in zip(items, marks, strict=True):
        before = known.get(item.key)
        wanted = asked is None or item.key in asked
        if before is not None and not (force and wanted):
            same = before == mark
            if not same and digest and _same_content(item, ledger, digest):
                same = True
                renewed.append((item, mark))
            if same and (path := gone(item) if gone else ""):
                planned = Planned(item, Why.NO_OUTPUT, f"{path} is not there any more")
            elif same:
                done += 1
                continue
            else:
                planned = Planned(item, Why.CHANGED, _change(before, mark))
        else:
            planned = _not_done(item, ledger.unfinished.get(item.key), before is not None)
        if wanted and (planned.why in _FAILED or not selection.retry_failed):
            run.append(planned)
        else:
            left_out += 1
    return ItemPlan(run, len(items), done, _removed(items, ledger), left_out, renewed, unmatched)


def _not_done(item: Item, last: Unfinished | None, forced: bool) -> Planned:
    if forced:
        return Planned(item, Why.FORCED, "")
    if last is None:
        return Planned(item, Why.NEW, "")
    if last.state in (ItemState.FAILED, ItemState.TIMED_OUT):
        return Planned(item, Why.FAILED, last.note)
    return Planned(item, _WHY.get(last.state, Why.UNFINISHED), last.note or last.state.value)


def _same_content(item: Item, ledger: Ledger, digest: Callable[[Item], str]) -> bool:
    known = ledger.hashes.get(item.key)
    return bool(known) and digest(item) == known


def _change(before: Mark, now: Mark) -> str:
    if not now:
        return "it is not there any more"
    if not before or len(before) != len(now):
        return "it is another kind of file now" if before else "it was not there when it was done"
    if len(now) == 3:
        files = f"it held {before[0]:,} files, and holds {now[0]:,} now" if before[0] != now[0] else ""
        return files or _by_size(before[1], now[1]) or _by_time(before[2], now[2])
    if len(now) == 2:
        return _by_size(before[0], now[0]) or _by_time(before[1], now[1])
    return "its line in the table was changed" if before[0] != now[0] else "a file that its line names was changed"


def _by_size(before: int, now: int) -> str:
    if before == now:
        return ""
    one, other = size_text(before), size_text(now)
    return f"its size was {one}, is {other} now" if one != other else f"its size was {before:,} B, is {now:,} B now"


def _by_time(before: int, now: int) -> str:
    when = datetime.fromtimestamp(now / 1e9).strftime("%Y-%m-%d %H:%M:%S") if 0 <= now < 2**62 else "another time"
    return f"written on {when}, after it was done" if now > before else f"an older one of {when} took its place"


def too_many(many: Many | None, failed: int, total: int) -> bool:
    """More items failed than may."""
    if many is None or many.most_failures is None:
        return False
    return failed > (many.most_failures / 100 * total if many.most_failures_percent else many.most_failures)


def _removed(items: Sequence[Item], ledger: Ledger) -> tuple[str, ...]:
    known = ledger.done
    if len(known) + len(ledger.unfinished) == 0:
        return ()
    now = {item.key for item in items}
    return tuple(sorted(key for key in known if key not in now))


def _asked(items: Sequence[Item], patterns: Sequence[str]) -> tuple[set[str] | None, tuple[str, ...]]:
    """Keys that a pattern matches: the key or the whole path as it stands, else the key, name or path as a pattern."""
    found, unmatched = set[str](), []
    for pattern in patterns:
        slashed = pattern.replace("\\", "/")
        exact = (pattern, slashed)
        here = {item.key for item in items if item.key in exact or item.text == pattern}
        here = here or {item.key for item in items if _matches(item, slashed)}
        found |= here
        if not here:
            unmatched.append(pattern)
    return (found if patterns else None), tuple(unmatched)


def _matches(item: Item, slashed: str) -> bool:
    names = (item.key, parent_and_name(item.text, windows=True)[1], item.text.replace("\\", "/"))
    return any(fnmatch.fnmatchcase(name, slashed) for name in names)
