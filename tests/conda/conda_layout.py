"""conda environments as conda lays them out, made by hand: no conda and no network is needed."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runner.host import Captured

_BASE_PYTHON = os.path.realpath(sys.executable)
_VERSION = "{}.{}.{}".format(*sys.version_info[:3])

Capture = Callable[..., Captured]


def make_environment(
    prefix: Path,
    *,
    scripts: Mapping[str, str] | None = None,
    deactivate: Mapping[str, str] | None = None,
    variables: Mapping[str, Mapping[str, str]] | None = None,
    state: Mapping[str, str] | None = None,
) -> Path:
    """An environment with Python and a console script; `scripts` go to activate.d, `variables` to env_vars.d."""
    meta = prefix / "conda-meta"
    meta.mkdir(parents=True)
    (meta / "history").touch()
    for name, version, channel in (("python", _VERSION, "conda-forge"), ("erosion-tools", "2.0", "local")):
        record = {"build": "0", "build_number": 0, "channel": channel, "name": name, "version": version}
        (meta / f"{name}-{version}-0.json").write_text(json.dumps(record), encoding="utf-8")
    if state is not None:
        (meta / "state").write_text(json.dumps({"version": 1, "env_vars": state}), encoding="utf-8")
    _add_python(prefix)
    for folder, files in (("activate.d", scripts), ("deactivate.d", deactivate)):
        for name, text in (files or {}).items():
            file = prefix / "etc" / "conda" / folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    for name, values in (variables or {}).items():
        file = prefix / "etc" / "conda" / "env_vars.d" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    return prefix


def _add_python(prefix: Path) -> None:
    packages = prefix / "lib" / "python{}.{}".format(*sys.version_info[:2]) / "site-packages"
    for name, installer in (("erosion_tools-2.0", "conda"), ("Extra_Tool-1.5", "pip")):
        (packages / f"{name}.dist-info").mkdir(parents=True)
        (packages / f"{name}.dist-info" / "INSTALLER").write_text(installer + "\n", encoding="utf-8")
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").symlink_to(_BASE_PYTHON)
    # makes sys.prefix the environment; `home` is where the standard library is found
    home = f"home = {Path(_BASE_PYTHON).parent}\ninclude-system-site-packages = false\n"
    (prefix / "pyvenv.cfg").write_text(home, encoding="utf-8")
    tool = prefix / "bin" / "erode"
    tool.write_text('#!/bin/sh\necho "erode $CONDA_DEFAULT_ENV"\n', encoding="utf-8")
    tool.chmod(0o755)


def with_own_python(prefix: Path) -> Path:
    """`prefix` with a Python that is no virtual environment's: it has its standard library for itself."""
    name = "python{}.{}".format(*sys.version_info[:2])
    (prefix / "pyvenv.cfg").unlink()
    (prefix / "bin/python").unlink()
    shutil.copy(_BASE_PYTHON, prefix / "bin/python")
    for library in (Path(_BASE_PYTHON).parent.parent / "lib").glob("libpython*"):
        (prefix / "lib" / library.name).symlink_to(library)
    for part in Path(os.__file__).parent.iterdir():
        if part.name != "site-packages":
            (prefix / "lib" / name / part.name).symlink_to(part)
    return prefix


def make_base(folder: Path) -> Path:
    """A base installation without a conda program that could be asked."""
    make_environment(folder)
    (folder / "condabin").mkdir()
    (folder / "envs").mkdir()
    return folder


class Counting:
    """The real capture, counting what it started."""

    def __init__(self, capture: Capture) -> None:
        self.started: list[str] = []
        self._capture = capture

    def __call__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float = 30.0,
        stdin: bytes = b"",
    ) -> Captured:
        self.started.append(Path(argv[0]).name)
        return self._capture(argv, env=env, cwd=cwd, timeout=timeout, stdin=stdin)
