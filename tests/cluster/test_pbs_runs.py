"""Whole runs by way of PBS: the same pipelines as elsewhere, on a stand-in that really runs the scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cluster.cluster_lab import ClusterLab
from tests.support.pbs import Pbs, running_pbs


@dataclass(frozen=True)
class PbsLab(ClusterLab):
    pbs: Pbs = field(default_factory=lambda: Pbs(Path()))

    def environ(self, **extra: str) -> dict[str, str]:
        given = self.pbs.host().environ
        environ = super(ClusterLab, self).environ(**extra)
        path = f"{self.pbs.folder / 'bin'}:{environ['PATH']}"
        return environ | {"PBS_CONF_FILE": given["PBS_CONF_FILE"], "PATH": path}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[PbsLab]:
    with running_pbs(tmp_path / "pbs") as pbs:
        made = PbsLab(tmp_path / "lab", pbs=pbs)
        made.make()
        made.site(more="options = []")
        site = made.repo / "run-pipeline.toml"
        site.write_text(site.read_text().replace('"slurm"', '"pbs"'))
        yield made


def test_segments_follow_each_other_as_on_slurm(lab: PbsLab) -> None:
    lab.files(6, bad=1)
    pipeline = lab.pipeline([lab.copy(name="2D: copy") | {"keep-going": True}, lab.copy("in", "late")])
    done = lab.run("run", pipeline, check=1)
    assert "1 of 6 items failed" in done.stdout
    assert lab.made("late") == lab.made("out") == {f"item{number:03d}.tif" for number in range(1, 6)}


# as the copying one, but it waits for a file
PATIENT = """\
import sys, time
from pathlib import Path

source, target = map(Path, sys.argv[1:3])
with open(target.parent.parent / "starts.txt", "a") as file:
    file.write(f"{source.name}\\n")
while not (target.parent.parent / "go").exists():
    time.sleep(0.05)
target.parent.mkdir(exist_ok=True)
target.write_bytes(source.read_bytes())
"""


def test_chunks_that_are_lost_are_submitted_again_whatever_their_numbers(lab: PbsLab) -> None:
    lab.files(4)
    script = lab.script("patient.py", PATIENT)
    segment = lab.copy(resources={"time": "2h"})
    segment["commands"][1] = str(script)
    going = lab.start("run", lab.pipeline([segment]))
    lab.wait_for(lambda: len(lab.starts()) == 4, "all items at work")
    for index in (0, 3):
        lab.pbs.kill(index)
    (lab.data / "go").touch()
    said, _ = going.communicate(timeout=90)
    assert going.returncode == 0, said
    assert "submitted again" in said
    counts = Counter(lab.starts())
    assert {name for name, count in counts.items() if count > 1} == {"item000.tif", "item003.tif"}, said
    assert len(lab.made()) == 4


def test_cancel_ends_the_jobs(lab: PbsLab) -> None:
    lab.files(2)
    pipeline = lab.pipeline([lab.copy(wait=60)])
    lab.run("submit", pipeline)
    lab.wait_for(lambda: len(lab.starts()) >= 1, "an item at work")
    assert "submitted" in lab.run("status", pipeline).stdout
    lab.run("cancel", pipeline)
    assert not lab.made()
