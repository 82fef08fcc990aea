"""`run-pipeline.toml`: what a lab or a user says of its clusters and disks, apart from any pipeline.

Read from the repository and from the user's configuration folder; key by key, the user's own counts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import field, fields, replace
from pathlib import Path, PurePath
from typing import Any

from runner.environments.site import Once, Site
from runner.errors import UsageError
from runner.frozen import frozen
from runner.ground.words import size_of
from runner.host import Host
from runner.pipeline.durations import seconds_of

NAME = "run-pipeline.toml"
KINDS = ("local", "slurm", "pbs")


@frozen
class ExecutorSettings:
    """One `[executors.NAME]`. What is empty is not passed to the scheduler: nothing is added unasked."""

    name: str
    kind: str  # local, slurm or pbs
    partition: str = ""  # of PBS: the queue
    account: str = ""
    qos: str = ""
    constraint: str = ""
    gpus: str = "gpus"  # how Slurm is asked for GPUs: --gpus=N, or `gres`: --gres=gpu:N
    gpu_type: str = ""
    options: tuple[str, ...] = ()  # as they are
    modules: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    time: float = 0.0  # seconds a job may take where nothing was measured and the segment says nothing; 0: not passed
    memory: int = 0  # bytes of a job where the segment says nothing; 0: not passed
    target_time: float = 1800.0  # seconds that a chunk of items is to take
    margin: float = 2.0  # by how much the time asked for is longer than measured
    at_once: int = 0  # elements of an array that may run at once; 0: as many as the cluster lets
    most_jobs: int = 0  # jobs in the queue at a time, where the scheduler does not tell its limit
    retries: int = 2  # of a chunk that was lost: node failure, preemption, memory, time
    poll: float = 2.0  # seconds between questions at first; backs off to 30


@frozen
class ClusterSettings:
    """One `[clusters.NAME]`: a login node."""

    name: str
    host: str = ""  # as ssh takes it
    folder: str = ""  # of the lab's checkout there
    python: str = "python3"
    program: tuple[str, ...] = ("python3", "-m", "runner")
    ssh: str = "ssh"
    options: tuple[str, ...] = ()  # of ssh, as they are
    executor: str = ""


@frozen
class UvSettings:
    """`[uv]`: where uv and what it makes are. `store` holds the other three where they are not named apart."""

    store: str = ""
    cache: str = ""
    pythons: str = ""
    environments: str = ""
    program: str = ""


@frozen
class SiteFile:
    files: tuple[Path, ...] = ()  # that were read
    executor: str = ""  # what runs a pipeline where the command line does not say
    executors: Mapping[str, ExecutorSettings] = field(default_factory=dict)
    clusters: Mapping[str, ClusterSettings] = field(default_factory=dict)
    uv: UvSettings = UvSettings()
    offline: Path | None = None  # the file that says that no network is used

    def executor_named(self, name: str | None) -> ExecutorSettings:
        """The one that `name`, or else the file, asks for; `local` where nobody does. Raises UsageError."""
        wanted = name or self.executor or "local"
        if wanted in self.executors:
            return self.executors[wanted]
        if wanted in KINDS:
            return ExecutorSettings(wanted, wanted)
        known = ", ".join(dict.fromkeys((*KINDS, *self.executors)))
        where = " or ".join(map(str, self.files)) or NAME
        raise UsageError(
            f"there is no executor {wanted!r}; known: {known}", f"Name it in {where}: [executors.{wanted}]"
        )


def places(repo: PurePath, host: Host) -> tuple[Path, ...]:
    """Where it is looked for, the one that counts more last."""
    environ = host.environ
    home = environ.get("USERPROFILE" if host.windows else "HOME", "")
    if host.windows:
        base = environ.get("APPDATA", "")
    else:
        base = environ.get("XDG_CONFIG_HOME", "") or (os.path.join(home, ".config") if home else "")  # noqa: PTH118
    user = (Path(base) / "run-pipeline" / NAME,) if base else ()
    return (Path(repo) / NAME, *user)


def read_site_file(repo: PurePath, host: Host) -> SiteFile:
    """Raises UsageError, which names file and line where that can be told."""
    merged: dict[str, Any] = {}
    read = []
    offline = None
    for path in places(repo, host):
        if (table := _load(path)) is not None:
            _check(table, path)
            _merge(merged, table)
            read.append(path)
            offline = (path if table["offline"] else None) if "offline" in table else offline
    return replace(_built(merged, tuple(read), host), offline=offline)


@Once
def site_file_of(site: Site) -> SiteFile:
    """Read once an invocation. Raises UsageError."""
    return read_site_file(site.repo, site.host)


def _load(path: Path) -> dict[str, Any] | None:
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "Check that you may read it.") from error
    import tomllib

    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 (byte {error.start})", "Save it as UTF-8.") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}", "Mend it; nothing was run.") from error


_TABLES: dict[str, type] = {"executors": ExecutorSettings, "clusters": ClusterSettings, "uv": UvSettings}
_TIMES = frozenset({"time", "target_time", "poll"})
_SIZES = frozenset({"memory"})


def _check(table: Mapping[str, Any], path: Path) -> None:
    for key, value in table.items():
        if key == "executor":
            _is(isinstance(value, str), path, key, value, "a text")
        elif key == "offline":
            _is(isinstance(value, bool), path, key, value, "true or false")
        elif key not in _TABLES:
            _unknown(path, key, ("executor", "offline", *_TABLES))
        elif key == "uv":
            _check_table(value, UvSettings, path, key)
        else:
            _is(isinstance(value, dict), path, key, value, f"tables such as [{key}.NAME]")
            for name, inner in value.items():
                _check_table(inner, _TABLES[key], path, f"{key}.{name}")


def _check_table(table: Any, kind: type, path: Path, where: str) -> None:
    _is(isinstance(table, dict), path, where, table, "a table")
    known = {one.name.replace("_", "-"): one for one in fields(kind) if one.name != "name"}
    for key, value in table.items():
        if key not in known:
            _unknown(path, key, tuple(known), where)
        name, wanted = known[key].name, str(known[key].type)
        if name == "kind":
            _is(value in KINDS, path, key, value, " or ".join(KINDS))
        elif name == "gpus":
            _is(value in ("gpus", "gres"), path, key, value, "gpus or gres")
        elif name in _TIMES:
            _is(_seconds(value) is not None, path, key, value, 'a time such as "30m"')
        elif name in _SIZES:
            _is(_bytes(value) is not None, path, key, value, 'a size such as "4 GB"')
        elif wanted.startswith("tuple"):
            good = isinstance(value, list) and all(isinstance(word, str) and word for word in value)
            _is(good, path, key, value, "a list of texts")
        elif wanted.startswith("Mapping"):
            good = isinstance(value, dict) and all(isinstance(word, str) for word in value.values())
            _is(good, path, key, value, "a table of texts")
        elif wanted == "int":
            _is(type(value) is int and value >= 0, path, key, value, "a whole number")
        elif wanted == "float":
            _is(type(value) in (int, float) and value >= 1, path, key, value, "a number of at least 1")
        else:
            _is(isinstance(value, str), path, key, value, "a text")


def _seconds(value: object) -> float | None:
    try:
        return seconds_of(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except ValueError:
        return None


def _bytes(value: object) -> int | None:
    try:  # a number alone would be bytes, and 16 of them are never meant
        return size_of(value) if isinstance(value, str) and value.strip()[-1:].isalpha() else None
    except ValueError:
        return None


def _is(good: bool, path: Path, key: str, value: object, wanted: str) -> None:
    if not good:
        raise UsageError(
            f"{_at(path, key)}: `{key}` must be {wanted}; this is {value!r}", "docs/slurm.md has examples."
        )


def _unknown(path: Path, key: str, known: tuple[str, ...], where: str = "") -> None:
    from difflib import get_close_matches

    near = get_close_matches(key, known, 1)
    cure = f"Did you mean `{near[0]}`?" if near else f"Known: {', '.join(known)}."
    raise UsageError(f"{_at(path, key)}: `{key}` is no key of {f'[{where}]' if where else path.name}", cure)


def _at(path: Path, key: str) -> str:
    """The file, with the first line that has the key."""
    name = re.escape(key.rsplit(".", 1)[-1])
    found = re.compile(rf'(?m)^\s*\[?[\w.\s"-]*(?<![\w-]){name}(?![\w-])')
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    match = found.search(text)
    return f"{path}, line {text.count(chr(10), 0, match.end()) + 1}" if match else str(path)


def _merge(into: dict[str, Any], table: Mapping[str, Any]) -> None:
    for key, value in table.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _built(merged: Mapping[str, Any], files: tuple[Path, ...], host: Host) -> SiteFile:
    executors = {}
    for name, table in merged.get("executors", {}).items():
        kind = table.get("kind") or (name if name in KINDS else None)
        if kind is None:
            raise UsageError(
                f"[executors.{name}] in {' or '.join(map(str, files))} does not say its kind",
                f"Add kind = {' or '.join(repr(one) for one in KINDS)}.",
            )
        executors[name] = ExecutorSettings(**{**_values(table, host), "name": name, "kind": kind})
    clusters = {
        name: ClusterSettings(**{**_values(table, None), "name": name})
        for name, table in merged.get("clusters", {}).items()
    }
    uv = UvSettings(**_values(merged.get("uv", {}), host))
    return SiteFile(files, merged.get("executor", ""), executors, clusters, uv)


def _values(table: Mapping[str, Any], host: Host | None) -> dict[str, Any]:
    """`host`: whose variables are put in; none where another machine is told of."""
    out: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name in _TIMES:
            out[name] = _seconds(value)
        elif name in _SIZES:
            out[name] = _bytes(value)
        elif isinstance(value, list):
            out[name] = tuple(_filled(word, host) for word in value)
        else:
            out[name] = _filled(value, host) if isinstance(value, str) else value
    return out


def _filled(text: str, host: Host | None) -> str:
    """With `$NAME` and `${NAME}` of this machine put in; one that is not set stays, to be seen."""
    if host is None:
        return text
    return re.sub(r"\$(?:(\w+)|\{(\w+)\})", lambda m: host.environ.get(m[1] or m[2], m[0]), text)
