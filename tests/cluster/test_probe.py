"""The job that looks from a node whether all that is needed is there, as a real process."""

import json
import sys
import time
from pathlib import Path

import pytest

from runner.cluster.jobs import JobLook, JobState
from runner.cluster.probe import _clock, why_not
from tests.support.frozen import Frozen
from tests.support.lab import Lab, segment
from tests.support.plate import Plate

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs of a Unix shell")


@pytest.fixture
def plate(lab: Lab) -> Plate:
    return Plate(lab)


FAILED = JobLook(JobState.FAILED, node="n2", exit_code=3)


def told(run: Frozen) -> str:
    error = why_not(run.record.folder, FAILED)
    return f"{error.message}\n{error.cure}"


def test_where_all_is_there_the_probe_ends_with_0_and_leaves_nothing_in_the_folders_of_outputs(plate: Plate) -> None:
    weights = plate.data / "weights ü.pt"
    weights.touch()
    run = plate.freeze(plate.each("mask"), plate.segment("table", str(weights), "table.csv"))
    before = sorted(plate.data.iterdir())
    run.probe()
    assert sorted(plate.data.iterdir()) == before
    assert list((plate.data / "out").iterdir()) == []
    assert plate.calls() == []
    data = json.loads((run.record.folder / "probe" / "probe.json").read_text())
    assert (data["missing"], data["warnings"]) == ([], [])


def test_what_was_there_at_the_submission_and_is_not_here_is_named(plate: Plate) -> None:
    weights = plate.data / "model" / "weights.pt"
    weights.parent.mkdir()
    weights.touch()
    run = plate.freeze(plate.each("mask"), plate.segment("table", str(weights), "made-later.csv")).impatient()
    weights.unlink()
    plate.program.rename(plate.program.with_name("elsewhere.py"))
    assert f"{weights} is not there" in run.probe(check=3)
    words = told(run)
    assert "lacks 3 things that the jobs need; nothing was run" in words
    assert f"segment 1: {plate.program} is not there" in words
    assert f"segment 2: {weights} is not there, or may not be read" in words
    assert "disk that all nodes see" in words
    assert "made-later.csv" not in words


def test_a_folder_of_outputs_that_cannot_be_written_to_is_named(plate: Plate) -> None:
    run = plate.freeze(plate.each("mask", outputs=["/proc/results/%STEM%.mask"]))
    assert "outputs go to /proc, where nothing can be written" in run.probe(check=3)


def test_an_environment_that_was_not_prepared_or_does_not_start_is_named(plate: Plate) -> None:
    file = plate.lab.pipeline([segment("add", "python", "-c", "print(1)")])
    run = Frozen(plate.lab, file)
    assert "uv group default is not ready on" in run.probe(check=3)
    run.work(1, check=3)
    assert run.states(1) == {}
    plate.lab.run("env", "sync", "default")
    run.probe()
    (python,) = (plate.lab.repo / ".venvs").glob("*/bin/python")
    python.unlink()
    python.write_text("#!/bin/sh\nexit 9\n")
    python.chmod(0o755)
    assert f"{python} does not start" in run.probe(check=3)


def test_where_no_probe_could_be_started_its_jobs_last_words_are_told(plate: Plate) -> None:
    run = plate.freeze(plate.each("mask"))
    folder = run.record.folder / "probe"
    folder.mkdir()
    (folder / "slurm-7.out").write_text("/lab/.venv/bin/python: not found\n")
    words = told(run)
    assert "failed on n2 (failed); nothing was run\n  /lab/.venv/bin/python: not found" in words


def test_a_clock_that_is_an_hour_away_from_the_file_servers_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(_clock(tmp_path)) == []
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    (warning,) = _clock(tmp_path)
    assert "1 h away from that of the disk's server" in warning
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "[]", "{", '{"missing": 5}', '{"missing": [[], {"says": 5, "cure": ""}]}'])
def test_a_damaged_report_of_a_probe_is_no_report(tmp_path: Path, content: str) -> None:
    (tmp_path / "probe").mkdir()
    (tmp_path / "probe" / "probe.json").write_text(content)
    assert "nothing was run" in why_not(tmp_path, FAILED).message
