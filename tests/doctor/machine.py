"""A machine to look at: a repository, a home folder and a PATH of the test's own; what runs is real."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

import yaml

from runner.doctor import Check, Context, Line
from runner.doctor.checks import CHECKS
from runner.doctor.examine import examine
from runner.environments import Site
from runner.ground.registry import Registry
from runner.host import Host
from runner.pipeline.reader import read_pipeline
from runner.process.capture import capture
from runner.records.layout import records_root
from runner.tasks import make_task
from tests.support.programs import program
from tests.uv.shop import Shop

SLEEPS = "import time; time.sleep(60)"


def check(title: str) -> Check:
    return next(one for one in CHECKS if one.title == title)


@dataclass
class Machine:
    """`shop` is its repository with real uv groups; programs in `programs` are what `which` finds."""

    shop: Shop
    programs: Path
    platform: str = sys.platform
    dotenv: dict[str, str] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    registry: Registry = lambda key: None
    file: Path | None = None
    gpu: bool = False
    nvml: Callable[[], Any] = lambda: None  # NVIDIA's library

    @property
    def repo(self) -> Path:
        return self.shop.repo

    @property
    def home(self) -> Path:
        return Path(self.shop.environ["HOME"])

    def program(self, name: str, *lines: str, folder: Path | None = None) -> Path:
        """An executable that runs these lines of Python."""
        return program((folder or self.programs) / name, "\n".join(("import sys", *lines)))

    def pipeline(self, *segments: Mapping[str, Any]) -> Path:
        self.file = self.repo.parent / "data" / "pipeline.yaml"
        self.file.parent.mkdir(exist_ok=True)
        text = yaml.safe_dump({"run": [dict(one) for one in segments]}, allow_unicode=True, sort_keys=False, width=1000)
        self.file.write_text(text, encoding="utf-8")
        return self.file

    def context(self) -> Context:
        pure: type[PurePath] = PureWindowsPath if self.platform == "win32" else PurePosixPath
        if self.platform == sys.platform:
            pure = Path
        # the Python of these tests can be found, and little else
        folders = [self.programs, Path(sys.executable).resolve().parent, "/usr/bin", "/bin"]
        path = os.pathsep.join(map(str, folders)) if os.name != "nt" else self.shop.environ["PATH"]
        environ = {**self.shop.environ, "PATH": path, **self.environ}
        host = Host(self.platform, environ, pure(self.home), self.which, capture, False, self.nvml)
        site = Site(host, pure(self.repo), self.dotenv, pure(self.repo / ".venvs"))
        if self.file is None:
            return Context(site, gpu=self.gpu, registry=self.registry)
        pipeline = read_pipeline(self.file)
        jobs = tuple(make_task(one, pipeline, site) for one in pipeline.segments if not one.is_control)
        records = records_root(self.file, None)
        return Context(site, pipeline, jobs, records=records, gpu=self.gpu, registry=self.registry)

    def which(self, name: str) -> str | None:
        found = shutil.which(name, path=str(self.programs))
        return found or (shutil.which(name.removesuffix(".exe"), path=str(self.programs)) if name else None)

    def lines(self, title: str, *, longest: float = 8.0) -> list[Line]:
        """What a check says, run as the command runs it."""
        (result,) = examine([check(title)], self.context(), longest=longest)
        return list(result.lines)

    def said(self, title: str) -> list[tuple[str, str]]:
        return [(line.state.value, line.text) for line in self.lines(title)]


def only(lines: Sequence[Line]) -> Line:
    (line,) = lines
    return line
