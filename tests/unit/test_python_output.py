"""What a Python of a segment writes into our pipe: UTF-8 on Windows too, where its own choice would be cp1252."""

from __future__ import annotations

import json
from pathlib import Path, PureWindowsPath

import pytest

from runner.environments import Request, Site, kind
from runner.environments.spec import parse_environment
from runner.ground.text import decoded
from runner.host import Captured, Host
from runner.process.launch import child_environ


def refused(*args: object, **more: object) -> Captured:
    return Captured(None, b"", b"", "nothing is asked here")


def child_of(tmp_path: Path, environment: str, platform: str = "win32", **environ: str) -> dict[str, str]:
    """The variables that a segment of this environment gets; all kinds are laid out in one repository."""
    repo = tmp_path / "repo"
    for folder in (repo / ".venvs" / "measure-py3.11", tmp_path / "conda" / "envs" / "er", tmp_path / "script env"):
        (folder / "Scripts").mkdir(parents=True)
        (folder / "conda-meta").mkdir()
        for python in (folder / "Scripts" / "python.exe", folder / "python.exe"):
            python.write_text("")
        (folder / "pyvenv.cfg").write_text("home = C:\\\\Python\n", encoding="utf-8")
    (repo / "pyproject.toml").write_text("[dependency-groups]\nmeasure = []\n", encoding="utf-8")
    (repo / "x.py").write_text("# /// script\n# dependencies = []\n# ///\n", encoding="utf-8")
    (repo / "uv.exe").write_text("")
    own = PureWindowsPath(repo)
    site = Site(Host(platform, environ, own, lambda name: None, refused), own, {}, own / ".venvs")
    spec = parse_environment(environment.replace("ROOT", str(tmp_path)), "", platform)
    if environment == "script":
        from runner.environments.uv import script

        found = script._script(["x.py"], str(own), site)
        found.note.parent.mkdir(parents=True, exist_ok=True)
        python = str(PureWindowsPath(tmp_path / "script env" / "Scripts" / "python.exe"))
        found.note.write_text(json.dumps({"python": python, "key": script._key(found)}), encoding="utf-8")
    command = kind(spec).wrap(Request(spec, ["x.py"], {}, str(own)), site)
    return child_environ(environ, command, platform)


KINDS = ["uv:measure", "script", "ROOT/conda/envs/er", "cmd"]


@pytest.mark.parametrize("environment", KINDS)
def test_python_prints_utf8_on_windows_whatever_its_environment(tmp_path: Path, environment: str) -> None:
    child = child_of(tmp_path, environment)
    assert child["PYTHONIOENCODING"] == "utf-8:backslashreplace"
    assert "PYTHONUTF8" not in child, "it changes what open() reads"


@pytest.mark.parametrize("environment", KINDS)
def test_what_the_user_set_stays(tmp_path: Path, environment: str) -> None:
    child = child_of(tmp_path, environment, PythonIOEncoding="cp1252")
    assert {k: v for k, v in child.items() if k.upper() == "PYTHONIOENCODING"} == {"PythonIOEncoding": "cp1252"}


def test_a_segments_own_value_wins() -> None:
    own = PureWindowsPath("C:\\repo")
    site = Site(Host("win32", {}, own, lambda name: None, refused), own, {}, own)
    spec = parse_environment("cmd", "", "win32")
    command = kind(spec).wrap(Request(spec, ["python x.py"], {"pythonioencoding": "latin-1"}, "C:\\repo"), site)
    found = {k.upper(): v for k, v in child_environ({}, command, "win32").items()}
    assert found["PYTHONIOENCODING"] == "latin-1"


def test_posix_is_left_alone() -> None:
    from pathlib import PurePosixPath

    own = PurePosixPath("/repo")
    site = Site(Host("linux", {}, own, lambda name: None, refused), own, {}, own)
    spec = parse_environment("cmd", "", "linux")
    assert "PYTHONIOENCODING" not in child_environ({}, kind(spec).wrap(Request(spec, ["x"], {}, "/"), site), "linux")


def test_text_is_utf8_and_else_windows_old_code_page() -> None:
    assert decoded("KeyError: 'Größe' →".encode()) == "KeyError: 'Größe' →"
    assert decoded("KeyError: 'Größe'".encode("cp1252")) == "KeyError: 'Größe'"
