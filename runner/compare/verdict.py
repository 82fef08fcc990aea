"""From pairs to a sentence for each segment and one for all; with A against A as the measure of noise."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable

from runner.compare.results import Comparison, Pair, Part, Rung
from runner.ground.words import counted

_WORDS = {
    Rung.SAME: "the same bytes",
    Rung.CONTENT: "the same content, written differently",
    Rung.WITHIN: "the same within the tolerance",
    Rung.NOISE: "different by no more than A differs from itself",
}
_BAD = {
    Rung.DIFFERENT: ("differs", "differ"),
    Rung.MISSING: ("is missing in B", "are missing in B"),
    Rung.EXTRA: ("is only in B", "are only in B"),
    Rung.UNREADABLE: ("could not be compared", "could not be compared"),
}


def noise_of(pairs: Iterable[Pair]) -> dict[str, float]:
    """The largest distance of A from its own second run, by kind; without what is no matter of degree."""
    floor: dict[str, float] = {}
    for pair in noisy(pairs):
        floor[pair.kind] = max(floor.get(pair.kind, 0.0), pair.distance)
    return floor


def noisy(pairs: Iterable[Pair]) -> list[Pair]:
    """What A, run twice, makes a little different."""
    return [p for p in pairs if p.rung in (Rung.WITHIN, Rung.DIFFERENT) and math.isfinite(p.distance)]


def unstable(pairs: Iterable[Pair]) -> list[Pair]:
    """What A, run twice, makes another file of: another shape, other rows, a file that is missing."""
    return [p for p in pairs if not p.rung.good and not (p.rung is Rung.DIFFERENT and math.isfinite(p.distance))]


def forgive_noise(part: Part, factor: float) -> None:
    """Pairs that differ by no more than `factor` times what A differs from itself there are on the rung for that.

    A file that A gives twice the same is never noise, however much another one varies.
    """
    for pair in part.pairs:
        if pair.rung is not Rung.DIFFERENT or not math.isfinite(pair.distance):
            continue
        varied = [p for p in part.again.values() if p.kind == pair.kind and 0 < p.distance < math.inf]
        if not any(p.name == pair.name for p in varied):
            continue
        own = part.again[pair.name]
        # each column or key by itself: one that varies from run to run excuses no other
        apart = {key: over for key, over in pair.over.items() if over > 1} or {"": pair.distance}
        floors = {key: max(p.over.get(key, 0.0) for p in varied) for key in pair.over}
        floors = floors or {"": max(own.distance, statistics.median_low(p.distance for p in varied))}
        if apart.keys() <= floors.keys() and all(over <= factor * floors[key] for key, over in apart.items()):
            pair.rung = Rung.NOISE
            worst = max(apart, key=lambda key: apart[key])
            where = f"in {worst} " if worst else ""
            told = f"{where}A differs from itself by {floors[worst]:.3g}, from B by {apart[worst]:.3g}"
            pair.remarks.append(told + " times the tolerance" * bool(pair.over))


def conclude(comparison: Comparison) -> None:
    """The sentences, and whether all is well."""
    for part in comparison.parts:
        part.good = not part.note and all(pair.rung.good for pair in part.pairs)
        part.sentence = _of_part(part)
    compared = [part for part in comparison.parts if not part.note]
    left = [part for part in comparison.parts if part.note]
    bad = [part for part in compared if not part.good]
    comparison.good = bool(compared) and not bad and not left
    if not compared:
        comparison.sentence = "Nothing could be compared."
        return
    if bad:
        first = bad[0]
        where = "segment" if comparison.pipelines else "folder"
        several = len(compared) > 1
        count = f" in {len(bad)} of {len(compared)} {where}s" if several else ""
        first_there = f", first in {first.name}" if comparison.pipelines and several else ""
        cause = _first_cause(first, "Worst there is" if several else "Worst is")
        comparison.sentence = f"B holds different results{count}{first_there}. {cause}".rstrip()
    else:
        worst = max((p.rung for p in comparison.pairs), key=list(Rung).index, default=Rung.SAME)
        worded = _WORDS[worst] if worst is Rung.SAME else f"at worst {_WORDS[worst]}"
        comparison.sentence = f"B gives the same results as A{_all(comparison, len(compared))}: {worded}."
    if left:
        comparison.sentence += f" Not compared: {', '.join(part.name for part in left)}."


def _all(comparison: Comparison, count: int) -> str:
    what = "segment" if comparison.pipelines else "folder"
    return "" if count == 1 else f" in {'both' if count == 2 else f'all {count}'} {what}s"


def _first_cause(part: Part, start: str) -> str:
    """A later segment only hands on what the first one made different."""
    worst = min((p for p in part.pairs if not p.rung.good), key=lambda p: p.order, default=None)
    if worst is None:
        return ""
    return f"{start} {worst.name}: {worst.said}." if worst.said else f"{worst.name} {_BAD[worst.rung][0]}."


def _of_part(part: Part) -> str:
    if part.note:
        return f"not compared: {part.note}"
    counts = Counter(pair.rung for pair in part.pairs)
    total = len(part.pairs)
    if total == 1 and not part.pairs[0].rung.good:
        return f"different: its only file {_BAD[part.pairs[0].rung][0]}"
    bad = [(rung, counts[rung]) for rung in _BAD if counts[rung]]
    if bad:
        told = ", ".join(f"{n} {_BAD[rung][n != 1]}" for rung, n in bad)
        well = total - sum(n for _, n in bad)
        return f"different: of {counted(total, 'file')} {told}" + (f"; {well} agree" if well else "")
    if len(counts) == 1:
        rung = next(iter(counts))
        one, many = ("has", "have") if rung in (Rung.SAME, Rung.CONTENT) else ("is", "are")
        return f"same: {f'its only file {one}' if total == 1 else f'all {total} files {many}'} {_WORDS[rung]}"
    told = "; ".join(f"{counts[rung]} {_WORDS[rung]}" for rung in _WORDS if counts[rung])
    return f"same: of {total} files {told}"
