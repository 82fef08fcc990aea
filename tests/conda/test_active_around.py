"""An environment that is active around the runner: what a segment sees is what it sees without."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.conda.conda_layout import make_base, make_environment
from tests.conda.test_conda_real import ACTIVATE, in_shell
from tests.support.lab import Lab, segment
from tests.support.real_conda import RealConda

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these environments are laid out as on POSIX")
SHOW = """\
# /// script
# dependencies = []
# ///
import json, os, sys
print(json.dumps({**os.environ, "base": sys.base_prefix}))
"""
OWN = ("RUN_PIPELINE_", "UV_RUN_", "__CF")  # the runner's marks for this process tree
# what a package sets when it is activated, as proj, gdal, a JDK and the compilers of conda-forge do
SCRIPT = """\
export PROJ_DATA="$CONDA_PREFIX/share/proj" GDAL_DATA="$CONDA_PREFIX/share/gdal" CUDA_HOME="$CONDA_PREFIX"
export GI_TYPELIB_PATH="$CONDA_PREFIX/lib/girepository-1.0:$CONDA_PREFIX/lib/more" JAVA_HOME="$CONDA_PREFIX/lib/jvm"
export LD_LIBRARY_PATH="$CONDA_PREFIX/lib:/opt/drivers" PYTHONPATH=/other PYTHONHOME=
export _PYTHON_SYSCONFIGDATA_NAME=_sysconfigdata_x86_64_conda EBPYTHONPREFIXES=/apps/python
"""


def seen(lab: Lab, environment: str, **environ: str) -> dict[str, str]:
    script = lab.script("show.py", SHOW)
    pipeline = lab.pipeline([segment("Show", "python", str(script), environment=environment)])
    said = lab.run(pipeline, "--force", **environ).stdout
    told: dict[str, str] = json.loads(next(line for line in said.splitlines() if line.startswith('{"')))
    return {name: text for name, text in told.items() if not name.startswith(OWN)}


@pytest.fixture
def around(lab: Lab) -> Path:
    base = make_base(lab.root / "conda")
    make_environment(base / "envs" / "inner", scripts={"a.sh": 'export INNER="$CONDA_PREFIX"\n'})
    (lab.repo / ".env").write_text(f"CONDA_PATH={base}\n", encoding="utf-8")
    return make_environment(base / "envs" / "outer", scripts={"a.sh": SCRIPT})


KINDS = ("uv:default", "script", "inner", "conda:inner + uv:default")


def compared(lab: Lab, environment: str, active: dict[str, str], prefix: Path) -> None:
    """All is the same, but for folders on PATH, behind the segment's own, where uv keeps the caller's PATH."""
    plain = seen(lab, environment)
    active.pop("HOME", None)
    if environment != "inner":  # to conda it is as good as any
        active["UV_PYTHON"] = "3.99"
    told = seen(lab, environment, **active)
    path, usual = told.pop("PATH").split(":"), plain.pop("PATH").split(":")
    assert path[0] == usual[0]
    assert told.pop("LD_LIBRARY_PATH", "").replace("/opt/drivers", "").strip(":") == plain.pop("LD_LIBRARY_PATH", "")
    assert told == plain
    assert not told["base"].startswith(str(prefix))


@pytest.mark.parametrize("environment", KINDS)
def test_an_activated_conda_environment_does_no_harm(
    lab: Lab, conda: RealConda, around: Path, environment: str
) -> None:
    active = in_shell(conda, ACTIVATE, around, environ=lab.environ())
    assert (active["CONDA_PREFIX"], active["CUDA_HOME"]) == (str(around), str(around))
    compared(lab, environment, active, around)


@pytest.mark.parametrize("environment", KINDS)
def test_an_activated_pixi_environment_does_no_harm(lab: Lab, around: Path, environment: str) -> None:
    """pixi cannot be had here: the variables are those that its page names."""
    prefix = make_environment(lab.root / "project" / ".pixi" / "envs" / "default", scripts={"a.sh": SCRIPT})
    own = {"CONDA_PREFIX": str(prefix), "CONDA_DEFAULT_ENV": "project", "CONDA_SHLVL": "1", "PIXI_IN_SHELL": "1"}
    own |= {"PIXI_PROJECT_NAME": "project", "PIXI_PROJECT_ROOT": str(lab.root), "PIXI_PROJECT_VERSION": "0.1.0"}
    own |= {"PIXI_PROJECT_MANIFEST": str(lab.root / "pixi.toml"), "PIXI_ENVIRONMENT_PLATFORMS": "linux-64,win-64"}
    own |= {"PIXI_ENVIRONMENT_NAME": "default", "PIXI_PROMPT": "(project) "}
    lines = [shutil.which("bash") or "bash", "-c", f'{SCRIPT}export PATH="{prefix}/bin:$PATH"; exec env -0']
    done = subprocess.run(lines, env=lab.environ(**own), capture_output=True, check=True)
    active = dict(one.split("=", 1) for one in done.stdout.decode().split("\0") if "=" in one)
    active = {name: text for name, text in active.items() if name not in ("_", "SHLVL", "PWD", "OLDPWD")}
    compared(lab, environment, active, prefix)


@pytest.mark.parametrize("environment", KINDS)
def test_an_activated_virtual_environment_does_no_harm(lab: Lab, around: Path, environment: str) -> None:
    folder = lab.root / "project" / ".venv"
    venv.create(folder, with_pip=False)
    active = {"VIRTUAL_ENV": str(folder), "VIRTUAL_ENV_PROMPT": "project", "MYPYPATH": f"{folder}/stubs"}
    active |= {"PATH": f"{folder}/bin:{lab.environ()['PATH']}", "PYTHONPATH": "/other"}
    compared(lab, environment, active, folder)
