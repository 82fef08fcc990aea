"""Activates a conda environment for a segment, once: the answer is kept in memory and in a file.

The file holds as long as the environment, its scripts, conda and (where scripts run) the caller's variables are
the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from runner.environments.conda.activation import Change, applied, asked_change, own_change
from runner.environments.conda.activation_scripts import activate_scripts, run_scripts
from runner.environments.conda.base import conda_program
from runner.environments.conda.outer import without_outer
from runner.environments.conda.packed import note_of
from runner.environments.site import Once, Site
from runner.ground.disk import entries, on_disk, read_text, stamps
from runner.ground.files import replace_whole
from runner.host import Host

_FORMAT = 1
# differ from terminal to terminal and mean nothing to an activation script
_VOLATILE = ("_", "SHLVL", "PWD", "OLDPWD", "COLUMNS", "LINES", "WINDOWID", "WT_SESSION", "INVOCATION_ID", "TERM")
_VOLATILE_STARTS = ("SSH_", "XDG_SESSION_", "VSCODE_", "RUN_PIPELINE_", "UV_RUN_")


@dataclass(frozen=True)
class Activated:
    """What the child gets beyond its caller's environment, and what it loses."""

    variables: Mapping[str, str]
    unset: tuple[str, ...] = ()


@Once
def activated(site: Site, prefix: PurePath, base: PurePath | None) -> Activated:
    """Activates `prefix`. May start conda and one shell; raises EnvironmentMissing when a script ends the shell."""
    host = site.host
    file = cache_file(prefix, site)
    key = _key(prefix, base, host)
    kept = _load(file, key)
    clean = without_outer(host)
    if kept:
        change = Change(tuple(kept["folders"]), kept["variables"])
    else:
        change = asked_change(prefix, base, clean, host) or own_change(prefix, base, host)
    after = before = applied(change, clean, host)
    fresh: dict[str, object] = {"key": key, "folders": list(change.folders), "variables": dict(change.variables)}
    notes: tuple[str, ...] = ()
    if scripts := activate_scripts(prefix, host):
        digest = _digest(before)
        if kept.get("digest") == digest:
            after = {name: value for name, value in before.items() if name not in kept["unset"]} | kept["set"]
        else:
            after, notes = run_scripts(scripts, before, prefix, host)
        changed = {name: value for name, value in after.items() if before.get(name) != value}
        fresh |= {"digest": digest, "set": changed, "unset": [name for name in before if name not in after]}
    if not notes and fresh != kept:
        _save(file, fresh)
    for note in notes:
        site.notes.add(note)
    return _difference(after, host)


def cache_file(prefix: PurePath, site: Site) -> PurePath:
    """Where the activation of `prefix` is kept."""
    name = hashlib.sha256(str(prefix).encode("utf-8", "surrogatepass")).hexdigest()[:20]
    return site.environments / "activation" / f"{name}.json"


def _difference(after: Mapping[str, str], host: Host) -> Activated:
    changed = {name: value for name, value in after.items() if host.environ.get(name) != value}
    return Activated(changed, tuple(sorted(name for name in host.environ if name not in after)))


def _key(prefix: PurePath, base: PurePath | None, host: Host) -> list[object]:
    """What the activation follows from, apart from the caller's variables."""
    files = [prefix / "conda-meta" / "history", prefix / "conda-meta" / "state", note_of(prefix)]
    for folder in ("activate.d", "env_vars.d"):
        files += entries(prefix / "etc" / "conda" / folder)
    if base:
        # an update of conda itself is written into base's history
        files.append(base / "conda-meta" / "history")
        program = conda_program(base, host)
        files += [program] if program else []
    return [_FORMAT, host.platform, str(prefix), str(base or ""), stamps(files)]


def _digest(environ: Mapping[str, str]) -> str:
    kept = {
        name: value
        for name, value in environ.items()
        if name not in _VOLATILE and not name.startswith(_VOLATILE_STARTS)
    }
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _load(file: PurePath, key: list[object]) -> dict[str, Any]:
    try:
        data = json.loads(read_text(file) or "{}")
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) and data.get("key") == key else {}


def _save(file: PurePath, data: Mapping[str, object]) -> None:
    """Writes the file whole or not at all; a folder that cannot be written to only costs the next run time."""
    path = on_disk(file)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(path, json.dumps(data, indent=1).encode(), durable=False)
