"""Asks a scheduler's programs, each with a limit of time, and knows what their failures mean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runner.cluster.jobs import ClusterError, SchedulerAway
from runner.environments.conda.outer import outer_folders
from runner.host import Host

PATIENCE = 30.0  # seconds that a question may take; where the controller is down, squeue hangs for longer
SUBMIT_PATIENCE = 60.0

# nothing of the shell in which somebody submits reaches a job, but what says who and where they are
_KEPT = frozenset({"HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "KRB5CCNAME"})


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All of it, for a message."""
        return "\n".join(part for part in (self.err.strip(), self.out.strip()) if part)


@dataclass(frozen=True)
class Refusal:
    """A text by which a scheduler refuses, and what to do then."""

    pattern: re.Pattern[str]
    cure: str
    kind: type[ClusterError] = ClusterError


@dataclass(frozen=True)
class Asking:
    """The programs of one scheduler on one machine."""

    host: Host
    scheduler: str  # its name for people
    away: re.Pattern[str]  # texts by which a program says that the scheduler does not answer
    kept: tuple[str, ...] = ()  # beginnings of variables that its programs go by
    left_out: frozenset[str] = frozenset()  # of these
    patience: float = PATIENCE
    programs: Mapping[str, str] = field(default_factory=dict)

    def environ(self) -> dict[str, str]:
        """What its programs, and by them every job, start with: no variable of an outer job or environment."""
        host, outer = self.host, outer_folders(self.host)
        kept = ("LC_", *self.kept)
        found = {
            name: value
            for name, value in host.environ.items()
            if name in _KEPT or (name.startswith(kept) and name not in self.left_out)
        }
        folders = host.environ.get("PATH", "").split(":")
        found["PATH"] = ":".join(folder for folder in folders if folder and str(host.path(folder)) not in outer)
        return found

    def ask(self, program: str, *words: str, patience: float | None = None, **more: str) -> Answer:
        """Its answer, a refusal included. Raises SchedulerAway."""
        limit = self.patience if patience is None else patience
        argv, environ = [self.programs.get(program, program), *words], self.environ() | more
        got = self.host.capture(argv, env=environ, timeout=limit)
        libraries = self.host.environ.get("LD_LIBRARY_PATH")
        if got.code == _NOT_LOADED and b"shared libraries" in got.stderr and libraries:  # it comes out of a module
            got = self.host.capture(argv, env=environ | {"LD_LIBRARY_PATH": libraries}, timeout=limit)
        out, err = (part.decode("utf-8", "replace") for part in (got.stdout, got.stderr))
        if got.code is None:
            raise SchedulerAway(f"{self.scheduler} does not answer: {got.error} {err.strip()}".rstrip(), _WAIT)
        answer = Answer(got.code, out, err)
        if got.code and self.away.search(err + out):
            raise SchedulerAway(f"{self.scheduler} does not answer: {_short(answer.said)}", _WAIT)
        return answer


_NOT_LOADED = 127
_WAIT = "Jobs that run go on; nothing is known of them until it answers again."


def refused(answer: Answer, refusals: Sequence[Refusal], what: str) -> ClusterError:
    """What to raise for a call that failed."""
    for one in refusals:
        if one.pattern.search(answer.said):
            return one.kind(f"{what}: {_short(answer.said)}", one.cure)
    return ClusterError(f"{what}: {_short(answer.said) or f'exit code {answer.code}'}", _UNKNOWN)


_UNKNOWN = "Ask those who look after the cluster what this means."


def _short(said: str) -> str:
    """In one line, without the program's own name at the beginning of each."""
    lines = [re.sub(r"^(\S*/)?[a-z_]+: (error: )?", "", line).strip() for line in said.splitlines()]
    return "; ".join(dict.fromkeys(line for line in lines if line))[:600]


def missing(program: str, scheduler: str) -> ClusterError:
    return ClusterError(
        f"{scheduler} cannot be used on this machine: there is no {program} on PATH",
        "Start it on a login node of the cluster; on some of them its module has to be loaded first.",
    )
