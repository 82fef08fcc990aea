"""PBS: OpenPBS and PBS Professional, through qsub, qstat, qdel and qselect.

Torque is another program with the same names (`-t` for arrays, no history), and is refused. What qstat tells is read as
text and not as JSON: versions differ in which ids that has, and some of it is no JSON (openpbs#1033, #2541, #2672).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from runner.cluster.asking import SUBMIT_PATIENCE, Answer, Asking, missing, refused
from runner.cluster.jobs import (
    ClusterError,
    Element,
    Limits,
    Looks,
    SchedulerAway,
    Submission,
)
from runner.cluster.pbs_options import CHUNKS, array_part, asked_for, needed, output
from runner.cluster.pbs_words import AWAY, GONE, NO_HISTORY, REFUSALS, WAIT, look_of
from runner.host import Host
from runner.site_file import ExecutorSettings

_PROGRAMS = ("qsub", "qstat", "qdel", "qselect")
_TORQUE = "Torque, and programs that stand in for it, are not supported: OpenPBS and PBS Professional are, and Slurm."


def make(settings: ExecutorSettings, host: Host) -> Pbs:
    found = {name: host.which(name) for name in _PROGRAMS}
    for name, path in found.items():
        if not path and name != "qselect":
            raise missing(name, "PBS")
    programs = {name: path for name, path in found.items() if path}
    return Pbs(settings, Asking(host, "PBS", AWAY, ("PBS_CONF", "PBS_SERVER", "PBS_DEFAULT"), programs=programs))


@dataclass
class Pbs:
    settings: ExecutorSettings
    asking: Asking
    name: str = "pbs"
    # an array's numbers have no gaps; where the chunks' have, they stand in a variable, by place
    index: str = f'$(echo "${{{CHUNKS}:-$PBS_ARRAY_INDEX}}" | cut -d: -f "$((PBS_ARRAY_INDEX + 1))")'
    keeps_history: bool = True

    def options(self, submission: Submission) -> list[str]:
        return [*needed(submission, self.settings), *asked_for(submission.resources, self.settings)]

    def output(self, log: PurePath, name: str, element: Element) -> PurePath:
        number = re.search(r"\[(\d+)\]", _id(*element))
        return output(log, name, number[1] if number else None)

    def test(self, submission: Submission) -> str:
        """PBS cannot be asked whether it would take a job; whether it is PBS, it can."""
        answer = self.asking.ask("qstat", "--version")
        if not re.search(r"pbs_?version", answer.said, re.IGNORECASE):
            raise ClusterError(f"qstat on this machine is not that of PBS: {answer.said[:200]!r}", _TORQUE)
        self.options(submission)
        return ""

    def submit(self, submission: Submission) -> str:
        words = (*self.options(submission), str(submission.script))
        answer = self.asking.ask("qsub", *words, patience=max(SUBMIT_PATIENCE, self.asking.patience))
        if answer.code:
            raise refused(answer, REFUSALS, "PBS did not take the job")
        if found := re.findall(r"(?m)^\s*(\d+(?:\[\])?\.\S+)\s*$", answer.out):
            _, chunks = array_part(submission.indices)
            return f"{found[-1]};{chunks}" if chunks else str(found[-1])
        if known := self.find([submission.name]):
            return known[submission.name]
        raise ClusterError(f"qsub told no number of a job: {answer.said[:200]!r}", "See `qstat` whether it is there.")

    def look(self, elements: Sequence[Element]) -> Looks:
        told = self._told(dict.fromkeys(_parts(job)[0] for job, _ in elements))
        return {(job, index): look_of(*_attributes(told, job, index)) for job, index in elements}

    def find(self, names: Sequence[str]) -> dict[str, str]:
        found = {}
        for name in names:
            answer = self._with_history("qselect", "-N", name)
            if ids := answer.out.split():
                attributes = self._told(ids[-1:]).get(_key(ids[-1]), {})
                match = re.search(rf"{CHUNKS}=([\d:]+)", attributes.get("Variable_List", ""))
                found[name] = f"{ids[-1]};{match[1]}" if match else ids[-1]
        return found

    def cancel(self, elements: Sequence[Element]) -> None:
        whole = {job for job, index in elements if index is None}
        wanted = dict.fromkeys(_id(job, None if job in whole else index) for job, index in elements)
        if not wanted:
            return
        answer = self.asking.ask("qdel", *wanted)
        if answer.code and not GONE.search(answer.said):
            raise refused(answer, REFUSALS, "PBS did not cancel")

    def limits(self) -> Limits:
        answer = self.asking.ask("qstat", "-B", "-f")
        if answer.code:
            raise _no_answer(answer)
        found = re.search(r"max_array_size = (\d+)", answer.out)
        return Limits(int(found[1]) if found else None)

    def _told(self, ids: Sequence[str] | Mapping[str, object]) -> dict[str, dict[str, str]]:
        """Attributes of these jobs and their elements, by number: `11`, `11[]`, `11[3]`."""
        if not ids:
            return {}
        answer = self._with_history("qstat", "-t", "-f", *ids)
        if answer.code and not answer.out and not GONE.search(answer.said):
            raise _no_answer(answer)
        return dict(_jobs(answer.out))

    def _with_history(self, program: str, *words: str) -> Answer:
        """Also of jobs that ended, where the server keeps them."""
        if self.keeps_history:
            answer = self.asking.ask(program, "-x", *words)
            if not NO_HISTORY.search(answer.said):
                return answer
            self.keeps_history = False
        return self.asking.ask(program, *words)


def _parts(job: str) -> tuple[str, list[int]]:
    """PBS's own id, and the chunks of its elements where their numbers are others."""
    own, _, chunks = job.partition(";")
    return own, [int(one) for one in chunks.split(":") if one]


def _id(job: str, index: int | None) -> str:
    """Of one element: 11[3].host."""
    own, chunks = _parts(job)
    if index is None or "[]" not in own:
        return own
    return own.replace("[]", f"[{chunks.index(index) if index in chunks else index}]")


def _key(own: str) -> str:
    """Without the server's name, which qsub and qstat may write differently."""
    return own.partition(".")[0]


def _attributes(told: Mapping[str, dict[str, str]], job: str, index: int | None) -> tuple[dict[str, str], bool]:
    """Of an element, or else of its array as long as that has not started; and whether it is the element's own."""
    own, _ = _parts(job)
    if mine := told.get(_key(_id(job, index))):
        return mine, True
    return told.get(_key(own), {}), False


def _jobs(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    for part in re.split(r"(?m)^Job Id: ", re.sub(r"\n\t", "", text))[1:]:
        first, *lines = part.splitlines()
        pairs = (line.strip().split(" = ", 1) for line in lines)
        yield _key(first.strip()), {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def _no_answer(answer: Answer) -> SchedulerAway:
    return SchedulerAway(f"PBS does not answer: {answer.said[:300]}", WAIT)
