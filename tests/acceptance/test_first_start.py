"""The first start on a machine with nothing but Python and pip."""

from __future__ import annotations

import os
import shutil
import subprocess
import venv
from pathlib import Path

import pytest

from tests.support.lab import clean_environ

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A Python with pip alone."""
    folder = tmp_path / "bare python"
    venv.create(folder, with_pip=True)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the repository, in a folder with blanks and an umlaut."""
    target = tmp_path / "my läb"
    target.mkdir()
    for name in ("pyproject.toml", "uv.lock", "README.md", "LICENSE"):
        shutil.copy(REPO / name, target)
    shutil.copytree(REPO / "runner", target / "runner", ignore=shutil.ignore_patterns("__pycache__"))
    return target


def test_the_first_start_sets_the_runner_up_and_the_second_does_not(tmp_path: Path, bare: Path, copy: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environ = clean_environ(home)
    first = subprocess.run(
        [bare, "-m", "runner", "--version"], cwd=copy, env=environ, capture_output=True, text=True, check=False
    )
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("run-pipeline ")
    assert "First start: setting up" in first.stderr
    installed = copy / ".venv" / ("Scripts/run-pipeline.exe" if os.name == "nt" else "bin/run-pipeline")
    assert installed.exists()
    pipeline = copy / "p.yaml"
    pipeline.write_text("run:\n- {name: x, environment: cmd, commands: ['echo %REPO%']}\n", encoding="utf-8")
    second = subprocess.run(
        [bare, "-m", "runner", "p.yaml"], cwd=copy, env=environ, capture_output=True, text=True, check=False
    )
    assert second.returncode == 0, second.stderr
    assert "setting up" not in second.stderr
    # the repository is found from anywhere, by the program that the set-up installed
    third = subprocess.run(
        [installed, str(pipeline), "--force", "--dry-run", "--json"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f'"cwd": "{copy}"'.encode("ascii", "backslashreplace").decode().replace("\\xe4", "\\u00e4") in third.stdout


def test_a_python_that_is_too_old_is_named() -> None:
    old = shutil.which("python3.10") or shutil.which("python3.9")
    if old is None or subprocess.run([old, "-c", "pass"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no Python older than 3.11 is here")
    done = subprocess.run([old, "-m", "runner"], cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "needs Python 3.11" in done.stderr
    assert "Traceback" not in done.stderr
