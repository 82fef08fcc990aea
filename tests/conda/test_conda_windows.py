"""conda environments on Windows, laid out in a folder of the test; cmd.exe is a program that behaves like it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PureWindowsPath

import pytest

from runner.environments import Request, Site, kind
from runner.environments.conda.activation_cache import activated
from runner.environments.spec import parse_environment
from runner.errors import EnvironmentMissing
from runner.host import Host
from runner.process.capture import capture
from runner.process.launch import child_environ
from tests.support.programs import stand_in

SPEC = parse_environment("ernet-gpu", "", "win32")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    base = tmp_path / "mini forge"
    for file in ("condabin/conda.bat", "python.exe", "conda-meta/history"):
        (base / file).parent.mkdir(parents=True, exist_ok=True)
        (base / file).touch()
    prefix = base / "envs" / "ernet-gpu"
    for file in ("python.exe", "Scripts/tool.bat", "conda-meta/history"):
        (prefix / file).parent.mkdir(parents=True, exist_ok=True)
        (prefix / file).touch()
    return base


@pytest.fixture
def site_of(tmp_path: Path, base: Path) -> Callable[..., Site]:
    program = stand_in(tmp_path / "cmd.exe", Path(__file__).with_name("fake_cmd.py"))

    def make(**environ: str) -> Site:
        given = {"PATH": r"C:\Windows\system32;C:\Windows", "COMSPEC": str(program), **environ}
        host = Host("win32", given, PureWindowsPath(tmp_path / "home"), lambda name: None, capture)
        repo = PureWindowsPath(tmp_path / "repo")
        return Site(host, repo, {"CONDA_PATH": str(base)}, repo / ".venvs")

    return make


def scripts(base: Path, **texts: str) -> None:
    folder = base / "envs" / "ernet-gpu" / "etc" / "conda" / "activate.d"
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / f"{name}.bat").write_text(text, encoding="utf-8")


def test_the_environments_own_python_is_started(base: Path, site_of: Callable[..., Site]) -> None:
    prefix = PureWindowsPath(base / "envs" / "ernet-gpu")
    command = kind(SPEC).wrap(Request(SPEC, ["python", r"C:\repo\a.py"], {}, "C:\\", dry=True), site_of())
    assert command.argv == (rf"{prefix}\python.exe", r"C:\repo\a.py")
    assert command.raw_command_line is None
    assert kind(SPEC).check(SPEC, ["python"], site_of()) == []


def test_a_plan_for_a_disk_that_is_not_there_names_the_environment_in_it(site_of: Callable[..., Site]) -> None:
    site = replace(site_of(), dotenv={"CONDA_PATH": r"Q:\mini forge"})
    command = kind(SPEC).wrap(Request(SPEC, ["python", "a.py"], {}, "C:\\", dry=True), site)
    assert command.argv == (r"Q:\mini forge\envs\ernet-gpu\python.exe", "a.py")
    blanks = parse_environment(" uv:default ", "", "win32")
    assert kind(blanks).wrap(Request(blanks, ["python"], {}, "C:\\", dry=True), site).argv == ("python",)


def test_a_batch_file_of_the_environment_is_found(base: Path, site_of: Callable[..., Site]) -> None:
    tool = PureWindowsPath(base / "envs" / "ernet-gpu" / "Scripts" / "tool.bat")
    command = kind(SPEC).wrap(Request(SPEC, ["tool", "a b", "50%"], {}, "C:\\", dry=True), site_of())
    assert command.argv == (str(tool), "a b", "50%")


def test_path_and_variables_are_those_of_conda(base: Path, site_of: Callable[..., Site]) -> None:
    prefix = PureWindowsPath(base / "envs" / "ernet-gpu")
    change = activated(site_of(), prefix, PureWindowsPath(base))
    parts = change.variables["PATH"].split(";")
    library = [rf"{prefix}\Library\{name}" for name in (r"mingw-w64\bin", r"usr\bin", "bin")]
    folders = [str(prefix), *library, rf"{prefix}\Scripts", rf"{prefix}\bin", rf"{PureWindowsPath(base)}\condabin"]
    assert parts == [*folders, r"C:\Windows\system32", r"C:\Windows"]
    assert change.variables["CONDA_DEFAULT_ENV"] == "ernet-gpu"


def test_batch_scripts_of_the_environment_are_run_once(base: Path, site_of: Callable[..., Site]) -> None:
    scripts(
        base,
        b='@echo noise {"PATH": 1}\nset "SECOND=%FIRST%;ü"\n',
        a='@set "FIRST=%CONDA_PREFIX%\\lib"\n@set GONE=\n',
    )
    prefix = PureWindowsPath(base / "envs" / "ernet-gpu")
    change = activated(site_of(GONE="x"), prefix, PureWindowsPath(base))
    assert change.variables["FIRST"] == rf"{prefix}\lib"
    assert change.variables["SECOND"] == rf"{prefix}\lib;ü"
    assert change.unset == ("GONE",)
    assert not [name for name in change.variables if name.startswith("RUN_PIPELINE_")]
    (kept,) = Path(base.parent / "repo" / ".venvs" / "activation").iterdir()
    assert json.loads(kept.read_text("utf-8"))["set"]["FIRST"] == rf"{prefix}\lib"


def test_a_batch_script_that_ends_cmd_is_named(base: Path, site_of: Callable[..., Site]) -> None:
    scripts(base, a="@set A=1\n", b="exit 3\n")
    with pytest.raises(EnvironmentMissing, match=r"b\.bat.*code 3"):
        activated(site_of(), PureWindowsPath(base / "envs" / "ernet-gpu"), PureWindowsPath(base))


def test_a_uv_group_stands_on_its_variables_and_folders(
    base: Path, site_of: Callable[..., Site], tmp_path: Path
) -> None:
    scripts(base, a='set "PROJ_DATA=%CONDA_PREFIX%\\Library\\share\\proj"\nset PYTHONHOME=%CONDA_PREFIX%\n')
    made = tmp_path / "repo" / ".venvs" / "tools-py3.11"
    (made / "Scripts").mkdir(parents=True)
    (made / "Scripts" / "python.exe").touch()
    (made / "pyvenv.cfg").write_text("home = C:\\Python\n", encoding="utf-8")
    (tmp_path / "repo" / "pyproject.toml").write_text("[dependency-groups]\ntools = []\n", encoding="utf-8")
    spec = parse_environment("conda:ernet-gpu + uv:tools", "", "win32")
    site = site_of(PYTHONPATH=r"C:\other", VIRTUAL_ENV=r"C:\old")
    command = kind(spec).wrap(Request(spec, ["x.py", "a b"], {}, r"C:\data"), site)
    prefix, own = PureWindowsPath(base / "envs" / "ernet-gpu"), PureWindowsPath(made)
    child = child_environ(site.host.environ, command, "win32")
    assert command.argv == (str(own / "Scripts" / "python"), "x.py", "a b")
    folders = child["PATH"].split(";")
    assert folders[:2] == [str(own / "Scripts"), str(prefix)]
    assert str(prefix / "Library" / "bin") in folders
    assert folders[-2:] == [r"C:\Windows\system32", r"C:\Windows"]
    assert (child["VIRTUAL_ENV"], child["CONDA_PREFIX"]) == (str(own), str(prefix))
    assert not {"PYTHONHOME", "PYTHONPATH", "CONDA_EXE", "CONDA_PYTHON_EXE", "LD_LIBRARY_PATH"} & child.keys()
    assert child["PROJ_DATA"].endswith("proj")


def test_in_a_linux_distribution_there_are_uv_groups_alone(site_of: Callable[..., Site]) -> None:
    spec = parse_environment("conda:ernet-gpu + uv:tools", "Ubuntu", "win32")
    (found,) = kind(spec).check(spec, ["x.py"], site_of())
    assert "works with uv groups only, not with 'conda:ernet-gpu + uv:tools'" in found.message
