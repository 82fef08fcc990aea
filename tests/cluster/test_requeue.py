"""A site that wants Slurm itself to queue again what had to make room: the same job, with other files each time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.cluster.cluster_lab import ClusterLab
from tests.support.slurm import Slurm


@pytest.fixture
def lab(tmp_path: Path, slurm: Slurm) -> ClusterLab:
    lab = ClusterLab(tmp_path, slurm)
    lab.make()
    lab.site(target="1h", more='options = ["--requeue"]')
    return lab


def test_what_slurm_queues_again_goes_on_where_it_was(lab: ClusterLab, slurm: Slurm) -> None:
    lab.files(3)
    going = lab.start("run", lab.pipeline([lab.copy(wait=2, resources={"time": "5m"})]))
    lab.wait_for(lambda: len(lab.starts()) == 2, "the second item at work")
    slurm.run("sbatch", "--parsable", "-p", "urgent", "-N3", "--exclusive", "--wrap", "sleep 1")
    said, _ = going.communicate(timeout=90)
    assert going.returncode == 0, said
    assert "submitted again" not in said
    counts = Counter(line.split()[0] for line in lab.starts())
    assert counts == {"item000.tif": 1, "item001.tif": 2, "item002.tif": 1}
    assert len(lab.made()) == 3
