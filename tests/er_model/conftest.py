"""The programs for synthetic ER and the default model, in the environment of their group."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.programs.conftest import PROGRAMS, REPO, child_environment, python_of, shared

__all__ = ["shared"]  # a fixture: environments that all test processes share

INSIDE = Path(__file__).with_name("inside_er.py")


@dataclass(frozen=True)
class Er:
    """Runs programs, and computes with the libraries of their environment."""

    environments: Path
    folder: Path

    def command(self, program: str, *arguments: object) -> list[str]:
        python = python_of("segment_er", self.environments)
        return [str(python), str(PROGRAMS / f"{program}.py"), *(str(argument) for argument in arguments)]

    def run(self, program: str, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Runs a program; its exit code must be `code`."""
        done = subprocess.run(
            self.command(program, *arguments),
            cwd=self.folder,
            env=child_environment(self.environments),
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )
        assert done.returncode == code, f"{program} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def inside(self, task: str, *arguments: object) -> Any:
        """What a function of inside_er.py gives."""
        return inside(self.environments, task, *(str(argument) for argument in arguments))


@cache
def inside(environments: Path, task: str, *arguments: str) -> Any:
    python = python_of("segment_er", environments)
    done = subprocess.run(
        [str(python), str(INSIDE), str(REPO), task, *arguments],
        env=child_environment(environments),
        check=True,
        stdout=subprocess.PIPE,
    )
    return json.loads(done.stdout)


@pytest.fixture
def er(shared: Path, tmp_path: Path) -> Er:
    return Er(shared, tmp_path)
