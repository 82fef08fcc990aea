"""Slurm, through sbatch, squeue, scancel, scontrol and, where accounts are kept, sacct.

A job that is lost is submitted again by us, never queued again by Slurm (`--no-requeue`): each attempt then has a
number, a receipts file and perhaps more memory of its own. Nothing of the caller's shell gets in: `--export=NONE`, and
sbatch itself is started with next to no variables, so that a site may say `--export=ALL` for a faster start.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from getpass import getuser
from pathlib import PurePath

from runner.cluster.asking import SUBMIT_PATIENCE, Answer, Asking, missing, refused
from runner.cluster.elements import indices_of, ranges
from runner.cluster.jobs import (
    ClusterError,
    Element,
    JobLook,
    JobState,
    Limits,
    Looks,
    QueueFull,
    SchedulerAway,
    Submission,
)
from runner.cluster.reasons import is_held
from runner.cluster.slurm_options import asked_for, clusters, needed
from runner.cluster.slurm_words import AWAY, REFUSALS, STATES, WAIT
from runner.host import Host
from runner.site_file import ExecutorSettings

_PROGRAMS = ("sbatch", "squeue", "scancel", "scontrol")
_GONE = re.compile(r"invalid job id|already completing or completed|job/step already", re.IGNORECASE)
_BUSY = re.compile(r"temporarily unable to accept job", re.IGNORECASE)


# what is run-pipeline's to say: the probe is no array, submitting waits for nothing, errors lie with the output
_OPTIONS_OF_OURS = frozenset({"SBATCH_ARRAY_INX", "SBATCH_WAIT", "SBATCH_ERROR", "SBATCH_INPUT", "SBATCH_DEPENDENCY"})


def make(settings: ExecutorSettings, host: Host) -> Slurm:
    found = {name: host.which(name) for name in (*_PROGRAMS, "sacct")}
    for name in _PROGRAMS:
        if not found[name]:
            raise missing(name, "Slurm")
    programs = {name: path for name, path in found.items() if path}
    kept = ("SLURM_CONF", "SLURM_CLUSTERS", "SBATCH_")
    return Slurm(settings, Asking(host, "Slurm", AWAY, kept, _OPTIONS_OF_OURS, programs=programs))


@dataclass
class Slurm:
    settings: ExecutorSettings
    asking: Asking
    name: str = "slurm"
    index: str = "${SLURM_ARRAY_TASK_ID}"
    keeps_accounts: bool = field(init=False)

    def __post_init__(self) -> None:
        self.keeps_accounts = "sacct" in self.asking.programs

    def options(self, submission: Submission) -> list[str]:
        return [*needed(submission, self.settings), *asked_for(submission.resources, self.settings)]

    def output(self, log: PurePath, name: str, element: Element) -> PurePath:
        number, index = element[0].partition(";")[0], element[1]
        return log / f"slurm-{number}{'' if index is None else f'_{index}'}.out"

    def test(self, submission: Submission) -> str:
        answer = self._sbatch("--test-only", submission)
        # all nodes at work is no reason against it
        if answer.code and "nodes are busy" not in answer.said:
            raise refused(answer, REFUSALS, "Slurm would not take the job")
        found = re.search(r"to start at (\S+)", answer.said)
        return found[1].replace("T", " ") if found else ""

    def submit(self, submission: Submission) -> str:
        answer = self._sbatch("--parsable", submission)
        if answer.code:
            raise refused(answer, REFUSALS, "Slurm did not take the job")
        if job := _job_id(answer.out):
            return job
        # a site's own sbatch may print anything, or nothing
        if found := self.find([submission.name]):
            return found[submission.name]
        raise ClusterError(
            f"sbatch told no number of a job: {answer.said[:200]!r}", "See `squeue --me` whether it is there."
        )

    def look(self, elements: Sequence[Element]) -> Looks:
        found: dict[Element, JobLook] = {}
        for where, jobs in _by_cluster(job for job, _ in elements):
            found |= self._queued(where, jobs)
            gone = dict.fromkeys(job for job, index in elements if job in jobs and (job, index) not in found)
            if gone and self.keeps_accounts:
                found |= {one: look for one, look in self._accounted(where, list(gone)).items() if one not in found}
        return {one: found.get(one, JobLook(JobState.UNKNOWN)) for one in elements}

    def find(self, names: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for cluster in clusters(self.settings) if names else ():
            where, mark = (["-M", cluster], f";{cluster}") if cluster else ([], "")
            asked = ["-h", "--me", "-t", "all", "-n", ",".join(names), "-o", "%F|%j"]
            answer = self.asking.ask("squeue", *where, *asked)
            if answer.code:
                raise _no_answer(answer)
            found |= {name: job + mark for job, name in _rows(answer.out, 2) if name in names}
            if left := [name for name in names if name not in found] if self.keeps_accounts else ():
                asked = ["-X", "-S", "now-7days", f"--name={','.join(left)}", "-o", "JobID,JobName"]
                rows = _rows(self._sacct(*where, *asked).out, 2)
                found |= {name: re.split(r"[_+.]", job)[0] + mark for job, name in rows if name in left}
        return found

    def cancel(self, elements: Sequence[Element]) -> None:
        for where, jobs in _by_cluster(job for job, _ in elements):
            words = []
            for job in jobs:
                indices = {index for one, index in elements if one == job}
                number = job.partition(";")[0]
                whole = None in indices
                words.append(number if whole else f"{number}_[{ranges(i for i in indices if i is not None)}]")
            answer = self.asking.ask("scancel", *where, *words)
            if answer.code and not _GONE.search(answer.said):
                raise refused(answer, REFUSALS, "Slurm did not cancel")

    def limits(self) -> Limits:
        answer = self.asking.ask("scontrol", "show", "config")
        if answer.code:
            raise _no_answer(answer)
        told = dict(re.findall(r"(?m)^(MaxArraySize|MaxJobCount)\s*=\s*(\d+)", answer.out))
        size, count = (int(told[name]) if name in told else None for name in ("MaxArraySize", "MaxJobCount"))
        user = self.asking.host.environ.get("USER") or getuser()
        answer = self.asking.ask("scontrol", "show", "assoc_mgr", f"users={user}", "flags=assoc")
        own = [] if answer.code else list(_submit_limits(answer.out, user, self.settings))
        most = [limit for limit, _ in own] + ([count] if count is not None else [])
        left = [max(0, limit - used) for limit, used in own]
        return Limits(size, min(most, default=None), min(left, default=None))

    def _sbatch(self, how: str, submission: Submission) -> Answer:
        words = (how, *self.options(submission), str(submission.script))
        try:
            return self.asking.ask("sbatch", *words, patience=max(SUBMIT_PATIENCE, self.asking.patience))
        except SchedulerAway as error:
            if _BUSY.search(error.message):
                raise QueueFull("Slurm takes no more jobs at present", WAIT) from error
            raise

    def _queued(self, where: Sequence[str], jobs: Sequence[str]) -> dict[Element, JobLook]:
        """As slurmctld knows it: all that waits and runs, and what ended within MinJobAge."""
        numbers = {job.partition(";")[0]: job for job in jobs}
        fields = ",".join(f"{name}:{width}" for name, width in _COLUMNS)
        answer = self.asking.ask("squeue", *where, "-h", "-r", "-t", "all", "-j", ",".join(numbers), "-O", fields)
        if answer.code and not _GONE.search(answer.said):
            raise _no_answer(answer)
        found = {}
        for line in answer.out.splitlines():
            job, index, word, code, node, reason = _cut(line)
            if job in numbers:
                element = (numbers[job], int(index) if index.isdigit() else None)
                found[element] = _look(word, reason, node, *_ended(code))
        return found

    def _accounted(self, where: Sequence[str], jobs: Sequence[str]) -> dict[Element, JobLook]:
        """As slurmdbd knows it: also of what ended long ago."""
        numbers = {job.partition(";")[0]: job for job in jobs}
        answer = self._sacct(*where, "-j", ",".join(numbers), "-o", "JobID,State,ExitCode,NodeList")
        found: dict[Element, JobLook] = {}
        for name, word, code, node in _rows(answer.out, 4):
            match = re.fullmatch(r"(\d+)(?:_(\d+)|_\[(.+)\])?(\.\w+)?", name)
            if not match or match[1] not in numbers:
                continue
            job, listed = numbers[match[1]], match[2] or match[3]
            for index in indices_of(listed) if listed else (None,):
                if not match[4]:
                    number, _, signal = code.partition(":")
                    reason = word.partition(" ")[2]  # CANCELLED by 1000
                    found[job, index] = _look(word.partition(" ")[0], reason, node, _whole(number), _whole(signal))
                elif word == "OUT_OF_MEMORY" and (job, index) in found:
                    # of a step; the job itself may have gone on, and ended with 0
                    found[job, index] = _look(word, "", found[job, index].node, None, None)
        return found

    def _sacct(self, *words: str) -> Answer:
        """An empty answer where none is to be had: nothing hangs on it but how much can be told."""
        try:
            # else lists of indices end in "..."
            answer = self.asking.ask("sacct", "-n", "-P", *words, SLURM_BITSTR_LEN="0")
        except SchedulerAway:
            return Answer(1, "", "")
        if "storage is disabled" in answer.said:
            self.keeps_accounts = False
        return answer


_COLUMNS = (
    ("ArrayJobID", 20),
    ("ArrayTaskID", 20),
    ("State", 20),
    ("exit_code", 12),
    ("NodeList", 60),
    ("Reason", 200),
)


def _cut(line: str) -> list[str]:
    """The columns of a line of squeue: of fixed width, since a reason may hold any sign."""
    found, start = [], 0
    for _, width in _COLUMNS:
        found.append(line[start : start + width].strip())
        start += width
    return found


def _ended(status: str) -> tuple[int | None, int | None]:
    """Exit code and signal of a wait status."""
    number = _whole(status)
    return (None, None) if number is None else (number >> 8, number & 0x7F)


def _look(word: str, reason: str, node: str, code: int | None, signal: int | None) -> JobLook:
    state = STATES.get(word.rstrip("+"), JobState.UNKNOWN)
    if state is JobState.WAITING and is_held(reason):
        state = JobState.HELD
    reason = "" if reason == "None" else reason
    if not state.is_over:
        return JobLook(state, reason or ("" if word in ("PENDING", "RUNNING") else word), node)
    return JobLook(state, reason, "" if node == "None assigned" else node, None if signal else code, signal or None)


def _submit_limits(told: str, user: str, settings: ExecutorSettings) -> Iterator[tuple[int, int]]:
    """(limit, used) of the jobs that may be in the queue, of the user's own associations."""
    for record in re.split(r"(?m)^(?=ClusterName=)", told):
        own = re.search(rf"Account=(\S+) UserName={re.escape(user)}\(\d+\) Partition=(\S*)", record)
        if not own or own[2] not in ("", settings.partition):
            continue
        if own[1] == settings.account or (not settings.account and "DefAssoc=Yes" in record):
            for limit, used in re.findall(r"(?:Max|Grp)SubmitJobs=(\d+)\((\d+)\)", record):
                yield int(limit), int(used)


def _by_cluster(jobs: Iterable[str]) -> Iterator[tuple[list[str], list[str]]]:
    """The words that name a cluster to Slurm's programs, and its jobs; most sites have but one, and it needs none."""
    found: dict[str, dict[str, None]] = {}
    for job in jobs:
        found.setdefault(job.partition(";")[2], {})[job] = None
    for cluster, mine in found.items():
        yield ["-M", cluster] if cluster else [], list(mine)


def _job_id(out: str) -> str:
    """12, or 12;CLUSTER where Slurm was told which."""
    if found := re.findall(r"(?m)^\s*(\d+(?:;[\w.-]+)?)\s*$", out):
        return str(found[-1])
    match = re.search(r"Submitted batch job (\d+)(?: on cluster (\S+))?", out)
    return f"{match[1]};{match[2]}" if match and match[2] else match[1] if match else ""


def _rows(out: str, columns: int) -> Iterator[list[str]]:
    for line in out.splitlines():
        parts = line.split("|")
        if len(parts) >= columns:
            yield parts[:columns]


def _whole(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _no_answer(answer: Answer) -> SchedulerAway:
    """A question that fails tells nothing of jobs."""
    return SchedulerAway(f"Slurm does not answer: {answer.said[:300]}", WAIT)
