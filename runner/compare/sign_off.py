"""Who accepted which result of a comparison; `migrate --retire` asks for it.

Kept in the repository as `sign_offs/A--B.json`, so that it is versioned with the pipelines. An earlier one of the same
two is kept inside the newer one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.compare.results import Comparison, Pair, Side
from runner.compare.simple import BLOCK
from runner.errors import UsageError
from runner.ground.files import state_errors
from runner.ground.told import read_json, write_json
from runner.ground.words import shown
from runner.records.journal import now_text

FOLDER = "sign_offs"


def parse(text: str) -> tuple[str, str]:
    """`name: reason`. Raises UsageError."""
    name, mark, reason = text.partition(":")
    if not mark or not name.strip() or not reason.strip():
        raise UsageError(
            f"--sign-off {text!r} does not say who and why", 'Write it as --sign-off "name: reason why this is right".'
        )
    return name.strip(), reason.strip()


def path_for(a: Path, b: Path, repo: Path) -> Path:
    """Where the sign-off of these two pipelines is."""
    return repo / FOLDER / f"{a.stem}--{b.stem}.json"


def check_place(a: Path, b: Path, repo: Path) -> None:
    """Raises UsageError where a sign-off of these two would write over something that is none, such as a merge left."""
    target = path_for(a, b, repo)
    if os.path.lexists(target) and (target.is_symlink() or "signed_by" not in (read_json(target) or {})):
        raise UsageError(
            f"{target} cannot be read as a sign-off and stays as it is",
            "Mend it, if it is one with marks of a merge; else rename or remove it.",
        )


def record(comparison: Comparison, a: Path, b: Path, repo: Path, name: str, reason: str, user: str) -> dict[str, Any]:
    """Write down that `name` accepts this result. Raises StateError, UsageError."""
    check_place(a, b, repo)
    target = path_for(a, b, repo)
    earlier = read_json(target)
    entry = {
        "format": 1,
        "signed_by": name,
        "reason": reason,
        "when": now_text(),
        "user": user,
        "pipelines": [shown(path, repo) for path in (a, b)],
        "hashes": {shown(path, repo): _digest(path) for path in (a, b)},
        "same": comparison.good,
        "verdict": comparison.sentence,
        "settings": dict(comparison.settings),
        "environments": [
            {"segment": part.name, "a": _environment(part.a), "b": _environment(part.b)} for part in comparison.parts
        ],
        "segments": [
            {
                "name": part.name,
                "verdict": part.sentence,
                "differences": [_difference(pair) for pair in part.pairs if not pair.rung.good],
            }
            for part in comparison.parts
        ],
        "earlier": [*earlier.pop("earlier", []), earlier] if earlier else [],
    }
    with state_errors("write", target):
        target.parent.mkdir(parents=True, exist_ok=True)
    write_json(target, entry)
    return entry


def signed_off(a: Path, b: Path, repo: Path) -> Mapping[str, Any] | None:
    """The newest sign-off of these two pipeline files as they are now; None when there is none, or one was edited.

    An earlier one counts too: files of the same names in two folders share a file of sign-offs.
    """
    newest = read_json(path_for(a, b, repo)) or {}
    now = {shown(path, repo): _digest(path) for path in (a, b)}
    earlier = newest.get("earlier")
    for entry in (newest, *(earlier if isinstance(earlier, list) else [])):
        if isinstance(entry, dict) and entry.get("hashes") == now:
            return entry
    return None


def _difference(pair: Pair) -> dict[str, Any]:
    return {
        "name": pair.name,
        "rung": pair.rung.value,
        "said": pair.said,
        "sha256": {side: _digest(path) for side, path in (("a", pair.a), ("b", pair.b)) if path is not None},
    }


def _environment(side: Side) -> dict[str, Any]:
    text = json.dumps(dict(side.fingerprint), sort_keys=True, default=str)
    return {"text": side.environment, "sha256": hashlib.sha256(text.encode()).hexdigest(), **side.fingerprint}


def _digest(path: Path) -> str:
    """SHA-256 of a file, or of a folder's names and files; empty when it cannot be read."""
    digest = hashlib.sha256()
    if not path.is_dir() and not path.is_file():  # a pipe would never end
        return ""
    try:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            if path.is_dir():
                digest.update(file.relative_to(path).as_posix().encode() + b"\0")
            with file.open("rb") as stream:
                while block := stream.read(BLOCK):
                    digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()
