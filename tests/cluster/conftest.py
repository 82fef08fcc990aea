"""What the tests of clusters share: a Slurm of three nodes for each process of the tests, tidied after each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from runner.cluster.jobs import Submission
from tests.cluster.cluster_lab import ClusterLab
from tests.support.slurm import Slurm, running_slurm


@pytest.fixture(scope="session")
def _slurm() -> Iterator[Slurm]:
    with running_slurm() as slurm:
        yield slurm


@pytest.fixture(scope="session")
def _accounts() -> Iterator[Slurm]:
    with running_slurm(accounting=True) as slurm:
        yield slurm


@pytest.fixture
def slurm(_slurm: Slurm) -> Iterator[Slurm]:
    """Three nodes, no accounting; skips where Slurm is not installed."""
    yield _slurm
    _slurm.tidy()


@pytest.fixture
def accounts(_accounts: Slurm) -> Iterator[Slurm]:
    """Three nodes with sacct, and a database that refuses unknown accounts and what is above a limit."""
    yield _accounts
    _accounts.tidy()


@pytest.fixture
def lab(tmp_path: Path, slurm: Slurm) -> ClusterLab:
    """A lab whose site file names that Slurm."""
    lab = ClusterLab(tmp_path, slurm)
    lab.make()
    lab.site()
    return lab


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., Submission]:
    """A submission of this text, which a shell runs."""
    count = 0

    def make(text: str, indices: Sequence[int] = (), **more: object) -> Submission:
        nonlocal count
        count += 1
        script, log = tmp_path / f"job {count}.sh", tmp_path / "what jobs say"
        log.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\n{text}\n")
        name = f"rp-{tmp_path.name}-{count}"
        return Submission(name, script, tmp_path, log, tuple(indices), **more)  # type: ignore[arg-type]

    return make
