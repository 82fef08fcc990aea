"""Jupyter kernels of ours: a folder with kernel.json each, which starts `run-pipeline kernel start ENVIRONMENT`.

So a kernel has what a segment has at that moment: the environment in step with uv.lock, conda's activation, the
runner's variables. What Jupyter itself needs, ipykernel, lies beside the environments and behind their own packages: a
sync of the environment does not remove it, and it changes no version in there.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath

from runner.errors import StateError, UsageError
from runner.frozen import frozen
from runner.ground.files import state_error
from runner.ground.told import read_json, text, write_json
from runner.host import Host

_OURS = "run-pipeline"  # the key of `metadata` by which we know our own
_FILE = "kernel.json"
# the environment's own ipykernel where it has one, else that of the folder given first; then the note that tells other
# computers that the environment is used (a heartbeat, as of a lock), and Jupyter's own arguments
LAUNCH = """\
import atexit, os, sys, threading, importlib.util as u
side, note = sys.argv.pop(1), sys.argv.pop(1)
u.find_spec('ipykernel') or sys.path.append(side)
def beat(end=threading.Event()):
    while not end.wait(15):
        try:
            file = os.open(note, os.O_WRONLY)
            os.write(file, b'{')
            os.close(file)
        except OSError:
            pass
if note:
    atexit.register(lambda own=os.getpid(): own == os.getpid() and os.path.exists(note) and os.unlink(note))
    threading.Thread(target=beat, daemon=True).start()
from ipykernel import kernelapp
kernelapp.launch_new_instance()
"""


@frozen
class Kernel:
    """One that is installed."""

    folder: Path
    shown: str  # what Jupyter shows
    environment: str  # as a segment writes it
    repo: str
    argv: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.folder.name


def kernels_folder(host: Host, prefix: PurePath | None = None) -> PurePath:
    """Where Jupyter looks for kernels of the user, or of the installation in `prefix`.

    https://docs.jupyter.org/en/latest/use/jupyter-directories.html
    """
    environ, home = host.environ, host.home
    if prefix is not None:
        data = host.path(prefix) / "share" / "jupyter"
    elif given := environ.get("JUPYTER_DATA_DIR"):
        data = host.path(given)
    elif host.windows:
        data = host.path(environ.get("APPDATA") or home / "AppData" / "Roaming") / "jupyter"
    elif host.platform == "darwin":
        data = home / "Library" / "Jupyter"
    else:
        data = host.path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "jupyter"
    return data / "kernels"


def kernel_name(shown: str) -> str:
    """The name of its folder: Jupyter takes ASCII letters, digits, `-`, `_` and `.` alone."""
    return re.sub(r"[^a-z0-9._]+", "-", shown.lower()).strip("-._") or "kernel"


def install(
    folder: Path, shown: str, environment: str, repo: PurePath, start: tuple[str, ...], env: Mapping[str, str]
) -> Kernel:
    """`start`: the words before Jupyter's own. Raises UsageError where another's kernel has the name, StateError."""
    kernel = Kernel(folder / kernel_name(shown), shown, environment, str(repo), (*start, "-f", "{connection_file}"))
    if kernel.folder.exists() and _read(kernel.folder) is None:
        raise UsageError(
            f"{kernel.folder} is there already and is none of ours", "Give another name with --name, or remove it."
        )
    try:
        kernel.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise state_error("write", kernel.folder, error) from error
    told = {
        "argv": list(kernel.argv),
        "display_name": shown,
        "language": "python",
        "interrupt_mode": "signal",
        "env": dict(env),
        "metadata": {"debugger": True, _OURS: {"environment": environment, "repo": str(repo)}},
    }
    write_json(kernel.folder / _FILE, told)
    return kernel


def installed(folder: Path) -> Iterator[Kernel]:
    """Ours, by name."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if kernel := _read(path):
            yield kernel


def gone(kernel: Kernel) -> tuple[str, str]:
    """What it starts with and is no longer there, and the cure; "" where all of that is there."""
    project, python = Path(kernel.repo, "pyproject.toml"), Path(kernel.argv[0]) if kernel.argv else Path()
    again = f"run-pipeline kernel install {kernel.environment}"
    if not project.is_file():
        cure = f"`{again} --repo DIR` with the place where that repository is now, or `run-pipeline kernel remove "
        return f"there is no {project} any more", f"{cure}{kernel.name}`."
    if not python.is_file():
        return f"there is no {python} any more, with which the runner was started", f"`{again}` makes it anew."
    return "", ""


def remove(kernel: Kernel) -> None:
    """Raises StateError. Only where it still is ours."""
    if _read(kernel.folder) is None:
        raise StateError(f"{kernel.folder} is not ours to remove: it changed meanwhile", "Look what it is.")
    try:
        shutil.rmtree(kernel.folder)
    except OSError as error:
        raise state_error("remove", kernel.folder, error) from error


def _read(folder: Path) -> Kernel | None:
    told = read_json(folder / _FILE) or {}
    metadata, argv = told.get("metadata"), told.get("argv")
    own = metadata.get(_OURS) if isinstance(metadata, dict) else None
    if not isinstance(own, dict) or not isinstance(argv, list):
        return None
    environment, repo = text(own.get("environment")), text(own.get("repo"))
    if environment is None or repo is None:
        return None
    words = tuple(word for word in argv if isinstance(word, str))
    return Kernel(folder, text(told.get("display_name")) or folder.name, environment, repo, words)
