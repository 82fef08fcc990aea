"""A repository whose groups need small wheels of its own, so that the real uv works without a network."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runner.environments import Preparation, Site, uv
from runner.environments.prepare import run_preparation
from runner.environments.spec import parse_environment
from runner.environments.uv_binary import find_packaged_uv
from runner.host import Host
from runner.model import Command, EnvironmentSpec, ResolvedEntry
from runner.process.capture import capture

HEAD = """\
[project]
name = "shop"
version = "1"
requires-python = ">=3.11"
dependencies = []

"""


def make_wheel(folder: Path, name: str, version: str = "1.0", *, program: str = "", tag: str = "py3-none-any") -> Path:
    """A wheel with one module `name` that holds VERSION, and a console program if asked for."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    files = {
        f"{module}.py": f"VERSION = {version!r}\ndef main():\n    print({program!r}, VERSION)\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    if program:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{program} = {module}:main\n"
    rows = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(text)}\n")
    files[f"{info}/RECORD"] = "".join(rows) + f"{info}/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{module}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2024, 1, 1, 0, 0, 0)), text)
    return wheel


@dataclass
class Shop:
    """`repo` with groups, each a list of wheels that lie in repo/wheels."""

    repo: Path
    environ: dict[str, str]
    groups: dict[str, list[str]] = field(default_factory=dict)
    wheels: dict[str, Path] = field(default_factory=dict)
    more: str = ""

    def write(self, **groups: Sequence[str]) -> Shop:
        """pyproject.toml with these groups, and uv.lock."""
        self.groups |= {name: list(packages) for name, packages in groups.items()}
        text = HEAD + "[dependency-groups]\n"
        text += "".join(f"{name} = {packages!r}\n" for name, packages in self.groups.items())
        text += "\n[tool.uv]\npackage = false\n\n[tool.uv.sources]\n"
        text += "".join(
            f'{name} = {{ path = "{path.relative_to(self.repo).as_posix()}" }}\n' for name, path in self.wheels.items()
        )
        (self.repo / "pyproject.toml").write_text(text + self.more, encoding="utf-8")
        self.uv("lock", "--quiet")
        return self

    def wheel(self, name: str, version: str = "1.0", **options: str) -> Shop:
        self.wheels[name] = make_wheel(self.repo / "wheels", name, version, **options)
        return self

    def uv(self, *args: str) -> str:
        program = find_packaged_uv()
        assert program
        done = subprocess.run([program, *args], cwd=self.repo, env=self.environ, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def site(self, **environ: str) -> Site:
        host = Host(os.sys.platform, {**self.environ, **environ}, self.repo, lambda name: None, capture)  # type: ignore[attr-defined]
        return Site(host, self.repo, {}, self.repo / ".venvs")

    def spec(self, text: str) -> EnvironmentSpec:
        return parse_environment(text, "", "linux")

    def prepare(self, text: str, site: Site | None = None) -> list[str]:
        """Bring an environment up to date as the engine does; gives the verbs of uv that were started."""
        site = site or self.site()
        preparation = uv.prepare(self.spec(text), ["python"], site)
        return [] if preparation is None else carry_out(preparation, site)

    def start(self, text: str, *entries: ResolvedEntry, cwd: Path | None = None, **environ: str) -> str:
        """What a segment prints."""
        site = self.site(**environ)
        command = uv.wrap(self.spec(text), entries, {}, str(cwd or self.repo), site)
        code, output = run(command, site.host.environ)
        assert code == 0, output
        return output

    def folder(self, text: str) -> Path:
        return Path(uv.place(self.spec(text), self.site()).folder)


def carry_out(preparation: Preparation, site: Site) -> list[str]:
    verbs = []

    def start(command: Command) -> tuple[int, str]:
        verbs.append(command.argv[1])
        return run(command, site.host.environ)

    run_preparation(preparation, start)
    return verbs


def run(command: Command, environ: Mapping[str, str]) -> tuple[int, str]:
    """As runner.process does: the caller's variables, less `unset`, then what the command brings."""
    env = {name: value for name, value in environ.items() if name not in command.unset}
    env |= {**command.activation, **command.env}
    done = subprocess.run(
        command.argv, cwd=command.cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")
