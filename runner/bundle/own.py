"""The runner's own environment in the folder that a bundle was unpacked to: made with uv out of its wheel.

Python 3.8 and its standard library: see form.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from runner.bundle.form import KEPT, RUNNER, WHEELS, Manifest, place_of

STAMP = "run-pipeline.json"  # that of runner.bootstrap
INTERPRETERS = "interpreters"  # in KEPT, a folder each
CACHE = "cache"  # in KEPT: uv's, while environments are made
_OFFLINE = {"UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "PYTHONUTF8": "1"}
# what of the caller's variables would make another environment
_UNWANTED = ("UV_", "PYTHON", "VIRTUAL_ENV", "CONDA_", "RUN_PIPELINE_BOOTSTRAPPED", "RUN_PIPELINE_REPO")
_KEPT_ONES = ("UV_LINK_MODE", "UV_CONCURRENT_INSTALLS")


class NotMade(Exception):
    """What is unpacked stays, and a second start goes on; the text is for the user."""


def make_runner(folder: Path, manifest: Manifest, say: Callable[[str], None]) -> Path:
    """The Python of `folder`/.venv, which has all that the runner needs. Raises NotMade, OSError."""
    venv = folder / ".venv"
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if _in_step(venv, python, folder):
        return python
    if os.path.lexists(str(venv)) and "\nuv = " not in _text(venv / "pyvenv.cfg"):
        raise NotMade(f"{venv} is in the way: uv did not make it. Rename it and start again")
    say(f"setting up the runner in {venv}")
    with contextlib.suppress(FileNotFoundError):  # killed in between, it is not taken for whole
        (venv / STAMP).unlink()
    uv = str(_uv(folder, manifest))
    base = _base(folder, manifest)
    make = [uv, "venv", "-q", "--clear", "--relocatable", "--no-project", "--no-config", "--python", base]
    if _run([*make, str(venv)], folder) != 0:
        raise NotMade(
            f"the runner needs Python {manifest.python}; the bundle has none that works here, and what uv said of this "
            "machine's stands above. Install that Python and start it again: it goes on"
        )
    into = ["--no-config", "--offline", "--python", str(python)]
    if _run([uv, "pip", "sync", "-q", "--compile-bytecode", *into, str(folder / place_of(RUNNER))], folder) != 0:
        raise NotMade(f"uv could not set up the runner in {venv}; what it said stands above")
    # `run-pipeline` as a program beside Python, where uv can make it by itself; `python -m runner` does without
    _run([uv, "pip", "install", "-q", "--no-deps", *into, "-e", "."], folder, quiet=True)
    if _run([str(python), "-c", "from runner.bootstrap import finish; finish('')"], folder) != 0:
        raise NotMade(f"the runner in {venv} does not start; what it said stands above")
    return python


def make_the_rest(folder: Path, python: Path, *, canary: bool, check: bool) -> int:
    """The environments of the pipelines, by the runner that is there now: its exit code."""
    words = ["--canary"] * canary + ["--no-check"] * (not check)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    for name in ("RUN_PIPELINE_REPO", "RUN_PIPELINE_BOOTSTRAPPED"):
        environ.pop(name, None)
    return subprocess.call(
        [str(python), "-m", "runner", "unbundled", *words], cwd=str(folder), env=environ, close_fds=False
    )


def unpack_interpreter(archive: Path, into: Path) -> Path:
    """Its folder in `into`, unpacked once. Raises NotMade."""
    place = into / archive.name.split(".tar")[0]
    if place.is_dir():
        return place
    scratch = place.with_name(f".{place.name}")
    shutil.rmtree(str(scratch), ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        with tarfile.open(str(archive)) as packed:
            if hasattr(tarfile, "data_filter"):
                packed.extractall(str(scratch), filter="data")
            else:
                packed.extractall(str(scratch), members=[one for one in packed if _stays_inside(one)])
        (inner,) = scratch.iterdir()
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise NotMade(f"{archive} cannot be unpacked: {error}") from error
    inner.replace(place)
    scratch.rmdir()
    return place


def interpreter_in(place: Path, version: str) -> Path:
    """The program of 3.11. Raises NotMade."""
    names = ("python.exe",) if os.name == "nt" else (f"bin/python{version}", "bin/python3")
    for name in names:
        if (place / name).exists():
            return place / name
    raise NotMade(f"{place} holds no Python: make the bundle anew")


def _base(folder: Path, manifest: Manifest) -> str:
    """For the runner: the bundle's interpreter, else the version for uv to look for."""
    version = ".".join(manifest.python.split(".")[:2])
    for python in manifest.pythons:
        if python.file and f"{python.version}.".startswith(f"{version}."):
            place = unpack_interpreter(folder / place_of(python.file), folder / KEPT / INTERPRETERS)
            return str(interpreter_in(place, version))
    return version


def _in_step(venv: Path, python: Path, folder: Path) -> bool:
    """Made to its end for the uv.lock of now, and it starts: the folder may have been moved."""
    try:
        stamp = json.loads((venv / STAMP).read_bytes())
        lock = hashlib.sha256((folder / "uv.lock").read_bytes()).hexdigest()
        return bool(stamp["lock"] == lock) and _run([str(python), "-c", ""], folder, quiet=True) == 0
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _uv(folder: Path, manifest: Manifest) -> Path:
    """The program out of the wheel of uv. Raises NotMade."""
    name = "uv.exe" if os.name == "nt" else "uv"
    names = sorted({**manifest.files, **manifest.base_files})
    wheel = next((one for one in names if one.startswith(f"{WHEELS}/") and PurePosixPath(one).match("uv-*.whl")), "")
    if not wheel:
        raise NotMade("the bundle has no wheel of uv: make it anew")
    program = folder / KEPT / "uv" / name
    program.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(str(folder / place_of(wheel))) as archive:
        inside = next(one for one in archive.namelist() if one.endswith(f".data/scripts/{name}"))
        with archive.open(inside) as source, program.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    program.chmod(0o755)
    return program


def _run(words: Sequence[str], folder: Path, *, quiet: bool = False) -> int:
    out = subprocess.DEVNULL if quiet else None
    try:
        return subprocess.call(
            words,
            cwd=str(folder),
            env=_environ(folder),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            close_fds=False,
        )
    except OSError as error:
        if quiet:
            return 127
        raise NotMade(f"{words[0]} cannot be started: {error.strerror}") from error


def _environ(folder: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT_ONES or not name.upper().startswith(_UNWANTED)
    }
    return {**kept, **_OFFLINE, "UV_CACHE_DIR": str(folder / KEPT / CACHE)}


def _stays_inside(one: tarfile.TarInfo) -> bool:
    """For a Python whose tarfile does not look at it by itself."""
    target = PurePosixPath(one.name).parent / one.linkname if one.issym() else PurePosixPath(one.linkname or one.name)
    depth = 0
    for part in (PurePosixPath(one.name).parts, target.parts):
        depth = 0
        for step in part:
            depth += -1 if step == ".." else 1
            if depth < 0 or step.startswith("/"):
                return False
    return True


def _text(path: Path) -> str:
    try:
        return "\n" + path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
