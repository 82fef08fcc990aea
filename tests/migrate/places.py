"""A repository whose packages lie in a folder of wheels, and an installed conda environment laid out by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import uv as uv_package

from tests.support.lab import PRIVATE
from tests.support.wheels import make_wheel

PYPROJECT = """\
# of the whole lab
[project]
name = "lab"
version = "1"
requires-python = ">=3.11"  # the runner's

[dependency-groups]
# counts cells
count = ["grid>=2"]   # not older

[tool.uv]
package = false
find-links = ["wheels"]

[tool.uv.dependency-groups]
count = { requires-python = ">=3.11" }

[tool.ruff]
line-length = 120
"""


@dataclass
class Place:
    """`repo` with pyproject.toml, uv.lock, wheels, conda_envs and pipeline_configs."""

    root: Path
    cache: Path

    @property
    def repo(self) -> Path:
        return self.root / "Labor für 'ER'"

    def make(self, text: str = PYPROJECT) -> Place:
        for folder in ("wheels", "conda_envs", "pipeline_configs"):
            (self.repo / folder).mkdir(parents=True)
        (self.root / "home").mkdir()
        for version in ("1.0", "2.0", "2.1"):
            make_wheel(self.repo / "wheels", "grid", version)
        make_wheel(self.repo / "wheels", "spots", "1.4", ["grid"])
        make_wheel(self.repo / "wheels", "opencv-python", "4.10.0.84")
        (self.repo / "pyproject.toml").write_text(text, encoding="utf-8")
        self.uv("lock")
        return self

    def recipe(self, dependencies: str, name: str = "cells", head: str = "") -> Path:
        """An environment file of conda_envs with these entries, one a line."""
        lines = "".join(f"  {line}\n" for line in dependencies.strip("\n").splitlines())
        path = self.repo / "conda_envs" / f"{name}.yml"
        path.write_text(f"name: {name}\n{head}dependencies:\n{lines}", encoding="utf-8")
        return path

    def environ(self) -> dict[str, str]:
        environ = {k: v for k, v in os.environ.items() if not k.startswith(PRIVATE)}
        home = str(self.root / "home")
        environ |= {"HOME": home, "USERPROFILE": home, "UV_CACHE_DIR": str(self.cache), "UV_OFFLINE": "1"}
        return environ | {"UV_PYTHON_DOWNLOADS": "never", "PYTHONIOENCODING": "utf-8", "COLUMNS": "110"}

    def uv(self, *args: str) -> str:
        done = subprocess.run(
            [uv_package.find_uv_bin(), *args], cwd=self.repo, env=self.environ(), capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def migrate(self, *args: str | Path, code: int | None = 0) -> str:
        """What `run-pipeline migrate` prints, both streams; without a terminal."""
        done = subprocess.run(
            [sys.executable, "-m", "runner", "migrate", "--repo", str(self.repo), *map(str, args)],
            cwd=Path(__file__).resolve().parents[2],
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )
        assert code in (None, done.returncode), f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def records(self, *args: str | Path, code: int | None = 0) -> list[dict[str, object]]:
        """The JSON lines of a migration."""
        lines = self.migrate("--json", *args, code=code).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    @property
    def pyproject(self) -> str:
        return (self.repo / "pyproject.toml").read_text(encoding="utf-8")

    @property
    def lock(self) -> str:
        return (self.repo / "uv.lock").read_text(encoding="utf-8")

    def installs(self, group: str) -> set[str]:
        """`name==version` of a group."""
        lines = self.uv(
            "export", "-q", "--frozen", "--only-group", group, "--no-header", "--no-hashes", "--no-annotate"
        )
        return {line.partition(" ")[0] for line in lines.splitlines()}


def make_installed(prefix: Path, packages: Sequence[Mapping[str, object]], subdir: str = "linux-64") -> Path:
    """A conda environment: for each package a record, and the metadata of its Python packages (`dists`)."""
    windows = subdir.startswith("win")
    site = "Lib/site-packages" if windows else "lib/python3.11/site-packages"
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / site).mkdir(parents=True)
    for package in packages:
        files = [str(name) for name in package.get("files", [])]  # type: ignore[attr-defined]
        for dist, version in dict(package.get("dists", {})).items():  # type: ignore[call-overload]
            info = f"{site}/{str(dist).replace('-', '_')}-{version}.dist-info"
            files.append(f"{info}/METADATA")
            (prefix / info).mkdir()
            text = f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n\nVersion: of the description\n"
            (prefix / info / "METADATA").write_text(text, encoding="utf-8")
        if package.get("pip"):
            continue  # pip leaves no record in conda-meta
        record = {"channel": "conda-forge", "build": "0", "subdir": subdir, "depends": [], **package, "files": files}
        path = prefix / "conda-meta" / f"{package['name']}-{package.get('version', '1')}-0.json"
        path.write_text(json.dumps(record), encoding="utf-8")
    return prefix
