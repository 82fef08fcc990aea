"""What is active in the caller's shell: told, and whom it reaches."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from runner.doctor import State
from tests.conda.conda_layout import make_environment, with_own_python
from tests.doctor.machine import Machine, only

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these environments are laid out as on POSIX")
TITLE = "this shell"
CMD = {"name": "a", "environment": "cmd", "commands": ["echo"]}


@pytest.fixture(autouse=True)
def nothing_of_the_callers(machine: Machine) -> None:
    for name in ("LD_LIBRARY_PATH", "LOADEDMODULES", "PYTHONDONTWRITEBYTECODE"):
        machine.shop.environ.pop(name, None)


def test_an_empty_shell_is_well(machine: Machine) -> None:
    assert machine.said(TITLE) == [("ok", "no environment and no module is active in this shell")]


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"CONDA_PREFIX": "/opt/conda/envs/gis"}, "the conda environment /opt/conda/envs/gis is active"),
        (
            {"CONDA_PREFIX": "/lab/.pixi/envs/default", "PIXI_IN_SHELL": "1"},
            "the pixi environment /lab/.pixi/envs/default is active",
        ),
        ({"VIRTUAL_ENV": "/lab/.venv"}, "the virtual environment /lab/.venv is active"),
        ({"LOADEDMODULES": "gcc/12:conda/latest"}, "modules are loaded in this shell: gcc/12, conda/latest"),
        ({"PYTHONPATH": "/x", "PYTHONHOME": "/y"}, "PYTHONHOME, PYTHONPATH are set in this shell"),
        ({"LD_LIBRARY_PATH": "/opt/drivers"}, "LD_LIBRARY_PATH is set in this shell: /opt/drivers"),
    ],
)
def test_what_is_active_is_told_and_does_no_harm(machine: Machine, environ: dict[str, str], said: str) -> None:
    machine.environ = environ
    line = only(machine.lines(TITLE))
    assert (line.state, line.text.startswith(said)) == (State.OK, True), line
    assert line.cure


def test_a_variable_of_python_that_a_segment_of_the_shell_sees_is_a_warning(machine: Machine) -> None:
    machine.environ = {"PYTHONPATH": "/x"}
    machine.pipeline(CMD)
    line = only(machine.lines(TITLE))
    assert line.state is State.WARNING
    assert "and the `cmd` segments (1) see it" in line.text


def test_a_folder_of_libraries_that_break_other_programs_is_a_warning(machine: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "libraries"
    folder.mkdir()
    (folder / "libstdc++.so.6").touch()
    machine.environ = {"LD_LIBRARY_PATH": f"{folder}:/opt/conda/lib", "CONDA_PREFIX": "/opt/conda"}
    line = next(line for line in machine.lines(TITLE) if line.state is State.WARNING)
    assert f"leads each segment to {folder} first, which holds libstdc++.so" in line.text


def test_an_environment_that_was_made_on_condas_python_is_a_warning(machine: Machine, tmp_path: Path) -> None:
    prefix = with_own_python(make_environment(tmp_path / "conda"))
    machine.shop.prepare("uv:plain", machine.shop.site(PATH=str(prefix / "bin"), UV_PYTHON_PREFERENCE="only-system"))
    assert only(machine.lines(TITLE)).text.startswith(f"plain was made on the Python of conda in {prefix}")
