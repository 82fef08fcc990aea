"""First start on a machine with only Python and pip: makes REPO/.venv with uv and starts again in it.

Standard library only, and what of runner needs no more, because nothing else is there yet.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
# set for the second start, so that an environment that stays incomplete is no endless loop
MARK = "RUN_PIPELINE_BOOTSTRAPPED"
STAMP = "run-pipeline.json"
# settings of pip: where packages come from, and how they get here
_SOURCES = {"index-url", "extra-index-url", "find-links", "no-index", "proxy", "trusted-host", "cert", "client-cert"}
_WAYS = _SOURCES | {"timeout", "default-timeout", "retries", "cache-dir", "no-cache-dir"}
_WAYS |= {"keyring-provider", "use-feature"}


def start_again(arguments: Sequence[str], *, group: str = "") -> int:
    """Make `.venv` (with the dependency group `group` too) and run `python ARGUMENTS` in it; its exit status."""
    venv = REPO / ".venv"
    if not (REPO / "uv.lock").is_file():
        return _fail(
            "run-pipeline's packages are missing, and it does not stand in its repository.",
            "Install it from the repository: python -m pip install --editable REPOSITORY",
        )
    if os.environ.get(MARK):
        return _fail(f"{venv} was made but is not complete.", f"Remove the folder {venv} and start again.")
    if not _in_step(venv, group):
        if _is_in_the_way(venv):
            return _fail(
                f"{venv} is a virtual environment of your own for another Python, and uv would remove it.",
                "Rename that folder, or remove it, and start again.",
            )
        print(f"First start: setting up the runner in {venv} ...", file=sys.stderr, flush=True)
        status = make_venv(group)
        if status != 0:
            return status
        finish(group)
    environ = dict(os.environ, **{MARK: "1"})
    environ.pop("PYTHONHOME", None)
    return _become([str(venv_python(venv)), *arguments], environ)


def finish(group: str) -> None:
    """What follows once `.venv` holds all: from here on it counts as made."""
    _write_stamp(REPO / ".venv", group)
    _compile(REPO / "runner")


def _become(argv: Sequence[str], environ: dict[str, str]) -> int:
    """Go on as `argv`; where a process cannot be replaced, wait for it, and leave Ctrl-C to it."""
    if os.name != "nt":
        sys.stdout.flush()
        os.execve(argv[0], list(argv), environ)
    process = subprocess.Popen(argv, env=environ)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def _in_step(venv: Path, group: str) -> bool:
    """Whether we made `.venv` from the lock as it is now, with `group`."""
    try:
        stamp = json.loads((venv / STAMP).read_text(encoding="utf-8"))
        return venv_python(venv).exists() and stamp["lock"] == _lock_digest() and group in ["", *stamp["groups"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _is_in_the_way(venv: Path) -> bool:
    """Whether neither we nor uv made `.venv`, and uv would put another one in its place (tried)."""
    try:
        lines = (venv / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    told = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    if "uv" in told or (venv / STAMP).exists():
        return False
    same = os.path.realpath(told.get("home", "")) == os.path.realpath(Path(_base_python()).parent)
    return not same or not venv_python(venv).exists()


def _write_stamp(venv: Path, group: str) -> None:
    try:
        groups = json.loads((venv / STAMP).read_text(encoding="utf-8"))["groups"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        groups = []
    groups = sorted({*groups, *([group] if group else [])})
    text = json.dumps({"lock": _lock_digest(), "groups": groups})
    (venv / STAMP).write_text(text, encoding="utf-8")


def _compile(folder: Path) -> None:
    """The runner's own byte code, which uv leaves out: later starts may be forbidden to write it, and pay each time.

    Known by time and size, as Python does by itself: a file that a pull changes is stale, the others stay good.
    """
    import compileall
    from py_compile import PycInvalidationMode

    with contextlib.suppress(OSError):
        compileall.compile_dir(folder, quiet=2, invalidation_mode=PycInvalidationMode.TIMESTAMP)


def _lock_digest() -> str:
    return hashlib.sha256((REPO / "uv.lock").read_bytes()).hexdigest()


def venv_python(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make_venv(group: str) -> int:
    """`uv sync` of the runner (and `group`) into REPO/.venv, with uv from the lock's own version."""
    from runner.environments.uv.variables import unwanted

    uv_version, off = locked_version("uv"), _offline()
    with tempfile.TemporaryDirectory(prefix="run-pipeline-") as folder:
        settings = _pip_settings()
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        uv = _uv_here() if off else ""
        if not uv and off:
            settings["no-index"] = "1"
        if not uv and subprocess.call([*pip, "--target", folder, f"uv=={uv_version}"], env=_pip_environ(settings)) != 0:
            return _pip_failed(settings) if not off else _not_here(off, [f"uv=={uv_version}"])
        uv, project = uv or str(_uv_in(Path(folder))), ["--quiet", "--project", str(REPO), "--python", _base_python()]
        # no UV_ variable or uv.toml of the user's decides whether the lock is good, or what is installed from it
        environ = {k: v for k, v in os.environ.items() if k not in unwanted(os.environ)}
        if off:
            environ["UV_OFFLINE"] = "1"
        if code := subprocess.call([uv, "lock", "--check", "--no-config", *project], env=environ):
            return _uv_failed(code)
        sync = [uv, "sync", "--frozen", *project]
        # the runner starts several times a day, its segments' packages hardly: only the former are compiled ahead
        sync += ["--compile-bytecode"]
        sync += ["--inexact"]  # what an earlier start put there for the tests stays
        if group:
            sync += ["--group", group]
        if off and (lacking := _uncached(sync, environ)):
            return _not_here(off, lacking)
        code = subprocess.call(sync, env=environ)
        if code and (files := _uv_settings()):  # without one it would only wait for a dead network twice
            print(f"Once more without {files} (--no-config) ...", file=sys.stderr, flush=True)
            code = subprocess.call([*sync, "--no-config"], env=environ)
        if code:
            return _uv_failed(code)
    return 0


def _offline() -> str:
    """Who says that no network is used; what is wrong with a file, the second start tells."""
    from runner.environments import Site
    from runner.environments.offline import OPTION, VARIABLE, offline, said_in
    from runner.errors import RunnerError
    from runner.host import this_host
    from runner.site_file import read_site_file

    host = this_host()
    if OPTION in sys.argv[1:]:
        return OPTION
    with contextlib.suppress(RunnerError):
        if not host.environ.get(VARIABLE) and (file := read_site_file(REPO, host).offline):
            return said_in(file)
    return offline(Site(host, REPO, {}, REPO / ".venvs"))


def _uv_here() -> str:
    """A uv that is on this computer; "" where there is none that can be used."""
    from runner.environments import Site
    from runner.environments.uv.binary import find_uv
    from runner.errors import RunnerError
    from runner.host import this_host

    try:
        return find_uv(Site(this_host(), REPO, {}, REPO / ".venvs"), lambda: None).path
    except RunnerError:
        return ""


def _uncached(sync: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """What `uv sync` would fetch."""
    from runner.environments.uv.uncached import uncached_in

    words = [word for word in sync if word != "--quiet"]
    env = {name: value for name, value in environ.items() if name != "RUST_LOG"}
    asked = subprocess.run([*words, "--dry-run", "--verbose"], env=env, capture_output=True, check=False)
    return [str(one) for one in uncached_in(asked.stderr.decode("utf-8", "replace")) if not one.address]


def _not_here(why: str, lacking: Sequence[str]) -> int:
    return _fail(
        f"the runner cannot be set up without a network ({why}); neither uv's cache nor pip's folders have: "
        + ", ".join(lacking),
        "On a computer with a network and the same system, start it once with UV_CACHE_DIR on a folder, and set "
        "UV_CACHE_DIR to a copy of that folder here.\n  A uv is taken from PATH or RUN_PIPELINE_UV, or by pip from a "
        "folder of wheels (PIP_FIND_LINKS). docs/without-a-network.md has each way.",
    )


def _uv_failed(code: int) -> int:
    from runner.ground.codes import NTSTATUS, explain_windows

    if code & 0xFFFFFFFF not in NTSTATUS:
        return _fail("uv could not set up the runner.", "What it said stands above.")
    why = explain_windows(code).removeprefix("It ")
    cure = "Update Windows, or see whether a virus scanner keeps uv.exe from starting."
    return _fail(f"uv could not set up the runner: it {why}", cure)


def _uv_settings() -> str:
    """The uv.toml files of the person and the machine."""
    from runner.environments import Site
    from runner.environments.uv.files import personal_files
    from runner.host import this_host

    return " and ".join(map(str, personal_files(Site(this_host(), REPO, {}, REPO / ".venvs"))))


def _pip_settings() -> dict[str, str]:
    """Of the person's settings of pip (files, then variables) those that say how packages get here, such as a mirror.

    All others (user, prefix, target, require-virtualenv ...) are about where other packages go.
    """
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        env=dict(os.environ, PYTHONIOENCODING="utf-8"),
    )
    if listed.returncode != 0:  # a broken file: pip itself would not start
        print(f"pip's settings are left out: {listed.stderr.strip()}", file=sys.stderr, flush=True)
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.stdout.splitlines():
        name, equals, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if equals and section in found and key in _WAYS:
            with contextlib.suppress(ValueError, SyntaxError):
                found[section][key] = str(ast.literal_eval(value))
    return found["global"] | found["install"] | found[":env:"]


def _pip_environ(settings: dict[str, str]) -> dict[str, str]:
    environ = {name: value for name, value in os.environ.items() if not name.upper().startswith("PIP_")}
    for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS"):
        environ.pop(name, None)
    given = {f"PIP_{key.replace('-', '_').upper()}": value for key, value in settings.items()}
    return {**environ, "PIP_CONFIG_FILE": os.devnull, **given}


def _pip_failed(settings: dict[str, str]) -> int:
    cure = "Check the network (and a proxy: HTTPS_PROXY), and that `python -m pip --version` works."
    if told := ", ".join(sorted(settings.keys() & _SOURCES)):
        cure = (
            f"pip's settings say where packages come from: {told}. Correct them, or take them out for this start; "
            f"`python -m pip config debug` shows where they stand.\n  If they are right: {cure[0].lower()}{cure[1:]}"
        )
    return _fail("pip could not fetch uv.", cure)


def _base_python() -> str:
    """The interpreter itself, not a virtual environment that happens to be active."""
    return getattr(sys, "_base_executable", None) or sys.executable


def _uv_in(folder: Path) -> Path:
    name = "uv" + (sysconfig.get_config_var("EXE") or "")
    return next((path for path in (folder / "bin" / name, folder / "Scripts" / name) if path.exists()), folder / name)


def locked_version(package: str) -> str:
    import tomllib

    lock = tomllib.loads((REPO / "uv.lock").read_text(encoding="utf-8"))
    return str(next(entry["version"] for entry in lock["package"] if entry["name"] == package))


def _fail(message: str, cure: str) -> int:
    print(f"error: {message}\n  {cure}", file=sys.stderr)
    return 3
