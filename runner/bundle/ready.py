"""The environments of an unpacked bundle, made by the runner that was in it: the second half of unbundling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from runner.bundle.conda.unpack import unpack
from runner.bundle.form import CONDA, ENVIRONMENTS, KEPT, MANIFEST, Environment, Manifest, Python, Unusable, place_of
from runner.bundle.form import read_manifest as manifest_from
from runner.bundle.names import name_of
from runner.bundle.own import CACHE, INTERPRETERS, interpreter_in, unpack_interpreter
from runner.environments import Preparation, Site, kind
from runner.environments.store import note_store
from runner.errors import RunnerError, UsageError
from runner.ground.disk import on_disk
from runner.ground.files import state_errors, write_atomic
from runner.model import Pipeline
from runner.site_file import NAME
from runner.state.locks import LockFile
from runner.tasks import Task, Tasks

Carry = Callable[[Preparation], None]
Say = Callable[[str], None]


def read_manifest(folder: Path) -> Manifest:
    """Of the bundle that was unpacked to `folder`. Raises UsageError."""
    path = folder / KEPT / MANIFEST
    try:
        return manifest_from(path.read_bytes())
    except (OSError, Unusable) as error:
        raise UsageError(f"{folder} holds no bundle that was unpacked: {path}", "Unpack it: unbundle") from error


def stay_offline(folder: Path) -> None:
    """`offline = true` in run-pipeline.toml, where nothing is said of it there. Raises UsageError, StateError."""
    import tomllib

    path = folder / NAME
    try:
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
        said = "offline" in tomllib.loads(data.decode())
    except FileNotFoundError:
        data, said = b"", False
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}", "Mend it, and start again.") from error
    if not said:
        note = b"# this folder was unpacked from a bundle: all that its pipelines need is here\noffline = true\n"
        write_atomic(path, note + data)


def with_cache(site: Site) -> Site:
    """Where nobody says where uv's cache is: beside the environments, so that files are there once."""
    if "UV_CACHE_DIR" in site.host.environ:
        return site
    environ = {**site.host.environ, "UV_CACHE_DIR": str(on_disk(site.repo) / KEPT / CACHE)}
    return replace(site, host=replace(site.host, environ=environ))


def drop_cache(folder: Path) -> None:
    """The environments keep the files."""
    import shutil

    shutil.rmtree(folder / KEPT / CACHE, ignore_errors=True)


def environments(
    manifest: Manifest, site: Site, pipelines: dict[str, Pipeline], carry: Carry, say: Say
) -> Iterator[RunnerError]:
    """Makes them all; gives what went wrong with one and goes on with the next."""
    folder = on_disk(site.repo)
    if site.store:
        note_store(site.store.folder)
    for name in _packed(manifest):
        say(f"unpacking conda environment {name}")
        try:
            unpack(folder / KEPT / CONDA, name, on_disk(site.environments), site.host)
        except RunnerError as error:
            yield error
    for environment in manifest.environments:
        if environment.pipeline not in pipelines:  # what is wrong with it was told
            continue
        pylock = folder / KEPT / ENVIRONMENTS / environment.name / "pylock.toml"
        task = _task_of(environment, pipelines[environment.pipeline], site)
        if task is None:
            say(f"{environment.text}: {environment.pipeline} does not ask for it any more")
        elif pylock.is_file():
            try:
                _install(task, pylock, _python(environment.python, manifest, site), site, carry, say)
            except RunnerError as error:
                yield error


def _packed(manifest: Manifest) -> list[str]:
    names = (name.split("/") for name in manifest.files)
    return [parts[1].removesuffix(".json") for parts in names if parts[0] == CONDA and parts[-1].endswith(".json")]


def _task_of(environment: Environment, pipeline: Pipeline, site: Site) -> Task | None:
    """The segment that it was packed for, or in a pipeline that was changed meanwhile another one that needs it."""
    tasks = Tasks(pipeline, site)
    numbers = sorted(tasks, key=lambda number: number != environment.segment)
    fitting = (tasks[number] for number in numbers if tasks[number].spec.text == environment.text)
    return next((task for task in fitting if f"{environment.name}-".startswith(f"{name_of(task)}-")), None)


def _install(task: Task, pylock: Path, python: str, site: Site, carry: Carry, say: Say) -> None:
    travels = kind(task.spec).travels
    preparation = travels.install(task.spec, task.entries, site, pylock, python) if travels else None
    if preparation is None:
        say(f"{task.spec.text}: in step")
    else:
        carry(preparation)


def _python(version: str, manifest: Manifest, site: Site) -> str:
    """The interpreter of the bundle for 3.11: in a store, or beside the bundle; else uv looks for one."""
    for python in manifest.pythons:
        if python.file and f"{python.version}.".startswith(f"{version}."):
            return str(interpreter_in(_unpacked(python, site), version))
    return version


def _unpacked(python: Python, site: Site) -> Path:
    folder = on_disk(site.repo)
    if site.store is None:
        return unpack_interpreter(folder / place_of(python.file), folder / KEPT / INTERPRETERS)
    into = on_disk(site.store.pythons)
    with state_errors("write", into):
        into.mkdir(parents=True, exist_ok=True)
    archive = folder / place_of(python.file)
    with LockFile(into / f"{archive.name}.lock", f"Python {python.version}").acquire():
        return unpack_interpreter(archive, into)
