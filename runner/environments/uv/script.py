"""`environment: script`: a script that names its own packages (PEP 723); uv keeps its environment."""

from __future__ import annotations

import codecs
import hashlib
import json
import platform
import tempfile
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from runner.environments import Kind, Locked, Preparation, Request, Site, Travels, words
from runner.environments.python_words import python_words, without_python
from runner.environments.site import Once
from runner.environments.uv.binary import find_uv
from runner.environments.uv.direct import Direct, directly
from runner.environments.uv.in_store import OWN, compiled, made_to_move, mended, stop_without_store, with_any_python
from runner.environments.uv.kind import packages
from runner.environments.uv.pythons import with_conda, without_conda
from runner.environments.uv.script_block import (
    EXAMPLE,
    NOT_VALID,
    as_comment,
    first_line,
    has_mark,
    metadata,
    wanted_python,
)
from runner.environments.uv.script_missing import script_missing
from runner.environments.uv.settings import ask_uv, lock_command, options, settings, write_stand_in
from runner.environments.uv.stamp import base_is_there, clear_torn, interpreter, is_whole, venv_settings
from runner.environments.uv.travel import pylock_of, python_of, unpacking
from runner.environments.uv.variables import no_git, unwanted
from runner.errors import EnvironmentMissing, RunnerError
from runner.ground.disk import is_file, on_disk
from runner.ground.files import write_atomic
from runner.ground.told import read_json
from runner.model import Command, EnvironmentSpec, Finding, ResolvedEntry
from runner.pipeline.findings import place_behind_options


@dataclass(frozen=True)
class _Script:
    """The script of a segment, and where its environment is noted down."""

    path: PurePath  # absolute
    note: Path
    environment: Path | None  # in a store; else uv has it in its cache, which each machine has for itself

    @property
    def for_uv(self) -> Path:
        """The script; where uv would not see its block behind a byte-order mark, a copy without that."""
        return self.note.with_suffix(".py") if has_mark(self.path) else on_disk(self.path)

    @property
    def lock(self) -> Path:
        """uv's lock of this script; need not be there."""
        return on_disk(self.path.with_name(f"{self.path.name}.lock"))


def check(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> list[Finding]:
    """No script, no good metadata in it, or no uv."""
    try:
        script = _script(entries, str(site.repo), site)
        block = metadata(script.path)
    except EnvironmentMissing as error:
        return [Finding(error.message, error.cure, "commands")]
    try:
        find_uv(site)
        stop_without_store(site, script.environment or script.note)
        ready = bool(_python(script, site))
    except EnvironmentMissing as error:
        return [Finding(error.message, error.cure)]
    return (
        []
        if ready
        else _refused(script, block, site)
        or script_missing(script.path, script.lock, block, lambda code, said: _explain(script, site, code, said), site)
    )


def _refused(script: _Script, block: str, site: Site) -> list[Finding]:
    """What uv does not understand in the metadata, such as a requirement; nothing is fetched or made."""
    with tempfile.TemporaryDirectory(prefix="run-pipeline-script-") as folder:
        copy = Path(folder) / script.path.name
        copy.write_text(as_comment(block), encoding="utf-8")
        said = ask_uv(["lock", "--script", str(copy), "--dry-run", "--offline"], site).stderr.decode("utf-8", "replace")
    found = NOT_VALID.search(said)
    if not found:
        return []
    line = first_line(script.path) + int(found["line"])
    return [
        Finding(f"{script.path}, line {line}: {found['why']}", f"Correct that line; an example:\n{EXAMPLE}", "commands")
    ]


def prepare(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> Preparation | None:
    """`uv sync --script`, held to the script's lock where it has one."""
    script = _script(entries, str(site.repo), site)
    stop_without_store(site, script.environment or script.note)
    if _python(script, site):
        return None
    key = _key(script)
    # what is locked does not depend on the user's own settings for uv; what is not is chosen by them
    own = str(script.path) if script.lock.is_file() else ""
    locked = ("--locked", *options(site, own)) if own else ()
    apart = script.environment
    first = made_to_move(apart, python_of("", wanted_python(script.path), OWN, script.path.name), site) if apart else ()
    active, where = (("--active",), {"VIRTUAL_ENV": str(apart)}) if apart else ((), {})
    command = Command(
        (find_uv(site).path, "sync", "-q", "--script", str(script.for_uv), *active, *locked, "--output-format", "json"),
        str(site.repo),
        {"UV_NO_PROGRESS": "1", "UV_NO_WRAP": "1", **where, **without_conda(site.host), **no_git(site.host.environ)},
        unset=unwanted(site.host.environ),
        stop_leader_only=True,
    )
    return Preparation(
        f"script {script.path.name}",
        (*first, command, *(compiled(apart, site) if apart else ())),
        script.note.with_suffix(".lock"),
        lambda: not _python(script, site),
        lambda failed, code, output: _explain(script, site, code, output),
        lambda output: _remember(script, key, output, site),
        lambda: _begin(script, own, site),
        lambda failed, code, output: with_any_python(failed) or with_conda(command, site.host),
        script.environment,
    )


def wrap(request: Request, site: Site) -> Command:
    """The environment's own Python with the script. Raises EnvironmentMissing when it was not prepared."""
    cwd, env = request.cwd, request.env
    try:
        words, place = _words(request.entries, cwd, site)
        path, direct = (_start if request.many else _start.anew)(site, words[place], cwd)
    except EnvironmentMissing:
        if not request.dry:
            raise
        argv = python_words(request.entries, cwd, site.host)[0]
        return Command(tuple(argv), cwd, {"PYTHONUNBUFFERED": "1", **env})
    return direct.command([str(direct.python), *words[:place], path, *words[place + 1 :]], cwd, env)


@Once
def _start(site: Site, word: str, cwd: str) -> tuple[str, Direct]:
    """The script that `word` names. Remembered for many items: what changes meanwhile is for the next run."""
    script = _located(word, cwd, site)
    python = _python(script, site)
    if not python:
        raise EnvironmentMissing(
            f"the environment of {script.path} is not prepared",
            "Write the script with %REPO% or %YAML% in front, so that it is the same from every working directory.",
        )
    return str(script.path), directly(site.host.path(python), site)


def how_to_add(package: str, spec: EnvironmentSpec, site: Site) -> str:
    return f"Add {package} to `dependencies` in the script's `# /// script` block, and start again."


def key(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry]) -> Hashable:
    """Each script has an environment of its own, whatever its arguments are."""
    plain = without_python(words(entries))
    place = place_behind_options(plain)
    return spec, tuple(plain) if place is None else plain[place]


def folder(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> PurePath | None:
    """Where uv made the environment of the script as it is now."""
    try:
        python = _python(_script(entries, str(site.repo), site), site)
    except EnvironmentMissing:
        return None
    return site.host.path(python).parent.parent if python else None


def made_from(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> Mapping[str, Path]:
    """The script and its lock; nothing where it has none: then nobody knows what it will be given."""
    try:
        script = _script(entries, str(site.repo), site)
    except EnvironmentMissing:
        return {}
    path = on_disk(script.path)
    return {path.name: path, script.lock.name: script.lock} if script.lock.is_file() else {}


def fingerprint(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> Mapping[str, object]:
    """Python and packages of the script's environment; nothing is started."""
    script = _script(entries, str(site.repo), site)
    python = _python(script, site)
    found: dict[str, object] = {"kind": "script", "script": str(script.path), "locked": script.lock.is_file()}
    if python:
        folder = site.host.path(python).parent.parent
        found |= {"python": venv_settings(folder).get("version_info", ""), "packages": packages(folder, site)}
    return found


def _python_for(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site, wanted: str) -> str:
    script = _script(entries, str(site.repo), site)
    return python_of("", wanted_python(script.path), wanted, f"script {script.path.name}")


def _lock(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> Locked:
    """Of a script without a lock one is made, beside a copy of it: nothing changes here."""
    script = _script(entries, str(site.repo), site)
    path = on_disk(script.path)
    if script.lock.is_file() and not has_mark(path):
        return pylock_of(site, ("--script", str(path)), script=str(path))
    with tempfile.TemporaryDirectory(prefix="run-pipeline-script-") as folder:
        copy = Path(folder).resolve() / path.name
        copy.write_bytes(path.read_bytes().removeprefix(codecs.BOM_UTF8))
        lock = copy.with_name(script.lock.name)
        if script.lock.is_file():
            lock.write_bytes(script.lock.read_bytes())
        else:
            answer = ask_uv(["lock", "--script", str(copy)], site, timeout=3600.0, script=str(copy))
            if answer.code != 0:
                raise _explain(script, site, answer.code or 1, answer.stderr.decode("utf-8", "replace"))
        found = pylock_of(site, ("--script", str(copy)), script=str(copy))
        return found if script.lock.is_file() else replace(found, lacking={script.lock: lock.read_bytes()})


def _install(
    spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site, pylock: Path, python: str
) -> Preparation | None:
    """Beside its note, and not in uv's cache: that is not emptied with what cannot be fetched again."""
    script = _script(entries, str(site.repo), site)
    if _python(script, site):
        return None
    key, folder = _key(script), script.environment or script.note.with_suffix("")

    def begin() -> None:
        write_stand_in(site)
        clear_torn(folder, site.host, ours=True)

    def done(output: str) -> None:
        if script.environment:
            mended(folder, site)
        _note(script, key, str(interpreter(folder, site.host)))

    return unpacking(
        *(f"script {script.path.name}", folder, pylock, python, site, script.note.with_suffix(".lock")),
        *(lambda: not _python(script, site), begin, done),
    )


def _script(entries: Sequence[ResolvedEntry], cwd: str, site: Site) -> _Script:
    words, place = _words(entries, cwd, site)
    return _located(words[place], cwd, site)


def _words(entries: Sequence[ResolvedEntry], cwd: str, site: Site) -> tuple[list[str], int]:
    """The words for Python, and the place of the script: the first that is no option of Python."""
    argv, program = python_words(entries, cwd, site.host)
    argv = argv if program else argv[1:]
    place = place_behind_options(argv)
    if place is None:
        raise EnvironmentMissing(
            "`environment: script` needs a script, and `commands` names none",
            "Name the script, as in %REPO%/measure.py",
        )
    return argv, place


def _located(word: str, cwd: str, site: Site) -> _Script:
    """The script that `word` names; relative to `cwd`, else to the repository."""
    path = site.host.path(cwd) / word
    if not is_file(path):
        path = site.repo / word
    if not is_file(path):
        raise EnvironmentMissing(f"there is no script {path}", "Correct its path, or put the script there.")
    # uv keys an environment by the path as given
    real = site.host.path(str(on_disk(path).resolve()))
    # without a store the environment lies in uv's cache, which each machine has for itself
    name = hashlib.sha256(f"{'' if site.store else platform.node()}\0{real}".encode()).hexdigest()[:16]
    folder = on_disk(site.environments / ".scripts")  # no group's name begins with a dot
    return _Script(real, folder / f"{name}.json", folder / name if site.store else None)


def _key(script: _Script) -> str:
    """Changes with what is to be installed, and not with the rest of the script."""
    lock = script.lock.read_bytes() if script.lock.is_file() else b""
    return hashlib.sha256(metadata(script.path).encode() + b"\0" + lock).hexdigest()


def _noted(script: _Script) -> tuple[str, str]:
    """Python and key as noted down; "" and "" when there is no good note."""
    note = read_json(script.note) or {}
    python, key = note.get("python"), note.get("key")
    return (python, key) if isinstance(python, str) and isinstance(key, str) else ("", "")


def _begin(script: _Script, locked: str, site: Site) -> None:
    if locked:
        write_stand_in(site, locked)
    if script.for_uv != on_disk(script.path):
        script.for_uv.write_bytes(on_disk(script.path).read_bytes().removeprefix(codecs.BOM_UTF8))
    python, _ = _noted(script)
    if script.environment:
        clear_torn(script.environment, site.host, ours=True)
        write_atomic(script.note, json.dumps({"script": str(script.path)}).encode(), durable=False)
    elif python:
        folder = site.host.path(python).parent.parent
        clear_torn(folder, site.host, ours=folder.parent.name.startswith("environments-"))  # in uv's cache


def _python(script: _Script, site: Site) -> str:
    """The Python of the script's environment; "" when there is none for the script as it is now."""
    python, key = _noted(script)
    if not python:
        return ""
    whole = is_whole(folder := site.host.path(python).parent.parent, site.host)
    whole = whole and (script.environment is None or base_is_there(folder, site.host))
    return python if whole and key == _key(script) else ""


def _remember(script: _Script, key: str, output: str, site: Site) -> None:
    """Where uv chose the place, its report tells it: JSON among what else it printed."""
    if script.environment:
        mended(script.environment, site)
        _note(script, key, str(interpreter(script.environment, site.host)))
        return
    start, end = output.find("{"), output.rfind("}")
    try:
        report = json.loads(output[start : end + 1])
        python = report["sync"]["environment"]["python"]["path"]
    except (ValueError, TypeError, KeyError) as error:
        raise EnvironmentMissing(
            f"uv made the environment of {script.path}, but its report cannot be read",
            f"uv said: {output.strip()[:500]}",
        ) from error
    _note(script, key, python)


def _note(script: _Script, key: str, python: str) -> None:
    note = {"script": str(script.path), "key": key, "python": python}
    write_atomic(script.note, json.dumps(note, indent=1).encode())


def _explain(script: _Script, site: Site, code: int, output: str) -> RunnerError:
    from runner.environments.uv.failures import explain

    title = f"script {script.path.name}"
    lock = lock_command(site, script=str(script.path))
    if "No solution found" in output and not script.lock.is_file():
        files = " and ".join(map(str, settings(site).files))
        error = explain(title, output, code, repo=str(site.repo), folder="uv's cache")
        return EnvironmentMissing(
            f"{title}: what its `# /// script` block asks for cannot be had",
            f"Correct the block; uv's own words say which package.{f' What {files} says counts, too.' if files else ''}"
            + error.cure[error.cure.find("\n") :],
        )
    names = {"uv.lock": script.lock.name, "pyproject.toml": script.path.name}
    return explain(title, output, code, repo=str(site.repo), folder="uv's cache", lock=lock, names=names)


KIND = Kind(
    check, wrap, fingerprint, prepare, key, folder,
    how_to_add=how_to_add, made_from=made_from, travels=Travels(_python_for, _lock, _install), above=True, tool="uv",
    managed=True, by_commands=True,
)  # fmt: skip
