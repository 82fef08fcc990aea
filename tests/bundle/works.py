"""A lab with an index of its own on this machine, and a runner's repository beside it: what bundles are made of."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote, unquote

import uv as uv_package

from runner.bundle.asked import Asked, Made
from runner.bundle.form import MANIFEST, Manifest, read_manifest
from runner.bundle.make import make
from runner.bundle.target import target_of
from runner.environments import Site
from runner.host import this_host
from runner.pipeline.reader import read_pipeline
from runner.process.stop import StopRequest
from tests.support.lab import clean_environ
from tests.support.wheels import make_wheel

REPO = Path(__file__).resolve().parents[2]
# a package that builds itself, without anything from an index
_BACKEND = """\
import zipfile
def build_wheel(folder, settings=None, metadata=None):
    name = "{name}-1.0-{tag}.whl"
    with zipfile.ZipFile(folder + "/" + name, "w") as archive:
        archive.writestr("{name}.py", "VERSION = '1.0'\\n")
        info = "{name}-1.0.dist-info/"
        archive.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\nLicense: MIT\\n")
        archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: {tag}\\n")
        archive.writestr(info + "RECORD", "")
    return name
"""
_PROJECT = """\
[project]
name = "{name}"
version = "1.0"
requires-python = ">=3.8"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
_TAIL = """
[tool.uv]
package = false

[[tool.uv.index]]
url = "{url}/simple"
default = true
"""


@dataclass
class Index:
    """Wheels and source distributions, served as PyPI does. `spoil` changes what an answer holds."""

    folder: Path
    url: str = ""
    asked: list[str] = field(default_factory=list)
    spoil: Callable[[str, bytes], bytes] = lambda path, data: data
    locked: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    breaks: dict[str, int] = field(default_factory=dict)  # file -> bytes after which its first answers break off

    def add(self, path: Path, room: str = "simple") -> None:
        name = path.name.split("-")[0].replace("_", "-").lower()
        page = self.folder / room / name / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        sum_ = hashlib.sha256(path.read_bytes()).hexdigest()
        line = f'<a href="../../files/{quote(path.name)}#sha256={sum_}">{path.name}</a><br>\n'
        page.write_text((page.read_text() if page.exists() else "") + line)

    def wheel(self, name: str, *tags: str, **options: object) -> None:
        for tag in tags or ("py3-none-any",):
            self.add(make_wheel(self.folder / "files", name, tag=tag, **options))  # type: ignore[arg-type]

    def source(self, name: str, tag: str = "py3-none-any") -> None:
        path = self.folder / "files" / f"{name}-1.0.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for file, text in source_files(name, tag).items():
                info = tarfile.TarInfo(f"{name}-1.0/{file}")
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text.encode()))
        self.add(path)


def source_files(name: str, tag: str = "py3-none-any") -> dict[str, str]:
    return {
        "pyproject.toml": _PROJECT.format(name=name),
        "backend.py": _BACKEND.format(name=name, tag=tag),
        "PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: 1.0\nRequires-Python: >=3.8\n",
    }


@contextmanager
def serving(folder: Path) -> Iterator[Index]:
    (folder / "files").mkdir(parents=True)
    index = Index(folder)

    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            index.asked.append(self.path)
            file = unquote(self.path.rpartition("/")[2])
            path = folder / "files" / file
            if not self.path.startswith("/files/") or not path.is_file():
                super().do_GET()
                return
            data = index.spoil(file, path.read_bytes())
            begin = int((self.headers.get("Range") or "bytes=0-")[6:].partition("-")[0])
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(data) - begin))
            self.send_header("ETag", '"1"')
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            end = index.breaks.pop(file, len(data))
            self.wfile.write(data[begin:end])

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    index.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Works:
    """`repo` is the user's, `own` the runner's, `data` a folder with a pipeline outside of both."""

    root: Path
    index: Index
    environments: Path  # outside: shared with other tests
    served: bool = False  # the index answers as a server, so that pip fetches; else its files are taken as they are
    said: list[str] = field(default_factory=list)

    @property
    def repo(self) -> Path:
        return self.root / "répo sitory"

    @property
    def own(self) -> Path:
        return self.root / "own"

    @property
    def data(self) -> Path:
        return self.root / "dåta set"

    @property
    def output(self) -> Path:
        return self.root / "out" / "lab.bundle"

    @property
    def address(self) -> str:
        return self.index.url if self.served else self.index.folder.as_uri()

    def environ(self) -> dict[str, str]:
        environ = clean_environ(self.root / "home")
        # the group with pip is made once; it comes from the cache of whoever runs the tests
        environ["UV_CACHE_DIR"] = str(CACHE)
        return {name: value for name, value in environ.items() if not name.startswith("PIP_")} | {
            "PIP_CACHE_DIR": str(self.root / "pip"),
            "PIP_CONFIG_FILE": os.devnull,
        }

    def make(self) -> Works:
        for folder in (
            self.repo / "scripts",
            self.own / "runner" / "bundle",
            self.data,
            self.root / "home",
            self.root / "out",
        ):
            folder.mkdir(parents=True)
        for name in ("__init__.py", "bundle/__init__.py", "bundle/form.py", "bundle/unpack.py"):
            shutil.copy(REPO / "runner" / name, self.own / "runner" / name)
        (self.repo / "scripts" / "count.py").write_text("print('counted')\n", encoding="utf-8")
        self.own_project()
        return self

    def own_project(self) -> None:
        """The runner's own, locked once for all tests of an index."""
        known = self.index.locked.get(self.address)
        if known is None:
            self.project(self.own, 'dependencies = ["tool"]\n')
            files = (self.own / "pyproject.toml", self.own / "uv.lock")
            self.index.locked[self.address] = tuple(path.read_bytes() for path in files)
        else:
            (self.own / "pyproject.toml").write_bytes(known[0])
            (self.own / "uv.lock").write_bytes(known[1])

    def project(self, repo: Path, text: str, more: str = "") -> None:
        head = '[project]\nname = "lab"\nversion = "1"\nrequires-python = ">=3.11"\n'
        tail = _TAIL.format(url=self.address)
        (repo / "pyproject.toml").write_text(head + text + tail + more, encoding="utf-8")
        self.uv("lock", "--quiet", cwd=repo)

    def of_pypi(self, *packages: str) -> Works:
        """With a group `a` of real packages."""
        text = '[project]\nname = "lab"\nversion = "1"\nrequires-python = ">=3.11"\n[dependency-groups]\n'
        text += f"a = {list(packages)!r}\n[tool.uv]\npackage = false\n"
        (self.repo / "pyproject.toml").write_text(text, encoding="utf-8")
        self.uv("lock", "--quiet", cwd=self.repo)
        return self

    def groups(self, more: str = "", **groups: Sequence[str]) -> Works:
        text = "[dependency-groups]\n" + "".join(f"{name} = {list(wants)!r}\n" for name, wants in groups.items())
        rules = "".join(f'{name} = {{ requires-python = ">=3.11" }}\n' for name in groups)
        self.project(self.repo, text, f"\n[tool.uv.dependency-groups]\n{rules}{more}")
        return self

    def uv(self, *words: str, cwd: Path) -> str:
        done = subprocess.run(
            [uv_package.find_uv_bin(), *words], cwd=cwd, env=self.environ(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def pipeline(self, text: str, name: str = "pipeline.yaml") -> Path:
        path = self.data / name
        path.write_text(text, encoding="utf-8")
        return path

    def site(self, **environ: str) -> Site:
        host = replace(this_host(interactive=False), environ={**self.environ(), **environ})
        return Site(host, self.repo, {}, self.environments)

    def bundle(
        self,
        *pipelines: Path,
        platform: str = "linux",
        python: str = "3.11",
        update: Path | None = None,
        stop: StopRequest | None = None,
        glibc: str = "",
        dotenv: Mapping[str, str] = MappingProxyType({}),
        **environ: str,
    ) -> Made:
        asked = Asked(
            [(path, read_pipeline(path)) for path in pipelines or [self.data / "pipeline.yaml"]],
            *(self.output, target_of(platform, glibc), python, self.own, update),
        )
        site = replace(self.site(**environ), dotenv=dotenv)
        return make(asked, site, stop or StopRequest(), self.said.append)

    def left(self) -> list[str]:
        """What lies beside the bundle to be."""
        return sorted(path.name for path in self.output.parent.iterdir())


CACHE = Path(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv")


def manifest_of(path: Path) -> Manifest:
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist()[0] == MANIFEST
        return read_manifest(archive.read(MANIFEST))


def read(path: Path, name: str) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode()


def wheels_of(path: Path) -> list[str]:
    return sorted(name.removeprefix("wheels/") for name in manifest_of(path).files if name.startswith("wheels/"))


def segments(*environments: str, command: str = "%REPO%/scripts/count.py") -> str:
    lines = [
        f"- name: S{n}\n  environment: {one}\n  commands: [python, '{command}']\n" for n, one in enumerate(environments)
    ]
    return "run:\n" + "".join(lines)


VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
