"""The group `bundle` of the runner's own repository: pip, which fetches and builds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import runner
from runner.environments import Request, Site, kind
from runner.environments.site import Asked
from runner.environments.spec import parse_environment
from runner.environments.uv.groups import read_project
from runner.errors import EnvironmentMissing, Interrupted, UsageError
from runner.executors.carry import carry_out
from runner.ground.disk import on_disk
from runner.ground.text import decoded
from runner.model import Outcome
from runner.process.stop import StopRequest
from runner.process.supervise import run

GROUP = "bundle"
_LAST = 200  # lines of a program's output that are kept to tell of its failure


def own_repository() -> Path:
    """Where this runner stands. Raises UsageError where it was installed away from its repository."""
    repo = Path(runner.__file__).resolve().parent.parent
    if not (repo / "pyproject.toml").is_file() or not (repo / "uv.lock").is_file():
        raise UsageError(
            f"the runner in {repo} was installed away from its repository, so its own lock is not there",
            "Install it from the repository: `uv tool install --editable .`",
        )
    return repo


def tools_repository(own: Path) -> Path:
    """The one with the group: `own`, or where this runner stands."""
    return own if GROUP in read_project(own).groups else own_repository()


def at(site: Site, repo: Path) -> Site:
    """The same surroundings with another repository."""
    if on_disk(site.repo) == repo:
        return site
    elsewhere = on_disk(site.environments)  # where the user wants all environments to be
    folder = repo / ".venvs" if elsewhere.is_relative_to(on_disk(site.repo)) else elsewhere
    return replace(site, repo=repo, dotenv={}, environments=folder, asked=Asked())


@dataclass
class Tools:
    site: Site  # of the repository that has the group
    user: Site
    stop: StopRequest
    say: Callable[[str], None]
    folder: Path  # for what is made on the way; removed by whoever made it
    _ready: bool = field(default=False)

    def python(
        self, words: Sequence[str], env: Mapping[str, str], line: Callable[[str], None] = lambda line: None
    ) -> tuple[Outcome, list[str]]:
        """`python WORDS` in the group's environment, and the last lines. Raises EnvironmentMissing, Interrupted."""
        self.prepare()
        spec = parse_environment(f"uv:{GROUP}", "", self.site.host.platform)
        # not by `uv run`: several of them start at once
        request = Request(spec, ("python", *words), env, str(self.folder), many=True)
        command = kind(spec).wrap(request, self.site)
        last: deque[str] = deque(maxlen=_LAST)
        rest = bytearray()

        def screen(chunk: bytes) -> None:
            *whole, left = (bytes(rest) + chunk).split(b"\n")
            rest[:] = left
            for one in whole:
                text = decoded(one).rstrip()
                last.append(text)
                line(text)

        log = self.folder / "log.txt"
        outcome = run(command, environ=self.site.host.environ, screen=screen, log=log, timeout=None, stop=self.stop)
        if outcome.stopped or self.stop.requested:
            raise Interrupted("stopped; no bundle was written", "Start it again: what pip fetched is in its cache.")
        return outcome, [*last, *([decoded(bytes(rest))] if rest else [])]

    def prepare(self) -> None:
        if self._ready:
            return
        if GROUP not in read_project(on_disk(self.site.repo)).groups:
            raise EnvironmentMissing(
                f"{self.site.repo} has no dependency group `{GROUP}`, in which bundles are made",
                "Take it from the repository of run-pipeline, then run `run-pipeline env lock`.",
            )
        spec, entries = parse_environment(f"uv:{GROUP}", "", self.site.host.platform), ("python",)
        for finding in kind(spec).check(spec, entries, self.site):
            raise EnvironmentMissing(finding.message, finding.cure)
        preparation = kind(spec).prepare(spec, entries, self.site)
        if preparation is not None:
            self.say(f"preparing {preparation.title}, which fetches")
            carry_out(
                preparation,
                self.site.host.environ,
                self.stop,
                screen=lambda chunk: None,
                on_wait=lambda reason: self.say(f"waiting: {reason}"),
                log=self.folder / "prepare.txt",
            )
        self._ready = True
