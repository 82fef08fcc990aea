"""A conda environment that is packed and unpacked: with a real conda, which is gone by then."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from runner.bundle.conda.pack import pack
from runner.bundle.conda.unpack import unpack
from runner.host import this_host
from tests.conda.conftest import channel, conda, shared
from tests.support.lab import Lab, segment
from tests.support.real_conda import RealConda

__all__ = ["channel", "conda", "shared"]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="these environments are laid out as on POSIX")


@pytest.mark.parametrize("folder", ["x", "a folder with blanks and a name that is longer than that of the conda förge"])
def test_it_runs_elsewhere_when_conda_is_gone(lab: Lab, channel: Path, conda: RealConda, folder: str) -> None:
    prefix = conda.create("mäuse", "cell-tools", "lab-vars", channel=channel)
    out = lab.data / "out"
    packed = pack("mäuse", prefix, out, this_host(), "linux", "x86_64")
    assert (packed.missing, packed.notes) == ((), ())
    before = {path.relative_to(prefix) for path in prefix.rglob("*")}
    shutil.rmtree(conda.program.parents[1])
    environments = lab.repo / folder
    made = unpack(out, packed.name, environments, this_host())
    assert {path.relative_to(made) for path in made.rglob("*")} == before | {Path(".run-pipeline.json")}
    for file in made.rglob("*"):
        assert not file.is_file() or str(prefix).encode() not in file.read_bytes() or file.suffix == ".pyc"
    pipeline = lab.pipeline([segment("Count", "cell-count", "a  b", environment="mäuse", retries=0)])
    done = lab.run(pipeline, check=1, RUN_PIPELINE_ENVS=str(environments))
    assert f"{made}\n{made}/share/cell models\na  b\n" in done.stdout
    assert "It ended with exit code 7." in done.stdout
