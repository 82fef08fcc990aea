"""The example's conda pipeline against its uv twin, in an environment that a real conda made where one can be had."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.compare.conftest import Bench, bench
from tests.conda.conda_layout import make_base, make_environment
from tests.programs.conftest import REPO, UV_HOME, child_environment
from tests.support.conda_channel import make_channel
from tests.support.real_conda import own_conda

__all__ = ["bench"]  # a fixture: `compare` as users start it

NAME = "segment_threshold"
SEGMENTS = ["Convert to OME-TIFF", "Segment by threshold", "Measure objects", "Draw outlines"]
GROUPS = ("convert_to_tif", "segment_threshold", "mask_measure", "draw_outlines")


def make_pilot(bench: Bench) -> tuple[Path, bool]:
    """The pilot's conda environment, still without packages, and whether a real conda made it."""
    home = bench.root / "home"
    try:
        # not a conda of the user: that may well have an environment of this name
        conda = own_conda(home / "miniforge3", home, bench.shared)
        prefix = conda.create(NAME, "python", "lab-vars", channel=make_channel(bench.root / "channel"))
        return prefix, True
    except pytest.skip.Exception:
        return make_environment(make_base(home / "miniforge3") / "envs" / NAME), False


def fill(prefix: Path, bench: Bench) -> None:
    """Puts the packages into the environment that the twin's groups have in uv.lock."""
    groups = [word for group in GROUPS for word in ("--only-group", group)]
    listed = bench.root / "packages.txt"
    environ = child_environment(bench.shared) | UV_HOME
    for words in (
        ["export", "--frozen", "--no-hashes", *groups, "--output-file", listed],
        ["pip", "install", "--no-deps", "--python", prefix / "bin" / "python", "--requirements", listed],
    ):
        subprocess.run([find_uv_bin(), "--quiet", *words], cwd=REPO, env=environ, check=True, stdout=subprocess.DEVNULL)


@pytest.mark.skipif(os.name == "nt", reason="the environment is laid out as on POSIX")
def test_the_pilot_gives_the_same_in_conda_and_in_uv(bench: Bench) -> None:
    prefix, by_conda = make_pilot(bench)
    fill(prefix, bench)
    for name in ("segment_threshold.yaml", "segment_threshold_conda.yaml"):
        shutil.copy(REPO / "pipeline_configs" / name, bench.root / name)
    shutil.copytree(REPO / "pipeline_configs" / "example_data", bench.root / "example_data")
    conda, uv = bench.root / "segment_threshold_conda.yaml", bench.root / "segment_threshold.yaml"
    told = bench.told(conda, uv, "--no-noise-floor", code=0)
    assert [part["name"] for part in told["parts"]] == SEGMENTS
    assert all(pair["same"] for pair in bench.files(told).values())
    assert len(bench.files(told)) == 4
    for part in told["parts"]:
        assert part["a"]["environment"] == NAME
        assert part["a"]["python"] == "{}.{}.{}".format(*sys.version_info[:3])
        assert part["a"]["seconds"] > 0
        # all that the uv environment has is in the conda environment, in the version that is for this Python
        if part["a"]["python"] == part["b"]["python"]:
            assert [one for one in part["versions"] if one["b"]] == []
        if by_conda:
            assert {"package": "lab-vars", "a": "1.0", "b": ""} in part["versions"]
