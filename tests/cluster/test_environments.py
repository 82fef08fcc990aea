"""conda below uv, and modules, in the jobs of a real Slurm."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from runner.environments.modules_system import find_system
from runner.host import this_host
from runner.model import Finding
from tests.cluster.cluster_lab import ClusterLab
from tests.conda.conda_layout import make_base, make_environment
from tests.support.slurm import Slurm

LOOK = """\
import ctypes, os, sys
from pathlib import Path

said = [ctypes.CDLL("libcells.so").cells(), os.environ["CC_HOME"], os.environ["LOADEDMODULES"]]
Path(sys.argv[1]).write_text("|".join(map(str, said)))
"""


@pytest.fixture
def lab(tmp_path: Path, slurm: Slurm) -> ClusterLab:
    lab = ClusterLab(tmp_path, slurm)
    lab.make()
    return lab


@pytest.mark.skipif(isinstance(find_system(this_host(interactive=False)), Finding), reason="no Environment Modules")
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")
def test_items_on_nodes_get_modules_condas_libraries_and_the_python_of_uv(lab: ClusterLab, tmp_path: Path) -> None:
    prefix = make_environment(make_base(lab.root / "conda") / "envs" / "below")
    source = tmp_path / "cells.c"
    source.write_text("int cells(void) { return 42; }")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", prefix / "lib" / "libcells.so", source], check=True)
    (lab.repo / ".env").write_text(f"CONDA_PATH={lab.root / 'conda'}\n", encoding="utf-8")
    for name in ("gcc/12", "site"):
        file = lab.root / "modulefiles" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("#%Module\nsetenv CC_HOME {/opt/gcc 12}\n", encoding="utf-8")
    lab.site(more='modules = ["site"]')
    script = lab.script("look.py", LOOK)
    resources = {"modules": ["gcc"]}
    keys = {"environment": "conda:below + uv:default", "resources": resources, "foreach": ["a", "b", "c"]}
    commands = ["python", str(script), "%YAML%/%ITEM%.txt"]
    pipeline = lab.pipeline([{"name": "Look", "commands": commands, "outputs": "%YAML%/%ITEM%.txt", **keys}])
    lab.run("run", pipeline, MODULEPATH=str(lab.root / "modulefiles"))
    for name in "abc":
        assert (lab.data / f"{name}.txt").read_text() == "42|/opt/gcc 12|site:gcc/12"
