"""A repository whose groups need small wheels of its own, so that the real uv works without a network."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.environments import Preparation, Request, Site
from runner.environments.prepare import run_preparation
from runner.environments.spec import parse_environment
from runner.environments.store import platform_folder, store_at, variables
from runner.environments.uv import kind as uv
from runner.environments.uv.binary import find_packaged_uv
from runner.host import Host
from runner.model import Command, EnvironmentSpec, ResolvedEntry
from runner.process.capture import capture
from tests.support.wheels import make_wheel

HEAD = """\
[project]
name = "shop"
version = "1"
requires-python = ">=3.11"
dependencies = []

"""


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
        host = Host(
            os.sys.platform, {**self.environ, **environ}, Path(self.environ["HOME"]), lambda name: None, capture
        )  # type: ignore[attr-defined]
        return Site(host, self.repo, {}, self.repo / ".venvs")

    def in_store(self, folder: Path, **environ: str) -> Site:
        """As `site`, with a store in `folder` in force."""
        site = self.site(**environ)
        store = store_at(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "store.json").write_text('{"format": 1}', encoding="utf-8")
        host = replace(site.host, environ={**variables(store, site.host), **site.host.environ})
        return replace(site, host=host, environments=folder / "environments" / platform_folder(host), store=store)

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
        command = uv.wrap(Request(self.spec(text), entries, {}, str(cwd or self.repo)), site)
        code, output = run(command, site.host.environ)
        assert code == 0, output
        return output

    def folder(self, text: str) -> Path:
        return Path(uv.place(self.spec(text), self.site()).folder)


def carry_out(preparation: Preparation, site: Site) -> list[str]:
    verbs = []

    def start(command: Command) -> tuple[int, str]:
        verbs.append(command.argv[1] if command.stop_leader_only else "compile")
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
