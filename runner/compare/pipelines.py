"""`compare A.yaml B.yaml`: both pipelines run, and their segments compared in pairs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.compare.isolation import CannotIsolate, Moves, reached
from runner.compare.measuring import Measurer, climb
from runner.compare.pairing import Item, join
from runner.compare.places import Place, items_of, places_of
from runner.compare.results import Comparison, Pair, Part
from runner.compare.second_run import SecondRun, second_run
from runner.compare.sides import Found, changed_output, environment_changed, receipts_by_hash, side_of
from runner.compare.terms import worst_values
from runner.compare.verdict import noise_of, noisy, unstable
from runner.environments import Site
from runner.errors import UsageError
from runner.model import Pipeline, Segment
from runner.records.journal import Journal
from runner.records.layout import FOLDER, hide, records_root
from runner.state.locks import LockFile
from runner.tasks import Tasks

Matched = tuple[Segment | None, Segment | None]
RunAsUsual = Callable[[Pipeline], None]  # raises when the pipeline did not come to its end


@dataclass
class Pipelines:
    """The two, and how they are run."""

    a: Pipeline
    b: Pipeline
    site: Site
    journal: Journal
    measurer: Measurer
    run: RunAsUsual
    anew: bool = False
    noise: bool = True
    notes: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """What a comparison keeps: beside A, under a short name (Windows has a limit on paths)."""
        both = f"{self.a.path}\n{self.b.path}".encode("utf-8", "surrogatepass")
        name = f"{Path(self.a.path).stem[:24]}-{hashlib.sha256(both).hexdigest()[:8]}"
        return Path(self.a.folder) / FOLDER / "compare" / name


@dataclass(frozen=True)
class Ran:
    """One side after its run."""

    pipeline: Pipeline
    jobs: Tasks
    moves: Moves
    receipts: Mapping[str, Found]

    def places(self, segment: Segment) -> list[Place]:
        return [self.moves.place(place) for place in places_of(self.jobs[segment.number])]


def compare_pipelines(two: Pipelines) -> Comparison:
    """Runs what is not done, A once more for its noise, and measures. Raises RunnerError, Busy among them."""
    folder = two.folder
    folder.mkdir(parents=True, exist_ok=True)
    hide(Path(two.a.folder) / FOLDER)
    with LockFile(folder / "lock", f"run-pipeline compare {two.a.path.name}").acquire(wait=0):
        return _compare(two)


def _compare(two: Pipelines) -> Comparison:
    matched = match_segments(two.a, two.b)
    a, noise, b = _run_all(two)
    sizes: dict[str, int | None] = {}
    comparison = Comparison(str(two.a.path), str(two.b.path), [], notes=two.notes)
    for pair in matched:
        comparison.parts.append(part_of(pair, a, b, two.measurer, sizes, len(comparison.pairs)))
    climb(comparison.pairs, two.measurer)
    if noise is not None:
        _measure_noise(two, a, noise, matched, comparison.parts)
    return comparison


def match_segments(a: Pipeline, b: Pipeline) -> list[Matched]:
    """By name where both have the same names once each, else by position. Raises UsageError."""
    left, right = reached(a), reached(b)
    if not left or not right:
        raise UsageError("one of the pipelines has no segment to run", "Compare two pipelines that do something.")
    names = [[s.name for s in side] for side in (left, right)]
    if all(len(set(side)) == len(side) for side in names) and set(names[0]) & set(names[1]):
        of_b = {s.name: s for s in right}
        pairs: list[Matched] = [(s, of_b.pop(s.name, None)) for s in left]
        if not of_b or len(left) != len(right):
            return [*pairs, *((None, s) for s in of_b.values())]
    if len(left) == len(right):
        return list(zip(left, right, strict=True))
    raise UsageError(
        f"{a.path.name} has {len(left)} segments and {b.path.name} {len(right)}; names do not tell which are pairs",
        "Give segments that do the same the same name in both files.",
    )


def all_places(two: Pipelines) -> list[Place]:
    """Where both put their results."""
    return [*_places(two.a, two.site), *_places(two.b, two.site)]


def _places(pipeline: Pipeline, site: Site) -> list[Place]:
    jobs = Tasks(pipeline, site)
    return [place for segment in reached(pipeline) for place in places_of(jobs[segment.number])]


def _run_all(two: Pipelines) -> tuple[Ran, SecondRun | None, Ran]:
    """A, then A again for its noise, then B; the outputs of each in folders of their own."""
    shared = _shared_roots(two)
    if two.anew:
        a = _apart(two, two.a, "a", "running A anew, with outputs of its own")
    elif shared and _doubtful(two):
        why = "running A with outputs of its own, since B may have written over those that are there"
        a = _apart(two, two.a, "a", why)
    else:
        a = _usual(two, two.a)
    noise = None
    if two.noise:
        try:
            noise = _second(two, two.a, "noise", "running A a second time, for its own noise")
        except CannotIsolate as reason:
            two.notes.append(f"No noise floor: A cannot be run again without overwriting its results: {reason}.")
    if shared:
        b = _apart(two, two.b, "b", "running B with outputs of its own, since A writes into the same folders")
        two.notes.append(f"Both pipelines write into {shared[0]}; for the comparison B wrote into {two.folder / 'b'}.")
    elif two.anew:
        b = _apart(two, two.b, "b", "running B anew, with outputs of its own")
    else:
        b = _usual(two, two.b)
    return a, noise, b


def _apart(two: Pipelines, pipeline: Pipeline, name: str, why: str) -> Ran:
    """With outputs of its own; an error where that is not possible."""
    try:
        ran = _second(two, pipeline, name, why)
    except CannotIsolate as reason:
        raise UsageError(
            f"{pipeline.path.name} cannot be run with outputs of its own: {reason}",
            "Give both pipelines different output folders, or compare two folders of results.",
        ) from reason
    return Ran(pipeline, Tasks(pipeline, two.site), ran.moves, ran.receipts)


def _doubtful(two: Pipelines) -> bool:
    """Whether what lies in the folders that both write into may be no result of A as its status file says."""
    receipts = [receipts_by_hash(records_root(Path(p.path), None)) for p in (two.a, two.b)]
    if any(segment.content_hash in receipts[1] for segment in reached(two.b)):
        return True
    return any(changed_output(receipts[0].get(s.content_hash)) for s in reached(two.a))


def _shared_roots(two: Pipelines) -> list[Path]:
    of_b = _places(two.b, two.site)
    return [place.root for place in _places(two.a, two.site) if any(_touch(place, other) for other in of_b)]


def _touch(one: Place, two: Place) -> bool:
    if one.file and two.file and one.root == two.root:
        return one.file == two.file
    return one.root.is_relative_to(two.root) or two.root.is_relative_to(one.root)


def _usual(two: Pipelines, pipeline: Pipeline) -> Ran:
    """As its user runs it: what is done stays done."""
    two.run(pipeline)
    jobs = Tasks(pipeline, two.site)
    receipts = receipts_by_hash(records_root(Path(pipeline.path), None))
    _tell_changes(two, pipeline, jobs, receipts)
    return Ran(pipeline, jobs, Moves({}), receipts)


def _tell_changes(two: Pipelines, pipeline: Pipeline, jobs: Tasks, receipts: Mapping[str, Found]) -> None:
    """Results that are older than the environment as it is now, or that something has written since."""
    for segment in reached(pipeline):
        told, notes, anew = receipts.get(segment.content_hash), [], "; --fresh runs it anew."
        if told is None:
            notes.append(f"no receipt tells how segment {segment.number} was run.")
        elif environment_changed(told, jobs[segment.number], two.site):
            notes.append(f"the environment of segment {segment.number} ({segment.name}) has changed since it ran{anew}")
        if path := changed_output(told):
            notes.append(f"{path} was changed after segment {segment.number} had written it{anew}")
        two.notes += [f"{pipeline.path.name}: {note}" for note in notes]


def _second(two: Pipelines, pipeline: Pipeline, name: str, why: str) -> SecondRun:
    folder = two.folder / name
    return second_run(pipeline, two.site, folder, two.journal, two.measurer.stop, why=why, anew=two.anew)


def part_of(matched: Matched, a: Ran, b: Ran, measurer: Measurer, sizes: dict[str, int | None], n: int) -> Part:
    """`n`: how many pairs there are before it."""
    of_a, of_b = matched
    if of_a is None or of_b is None:
        there, side = (of_a, "A") if of_a else (of_b, "B")
        assert there is not None
        return Part(there.name, note=f"only {side} has this segment")
    part = Part(of_a.name or f"segment {of_a.number}")
    places = a.places(of_a), b.places(of_b)
    part.a, part.b = (
        side_of(ran.jobs[segment.number], ran.receipts.get(segment.content_hash), measurer.site, sizes)
        for segment, ran in ((of_a, a), (of_b, b))
    )
    part.a.outputs, part.b.outputs = ([str(p.root / p.file) for p in side] for side in places)
    if not places[0] or not places[1]:
        part.note = "it tells no outputs; declare them under `outputs:`"
        return part
    part.pairs = join_places(*places, measurer.settings.ignore, n)
    if not part.pairs:
        part.note = "neither side holds a file there"
    return part


def join_places(a: list[Place], b: list[Place], ignore: list[str], first: int) -> list[Pair]:
    """Places by position when both have as many, else all files together."""
    if len(a) != len(b):
        left, right = ([item for place in side for item in items_of(place, ignore)] for side in (a, b))
        return join(left, right, first)
    pairs: list[Pair] = []
    for one, two in zip(a, b, strict=True):
        left, right = items_of(one, ignore), items_of(two, ignore)
        if one.file and two.file:  # a pair, whatever they are called
            right = [Item(one.file + item.name.removeprefix(two.file), item.path) for item in right]
        pairs += join(left, right, first + len(pairs))
    return pairs


def _measure_noise(two: Pipelines, a: Ran, noise: SecondRun, matched: list[Matched], parts: list[Part]) -> None:
    """A against A, only where B differs: elsewhere nothing is to be forgiven."""
    again = replace(a, moves=noise.moves, receipts=noise.receipts)
    pairs: list[Pair] = []
    of_part: list[tuple[Part, list[Pair]]] = []
    for part, (of_a, _) in zip(parts, matched, strict=True):
        if of_a is None or part.note:
            continue
        found = join_places(a.places(of_a), again.places(of_a), two.measurer.settings.ignore, len(pairs))
        of_part.append((part, found))
        pairs += found
    climb(pairs, two.measurer)
    for part, found in of_part:
        part.noise, part.noise_values = noise_of(found), worst_values(noisy(found))
        part.again = {pair.name: pair for pair in found}
        if other := unstable(found):
            more = f" and {len(other) - 1} more" if len(other) > 1 else ""
            two.notes.append(
                f"{part.name}: A itself does not give the same twice: {other[0].name}: "
                f"{other[0].said or other[0].rung.value}{more}. Noise excuses no such difference."
            )
