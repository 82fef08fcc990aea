"""From this computer to a Slurm behind a login node: a real sshd that asks for a key and a code, a real Slurm."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.login.conftest import REPO, Place, until
from tests.login.test_on_a_cluster import DOUBLE
from tests.support import sshd
from tests.support.slurm import Slurm, running_slurm

PIPELINE = """\
run:
- name: double
  environment: cmd
  foreach: "%YAML%/in/*.txt"
  commands: [{python}, "%REPO%/scripts/double.py", "%ITEM%", "%YAML%/out/%STEM%.csv"]
  outputs: ["%YAML%/out/%STEM%.csv"]
"""


@pytest.fixture(scope="module")
def _slurm() -> Iterator[Slurm]:
    with running_slurm() as slurm:
        yield slurm


@pytest.fixture
def slurm(_slurm: Slurm) -> Iterator[Slurm]:
    yield _slurm
    _slurm.tidy()


def experiment(place: Place, slurm: Slurm, *, slow: float = 0) -> Path:
    """A folder with a pipeline, on this computer; the cluster has the runner and Slurm."""
    # the tests' Slurm lies in a folder of its own, as a site's may: known to a login shell alone
    lines = [f"export {name}='{value}'" for name, value in slurm.environ.items() if name in ("PATH", "SLURM_CONF")]
    place.sshd.home.joinpath(".profile").write_text("\n".join([*lines, f"export PYTHONPATH='{REPO}'", ""]))
    (place.repo / "scripts").mkdir()
    (place.repo / "scripts" / "double.py").write_text(f"import time; time.sleep({slow})\n" + DOUBLE)
    data = place.root / "dåta" / "day 1"
    (data / "in").mkdir(parents=True)
    for number in range(6):
        (data / "in" / f"{number}.txt").write_text(str(number))
    (data / "p.yaml").write_text(PIPELINE.format(python=sys.executable))
    place.site(executor="slurm")
    return data / "p.yaml"


def values(pipeline: Path) -> list[str]:
    return [path.read_text() for path in sorted((pipeline.parent / "out").glob("*.csv"))]


def test_submitted_over_a_login_with_a_code_and_collected_later(coded: Place, slurm: Slurm) -> None:
    pipeline = experiment(coded, slurm)
    typed = coded.at_terminal("login", "hpc", answers={"Verification code": lambda: sshd.code_now() + "\n"})
    assert typed.code == 0, typed.screen
    submitted = coded.run("submit", pipeline, "--on", "hpc")
    assert "files went up" in submitted.stderr
    assert "jobs" in coded.run("status", pipeline, "--on", "hpc").stdout
    done = coded.run("resume", pipeline, "--on", "hpc")
    assert "files came back" in done.stderr, done.stdout + done.stderr
    assert values(pipeline) == ["0", "2", "4", "6", "8", "10"]
    own = pipeline.parent / ".run-pipeline" / "p.yaml" / "on-hpc"
    assert json.loads(next(own.glob("0*/run.json")).read_text())["exit_code"] == 0
    told = [json.loads(line) for line in coded.run("status", pipeline, "--on=hpc", "--json").stdout.splitlines()]
    assert [row["done"] for row in told if row["event"] == "status"] == [True]
    assert "doubled 3.txt" in coded.run("logs", pipeline, "--on", "hpc", "--lines", "0", "1").stdout


def test_jobs_go_on_while_the_line_is_gone_and_a_new_login_goes_on_where_it_was(place: Place, slurm: Slurm) -> None:
    pipeline = experiment(place, slurm, slow=1.0)
    place.run("login", "hpc")
    place.run("submit", pipeline, "--on", "hpc")
    for one in place.processes():
        one.send_signal(signal.SIGKILL)
    until(lambda: place.processes() == [])
    said = place.run("status", pipeline, "--on", "hpc", check=2).stderr
    assert "nothing is known of hpc since" in said
    assert "jobs there go on" in said
    out = next(place.folder.rglob("p.yaml")).parent / "out"
    until(lambda: len(list(out.glob("*.csv"))) == 6, 60)
    assert not (pipeline.parent / "out").exists()
    place.run("login", "hpc")
    place.run("collect", pipeline, "--on", "hpc")
    until(lambda: _collected(place, pipeline), 60)
    assert values(pipeline) == ["0", "2", "4", "6", "8", "10"]


def _collected(place: Place, pipeline: Path) -> bool:
    place.run("collect", pipeline, "--on", "hpc", check=None)
    told = place.run("status", pipeline, "--on", "hpc", "--json").stdout
    return '"done": true' in told


SLOW = """\
import pathlib, sys, time
source, target = map(pathlib.Path, sys.argv[1:])
target.parent.mkdir(exist_ok=True)
with target.open("w") as file:
    file.write("half")
    file.flush()
    while source.stem == "3" and not (source.parent / "go").exists():
        time.sleep(0.1)
    file.write(" and half")
"""


def test_an_output_that_is_still_written_does_not_come_back_in_halves(place: Place, slurm: Slurm) -> None:
    pipeline = experiment(place, slurm)
    (place.repo / "scripts" / "double.py").write_text(SLOW)
    place.run("login", "hpc")
    place.run("submit", pipeline, "--on", "hpc")
    there = next(place.folder.rglob("p.yaml")).parent
    until(lambda: len(list((there / "out").glob("*.csv"))) >= 4, 60)
    seen: set[str] = set()

    def brought() -> bool:
        place.run("collect", pipeline, "--on", "hpc", check=None)
        seen.update(values(pipeline))
        return len(values(pipeline)) >= 3

    until(brought, 60)
    assert not (pipeline.parent / "out" / "3.csv").exists()
    (there / "in" / "go").touch()
    place.run("resume", pipeline, "--on", "hpc")
    assert values(pipeline) == ["half and half"] * 6
    assert seen == {"half and half"}


def test_cancel_over_the_login_ends_the_jobs(place: Place, slurm: Slurm) -> None:
    pipeline = experiment(place, slurm, slow=60)
    place.run("login", "hpc")
    place.run("submit", pipeline, "--on", "hpc")
    assert slurm.run("squeue", "-h")
    place.run("cancel", pipeline, "--on", "hpc", check=None)
    until(lambda: not slurm.run("squeue", "-h"), 60)


def test_options_that_mean_this_computer_are_not_taken_along(place: Place, slurm: Slurm) -> None:
    pipeline = experiment(place, slurm)
    said = place.run("status", pipeline, "--on", "hpc", "--records", "x", check=2).stderr
    assert "--records and --on exclude each other" in said
    assert "there is no cluster hcp" in place.run("status", pipeline, "--on", "hcp", check=2).stderr
