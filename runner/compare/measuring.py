"""Puts every pair on its rung: bytes and text here, the rest by the measuring program.

That is started in the environment of its own group, as a segment would be.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import runner
from runner.compare import simple
from runner.compare.backgrounds import Backgrounds
from runner.compare.pairing import core, same_link
from runner.compare.pairing import kind_of as kind
from runner.compare.results import Pair, Picture, Rung
from runner.compare.settings import Settings
from runner.environments import Request, Site
from runner.environments import kind as kind_of
from runner.environments.offline import offline
from runner.environments.spec import parse_environment
from runner.environments.uv.groups import read_project
from runner.errors import EnvironmentMissing, Interrupted, RunnerError, StateError
from runner.executors.carry import carry_out
from runner.ground.codes import spell_code
from runner.ground.disk import on_disk
from runner.ground.text import decoded
from runner.ground.words import counted
from runner.model import EnvironmentSpec, Finding, Outcome, ResolvedFlags
from runner.process.stop import StopRequest
from runner.process.supervise import run

GROUP = "compare"
PROGRAM = "standard_code/python/compare_outputs.py"
PICTURED = ("image", "labels", "mask")
_NO_FLAGS: Mapping[str, str] = MappingProxyType({})
DRAWN = (Rung.DIFFERENT, Rung.NOISE, Rung.WITHIN)


def climb(pairs: Sequence[Pair], measurer: Measurer) -> None:
    """Fill in the result of each pair. Raises EnvironmentMissing, StateError, Interrupted."""
    rest = []
    for pair in pairs:
        if measurer.stop.requested:
            raise simple.stopped()
        if pair.a is None or pair.b is None:
            pair.rung = Rung.MISSING if pair.b is None else Rung.EXTRA
            pair.kind = kind(pair)
            continue
        try:
            if same_link(pair.a, pair.b):
                pair.rung, pair.kind, pair.said = Rung.SAME, "bytes", "the same link"
            elif simple.same_bytes(pair.a, pair.b, measurer.stop):
                pair.rung, pair.kind, pair.said = Rung.SAME, kind(pair) or "bytes", "same bytes"
            elif kind(pair):
                rest.append(pair)
            else:
                simple.judge(pair, measurer.settings.table, measurer.stop)
        except OSError as error:
            pair.rung, pair.kind = Rung.UNREADABLE, kind(pair)
            pair.said = f"not compared: {error.filename or pair.name}: {error.strerror or error}"
    measurer.measure(rest)


@dataclass
class Measurer:
    """One comparison's use of the program; `say` gets lines for the screen."""

    site: Site
    folder: Path  # for its files; removed by whoever made it
    settings: Settings
    stop: StopRequest
    say: Callable[[str], None]
    _ready: Site | None = None
    _count: int = field(default=0)

    def prepare(self) -> None:
        """Make the environment now, so that what it lacks is known before a night of runs; equal files do without."""
        try:
            self._prepared()
        except EnvironmentMissing as error:
            self.say(f"warning: files that differ cannot be measured: {error.message}. {error.cure}")

    def measure(self, pairs: Sequence[Pair]) -> None:
        """Fill in the results of images and tables. Raises EnvironmentMissing, StateError, Interrupted."""
        if not pairs:
            return
        self.say(f"measuring {counted(len(pairs), 'pair')} of images and tables")
        labels = {core(p.name).casefold(): p.index for p in pairs if kind(p) == "image" and _told_labels(p)}
        jobs = [(p, {"type": kind(p), "labels": _labels_of(p, labels)}) for p in pairs]
        for pair, result in self._run(jobs, {"settings": self.settings.for_program()}):
            pair.rung = Rung(result["rung"])
            pair.kind, pair.said, pair.remarks = result["kind"], result["said"], result["remarks"]
            pair.distance = math.inf if result["distance"] is None else result["distance"]
            pair.measures, pair.over = result["measures"], result.get("over", {})

    def draw(self, pairs: Sequence[Pair], every: Sequence[Pair]) -> Path:
        """Pictures of the pairs that differ, in the order given; `every` pair is a possible background.

        Gives the folder, which is removed with the measurer's own.
        """
        folder = self.folder / "pictures"
        todo = [pair for pair in pairs if pair.kind in PICTURED and pair.rung in DRAWN and pair.a and pair.b]
        if not todo:
            return folder
        self.say(f"drawing up to {counted(len(todo), 'pair')}")
        behind = Backgrounds(every)
        jobs = [
            (p, {"kind": p.kind, "measures": p.measures, "backgrounds": [str(one.a) for one in behind.of(p)]})
            for p in todo
        ]
        for pair, result in self._run(jobs, {}, {"--pictures": str(folder)}):
            if "pictures" in result:
                pair.pictures = [Picture(one["file"], one["shows"], *one["size"]) for one in result["pictures"]]
            else:
                pair.remarks.append(f"no picture: {result['problem']}")
        return folder

    def _run(
        self, jobs: Sequence[tuple[Pair, dict[str, Any]]], told: dict[str, Any], flags: Mapping[str, str] = _NO_FLAGS
    ) -> Iterator[tuple[Pair, dict[str, Any]]]:
        """Each pair with what the program says of it."""
        site = self._prepared()
        self._count += 1
        self.folder.mkdir(parents=True, exist_ok=True)
        names = f"jobs-{self._count}.json", f"results-{self._count}.jsonl", f"log-{self._count}.txt"
        asked, results, log = (self.folder / name for name in names)
        pairs = [{"index": p.index, "name": p.name, "a": str(p.a), "b": str(p.b), **more} for p, more in jobs]
        asked.write_text(json.dumps({"pairs": pairs, **told}), encoding="utf-8")
        spec, start = _program(site)
        given = {"--jobs": str(asked), "--results": str(results), **flags}
        entries: Sequence[str | ResolvedFlags] = (*start, ResolvedFlags(tuple(given.items())))
        command = kind_of(spec).wrap(Request(spec, entries, {}, str(site.repo)), site)
        outcome = run(command, environ=site.host.environ, screen=self._screen, log=log, timeout=None, stop=self.stop)
        if outcome.stopped:
            raise Interrupted("stopped while measuring", "Start the comparison again.")
        if not outcome.succeeded:
            raise _failed(outcome, log)
        by_index = {pair.index: pair for pair, _ in jobs}
        for result in map(json.loads, results.read_text(encoding="utf-8").splitlines()):
            yield by_index[int(result["index"])], result

    def _screen(self, chunk: bytes) -> None:
        for line in decoded(chunk).splitlines():
            if line.strip():
                self.say(line.rstrip())

    def _prepared(self) -> Site:
        """The site whose repository has the program; its environment is up to date."""
        if self._ready is None:
            site = _site_with_program(self.site)
            spec, entries = _program(site)
            for finding in kind_of(spec).check(spec, entries, site):
                raise EnvironmentMissing(finding.message, finding.cure)
            preparation = kind_of(spec).prepare(spec, entries, site)
            if preparation is not None:
                self.say(f"preparing {preparation.title}, which measures; it takes a minute the first time")
                self.folder.mkdir(parents=True, exist_ok=True)
                carry_out(
                    preparation,
                    site.host.environ,
                    self.stop,
                    screen=lambda chunk: None,
                    on_wait=lambda reason: self.say(f"waiting: {reason}"),
                    log=self.folder / "prepare.txt",
                )
            self._ready = site
        return self._ready


def lacking(site: Site) -> list[Finding]:
    """What would keep the measuring program from being made ready."""
    try:
        site = _site_with_program(site)
    except EnvironmentMissing as error:
        return [Finding(error.message, error.cure)]
    spec, entries = _program(site)
    return list(kind_of(spec).check(spec, entries, site))


def _program(site: Site) -> tuple[EnvironmentSpec, tuple[str, ...]]:
    """Its environment, and how it is started."""
    spec = parse_environment(f"uv:{GROUP}", "", site.host.platform)
    return spec, ("python", str(site.host.path(site.repo) / PROGRAM))


def _told_labels(pair: Pair) -> bool:
    own = pair.name.rpartition("/")[2].lower()
    return any(word in own for word in ("label", "mask", "_seg", "object"))


def _labels_of(pair: Pair, labels: dict[str, int]) -> int | None:
    """The label image that a table is about: the same name but for its last word, best in the same folder."""
    if kind(pair) != "table":
        return None
    own = core(pair.name).casefold()
    if own in labels:
        return labels[own]
    last = own.rpartition("/")[2]
    found = {index for name, index in labels.items() if name.rpartition("/")[2] == last}
    return found.pop() if len(found) == 1 else None


def _site_with_program(site: Site) -> Site:
    """The user's repository, or the one that this runner stands in."""
    own = Path(runner.__file__).resolve().parent.parent
    for repo in (on_disk(site.repo), own):
        if (repo / PROGRAM).is_file() and GROUP in read_project(repo).groups:
            if repo == on_disk(site.repo):
                return site
            elsewhere = on_disk(site.environments)  # where the user wants all environments to be
            folder = repo / ".venvs" if elsewhere.is_relative_to(on_disk(site.repo)) else elsewhere
            other = Site(site.host, repo, site.dotenv, folder, site.store)
            offline.tell(other, offline(site))
            return other
    raise EnvironmentMissing(
        f"{site.repo} has no {PROGRAM} or no dependency group `{GROUP}`",
        "Take both from the repository of run-pipeline, then run `run-pipeline env lock`.",
    )


def _failed(outcome: Outcome, log: Path) -> RunnerError:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
    except OSError:
        lines = []
    why = outcome.error or outcome.explanation or spell_code(outcome.exit_code)
    return StateError(f"the measuring program failed: {why}", "\n".join(lines) or f"Its output is in {log}.")
