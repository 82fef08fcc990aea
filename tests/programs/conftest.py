"""The segment programs as they run in practice: real processes, each in the environment of its group."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

REPO = Path(__file__).resolve().parents[2]
PROGRAMS = REPO / "standard_code" / "python"
CELL = REPO / "pipeline_configs" / "example_data" / "cell.png"
# Of programs that share the environment of another one.
GROUPS = {"extract_metadata": "bioio", "merge_channels": "convert_to_tif", "mask2imageJROI": "mask_measure"}
INSIDE = Path(__file__).with_name("inside.py")
# Read before the tests get an empty home: uv's cache saves a download of 100 MB in each test run.
UV_HOME = {
    name: os.environ[name] for name in ("HOME", "USERPROFILE", "UV_CACHE_DIR", "UV_OFFLINE") if name in os.environ
}


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Only one test process at a time; a crashed one is waited for five minutes at most."""
    deadline = time.monotonic() + 300
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
            break
        except (FileExistsError, PermissionError):  # Windows: while the other one is removing it
            assert time.monotonic() < deadline, f"{lock} was left behind"
            time.sleep(0.05)
    try:
        yield
    finally:
        lock.unlink()


def child_environment(shared: Path) -> dict[str, str]:
    """The caller's, without what would lead uv or Python elsewhere; compiled modules stay out of the checkout."""
    poison = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if name not in poison and not name.startswith("UV_")}
    return kept | {"PYTHONPYCACHEPREFIX": str(shared / "pycache"), "PYTHONIOENCODING": "utf-8"}


def python_of(group: str, folder: Path) -> Path:
    """The interpreter of the group's environment, made by uv when it is not there yet."""
    environment = folder / group
    with exclusive(folder / f"{group}.lock"):
        if not (environment / "ready").exists():
            subprocess.run(
                [find_uv_bin(), "sync", "-q", "--locked", "--only-group", group, "--python", sys.executable],
                cwd=REPO,
                env=child_environment(folder)
                | UV_HOME
                | {"UV_PROJECT_ENVIRONMENT": str(environment), "UV_COMPILE_BYTECODE": "0"},
                check=True,
            )
            (environment / "ready").touch()
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


# a process of tests/programs/inside.py for each group: importing its libraries takes longer than most of what is asked
_HELPERS: dict[str, subprocess.Popen[str]] = {}


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What all test processes share: environments and made images. The last process removes it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "environments"
    users = folder / "users"
    users.mkdir(parents=True, exist_ok=True)
    me = users / str(os.getpid())
    me.touch()
    yield folder
    while _HELPERS:
        _, helper = _HELPERS.popitem()
        helper.communicate()
    with exclusive(folder / "users.lock"):
        me.unlink(missing_ok=True)  # each conftest that imports this fixture has one of its own
        if not any(users.iterdir()):
            for entry in folder.iterdir():
                if entry.is_dir() and entry != users:
                    shutil.rmtree(entry)


@dataclass(frozen=True)
class Programs:
    """Runs programs, and looks at images with the libraries of their environments."""

    shared: Path
    folder: Path

    def command(self, program: str, *arguments: object, group: str = "") -> list[str]:
        """The program of that name, in its group or another one."""
        return self._python(group or GROUPS.get(program, program), PROGRAMS / f"{program}.py", *arguments)

    def run(self, program: str, *arguments: object, code: int = 0, group: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a program; its exit code must be `code`."""
        done = subprocess.run(
            self.command(program, *arguments, group=group),
            cwd=self.folder,
            env=self.environ(),
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )
        assert done.returncode == code, f"{program} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def environ(self) -> dict[str, str]:
        return child_environment(self.shared)

    def look(self, path: Path) -> dict[str, Any]:
        """What a TIFF file holds."""
        return self._inside("segment_threshold", "look", path)

    def picture(self, path: Path) -> dict[str, Any]:
        """What a PNG file shows."""
        return self._inside("draw_outlines", "picture", path)

    def write_czi(self, path: Path, *, coloured: bool = False) -> Path:
        """A small CZI file."""
        self._inside("bioio_czi", "write_coloured_czi" if coloured else "write_czi", path)
        return path

    def write_czi_scenes(self, path: Path, *numbers: int) -> Path:
        """A small CZI file with those scenes, which it does not list."""
        self._inside("bioio_czi", "write_czi_scenes", path, json.dumps(numbers))
        return path

    def as_nd2_reads_it(self, path: Path, converted: Path) -> dict[str, Any]:
        """What the package nd2 says of the file, and whether the converted image has equal pixels."""
        return dict(self._inside("bioio", "as_nd2_reads_it", path, converted))

    def convert_large(self) -> int:
        """The memory that a large file takes, in bytes."""
        return int(self._inside_alone("convert_to_tif", "convert_large", self.folder))

    def segmented(self, tried: list[tuple[str, list[object]]]) -> list[list[int]]:
        """The areas of the objects that segment_threshold finds, for images and its arguments; in one process."""
        return self._inside_alone("segment_threshold", "segmented", json.dumps(tried))  # type: ignore[no-any-return]

    def grey_levels(self, *asked: list[Any]) -> list[Any]:
        """What functions of tests/programs/grey_levels.py give, each a name and arguments; in one process."""
        return list(self._inside_alone("segment_threshold", "grey_levels", json.dumps(asked, default=str)))

    def rois(self, path: Path) -> dict[str, Any]:
        """The ROIs in a zip file."""
        return self._inside("mask_measure", "rois", path)

    def make(self, kind: str, path: Path) -> Path:
        """Puts one of the images there that tests/programs/inside.py knows."""
        made = self.once("images", lambda folder: self._inside("convert_to_tif", "make_all", folder))
        path.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(made / kind, path))

    def write_tiff(self, path: Path, shape: tuple[int, ...], **options: Any) -> Path:
        """Puts a TIFF file there that counts from 0; `options` are those of tifffile."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._inside("convert_to_tif", "write_tiff", path, json.dumps(shape), json.dumps(options))
        return path

    def shown(self, kind: str, path: Path) -> Path:
        """Puts one of the images there that tests/programs/shown_images.py knows."""
        made = self.once("shown", lambda folder: self._inside("convert_to_tif", "make_shown", folder))
        path.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(made / (kind if "." in kind else f"{kind}.tif"), path))

    def differing(self, folder: Path, kinds: list[str]) -> dict[str, str]:
        """Those of the converted images that are not what a viewer shows."""
        return dict(self._inside("convert_to_tif", "differing", folder, *kinds))

    def write_set(self, folder: Path, images: dict[str, list[str]], companion: str = "", more: str = "") -> None:
        """Puts images there that lie in several files, as tests/programs/inside.py says."""
        folder.mkdir(parents=True, exist_ok=True)
        self._inside("convert_to_tif", "write_set", folder, json.dumps(images), companion, more)

    def once(self, name: str, fill: Callable[[Path], object]) -> Path:
        """A folder that all test processes share; the first one fills it."""
        folder = self.shared / name
        with exclusive(self.shared / f"{name}.lock"):
            if not folder.exists():
                part = folder.with_name(f"{name}.part")
                fill(part)
                part.rename(folder)
        return folder

    def holds(self, path: Path, formula: str, **places: int) -> bool:
        """Whether each pixel of a TIFF file is what `value_at` of tests/support/<formula>.py says."""
        return bool(self._inside("convert_to_tif", "holds", path, formula, json.dumps(places)))

    def _inside(self, group: str, *task: object) -> Any:
        """What tests/programs/inside.py makes of a task, in the environment of a group."""
        if group not in _HELPERS:
            _HELPERS[group] = subprocess.Popen(
                self._python(group, INSIDE, "serve"),
                env=self.environ(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                encoding="utf-8",
            )
        helper = _HELPERS[group]
        assert helper.stdin and helper.stdout
        print(json.dumps([str(word) for word in task]), file=helper.stdin, flush=True)
        told = json.loads(helper.stdout.readline())
        assert "is" in told, told["error"]
        return told["is"]

    def _inside_alone(self, group: str, *arguments: object) -> Any:
        """The same in a process of its own: for what measures its memory, or runs a program's functions."""
        done = subprocess.run(
            self._python(group, INSIDE, *arguments), env=self.environ(), check=True, stdout=subprocess.PIPE
        )
        return json.loads(done.stdout)

    def _python(self, group: str, *arguments: object) -> list[str]:
        return [str(python_of(group, self.shared)), *(str(argument) for argument in arguments)]


@pytest.fixture
def programs(shared: Path, tmp_path: Path) -> Programs:
    return Programs(shared, tmp_path)


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    """The real micrograph, in a folder whose name is as names are."""
    folder = tmp_path / "Größe & data [1]"
    folder.mkdir()
    return Path(shutil.copy(CELL, folder / "o'cell ß.png"))
