"""docs/slurm.md and docs/pbs.md say what the code does."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path, PurePosixPath

import pytest

from runner.cluster.asking import Asking
from runner.cluster.jobs import After, JobLook, JobState, Submission
from runner.cluster.pbs_options import asked_for as asked_of_pbs
from runner.cluster.pbs_options import needed as needed_of_pbs
from runner.cluster.reasons import is_held, reason_of
from runner.cluster.says import say
from runner.cluster.slurm import Slurm
from runner.cluster.slurm_words import AWAY, STATES
from runner.host import this_host
from runner.model import Resources
from runner.site_file import ExecutorSettings, read_site_file
from tests.docs.pages import REPO, text_of

SLURM, PBS = (text_of(REPO / "docs" / name) for name in ("slurm.md", "pbs.md"))
PAGES = sorted((REPO / "docs").glob("*.md"))
FULL = Submission(
    "name",
    PurePosixPath("/run/job.sh"),
    PurePosixPath("/run"),
    PurePosixPath("/run/jobs"),
    (0, 1, 2),
    Resources(cpus=4, memory=8 << 30, gpus=1, queue="gpu", account="lab"),
    60.0,
    ((After.OK, "1"), (After.EACH, "2")),
)


def rows(text: str, first: str) -> list[list[str]]:
    """Of the table whose first column has this heading."""
    found = re.search(rf"(?m)^\| {re.escape(first)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", text)
    assert found, first
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found[1].splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_an_example_of_a_site_file_is_read_without_a_remark(page: Path, tmp_path: Path) -> None:
    host = replace(this_host(interactive=False), environ={"USER": "me"})
    for block in re.findall(r"(?ms)^```toml\n(.*?)^```", text_of(page)):
        if re.search(r"(?m)^\[(executors|clusters|uv)\b|^executor =", block):
            (tmp_path / "run-pipeline.toml").write_text(block, encoding="utf-8")
            assert read_site_file(tmp_path, host).files


def test_the_table_of_keys_is_that_of_the_code() -> None:
    known = {one.name.replace("_", "-") for one in fields(ExecutorSettings)} - {"name"}
    assert {row[0].strip("`") for row in rows(SLURM, "Key")} == known


def test_what_is_passed_to_sbatch_is_what_the_page_says() -> None:
    named = set(re.findall(r"--[a-z-]+", " ".join(row[0] for row in rows(SLURM, "Option"))))
    slurm = Slurm(ExecutorSettings("slurm", "slurm"), Asking(this_host(interactive=False), "Slurm", AWAY))
    told = set()
    for gpus in ("gpus", "gres"):
        slurm.settings = replace(slurm.settings, gpus=gpus, qos="fast", constraint="a100")
        told |= {word.partition("=")[0] for word in slurm.options(FULL)}
    assert told == named


def test_what_is_passed_to_qsub_is_what_the_page_says() -> None:
    named = set(re.findall(r"`(-\w)\b", " ".join(row[0] for row in rows(PBS, "Option of qsub"))))
    settings = ExecutorSettings("pbs", "pbs")
    told = {"-r"}
    for words in (needed_of_pbs(FULL, settings), asked_of_pbs(FULL.resources, settings)):
        told |= {word for word in words if re.fullmatch(r"-\w", word)}
    assert told == named


def test_each_state_is_told_in_the_words_of_the_page() -> None:
    for names, words, _ in rows(SLURM, "Slurm"):
        for name in re.findall(r"`([A-Z_]+)`", names):
            look = JobLook(
                STATES[name], exit_code=None if "signal" in names else 1, signal=9 if "signal" in names else None
            )
            assert say(look).words.startswith(words), names
    assert say(JobLook(JobState.UNKNOWN)).words in SLURM


def test_each_reason_is_told_in_the_words_of_the_page() -> None:
    for names, words, comes in rows(SLURM, "Reason of a job that waits"):
        for name in re.findall(r"`([^`]+)`", names):
            found = reason_of(name)
            assert found is not None
            assert found.words == words, name
            assert is_held(name) == (comes == "never"), name
