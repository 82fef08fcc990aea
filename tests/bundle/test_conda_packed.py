"""A real conda's environments, packed; unpacked and run when that conda is gone and there is no network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.bundle.conda.pack import pack
from runner.bundle.conda.unpack import unpack
from runner.host import this_host
from tests.conda.conda_layout import make_base, make_environment
from tests.conda.conftest import channel, conda, shared
from tests.conda.test_conda_and_uv import BOTH, LOOK, cuda12
from tests.support.lab import Lab, segment
from tests.support.real_conda import RealConda

__all__ = ["channel", "conda", "cuda12", "shared"]  # fixtures

pytestmark = pytest.mark.skipif(os.name == "nt", reason="these environments are laid out as on POSIX")


def without_network(lab: Lab, *words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    tool = ["unshare", "--user", "--net"]
    if subprocess.run([*tool, "true"], capture_output=True, check=False).returncode:
        tool = []
    line = [*tool, *lab.argv(*words)]
    return subprocess.run(line, cwd=lab.root, env=lab.environ(**environ), capture_output=True, text=True, check=False)


def test_it_runs_elsewhere_when_conda_is_gone(lab: Lab, channel: Path, conda: RealConda) -> None:
    prefix = conda.create("mäuse", "cell-tools", "lab-vars", channel=channel)
    out = lab.data / "out"
    packed = pack("mäuse", prefix, out, this_host(), "linux", "x86_64")
    assert (packed.missing, packed.notes) == ((), ())
    explicit = conda.run("list", "--explicit", "--md5", "--prefix", prefix).splitlines()
    assert set(explicit) & set((out / "mäuse.txt").read_text(encoding="utf-8").splitlines()) >= set(explicit[-3:])
    before = {path.relative_to(prefix) for path in prefix.rglob("*")}
    shutil.rmtree(conda.program.parents[1])
    # another conda of that machine has one of this name
    base = make_base(lab.home / "miniforge3")
    own = make_environment(base / "envs" / "mäuse")
    pipeline = lab.pipeline([segment("Count", "cell-count", "a  b", environment="mäuse", retries=0)])
    for folder in ("x", "a folder with blanks and a name that is longer than that of the conda förge"):
        environments = lab.repo / folder
        made = unpack(out, packed.name, environments, this_host())
        assert {path.relative_to(made) for path in made.rglob("*")} == before | {Path("conda-meta/run-pipeline")}
        for file in made.rglob("*"):
            assert not file.is_file() or str(prefix).encode() not in file.read_bytes() or file.suffix == ".pyc"
        done = without_network(lab, pipeline, RUN_PIPELINE_ENVS=str(environments))
        assert f"{made}\n{made}/share/cell models\na  b\n" in done.stdout
        assert "It ended with exit code 7." in done.stdout
        (receipt,) = lab.receipts(pipeline)
        assert receipt["environment"]["prefix"] == str(made)
        assert (
            receipt["environment"]["bundle"]
            == json.loads(made.with_name(f"{made.name}.json").read_text("utf-8"))["digest"]
        )
    told = lab.run("check", pipeline, RUN_PIPELINE_ENVS=str(environments)).stdout
    assert f"mäuse (came in a bundle: {made}; not {own}, of this machine's conda)" in " ".join(told.split())
    told = lab.run("doctor", pipeline, check=None, RUN_PIPELINE_ENVS=str(environments)).stdout
    assert "environment mäuse came in a bundle" in told


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="see test_conda_and_uv.py")
def test_a_uv_group_stands_on_one_of_a_bundle(lab: Lab, cuda12: Path, conda: RealConda) -> None:
    packed = pack("cuda12", cuda12, lab.data / "out", this_host(), "linux", "x86_64")
    made = unpack(lab.data / "out", packed.name, lab.repo / ".venvs", this_host())
    shutil.rmtree(conda.program.parents[1])
    (lab.repo / ".env").unlink()
    look = lab.script("look.py", "import alpha\n" + LOOK)
    pipeline = lab.pipeline([segment("Look", "python", str(look), environment=BOTH)])
    said = lab.run(pipeline).stdout
    told = json.loads(next(line for line in said.splitlines() if line.startswith('{"cells"')))
    assert (told["cells"], told["only conda"], told["where"]) == (42, False, str(made / "bin" / "cell-where"))
    assert told["environ"]["CONDA_DEFAULT_ENV"] == "cuda12"
    assert told["environ"]["CELL_DATA"] == str(made / "share" / "cells")
    assert told["environ"]["LD_LIBRARY_PATH"].split(":")[0] == str(made / "lib")
