"""Who accepted which result of a comparison; `migrate --retire` asks for it.

Kept beside pipeline A as `.run-pipeline/sign-off.jsonl`, one object a line, the newest last: nothing is ever removed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.compare.results import Comparison, Pair, Side
from runner.compare.simple import BLOCK
from runner.errors import UsageError
from runner.state.files import state_error, write_atomic
from runner.state.records import FOLDER, hide, now_text

FILE = "sign-off.jsonl"


def parse(text: str) -> tuple[str, str]:
    """`name: reason`. Raises UsageError."""
    name, mark, reason = text.partition(":")
    if not mark or not name.strip() or not reason.strip():
        raise UsageError(
            f"--sign-off {text!r} does not say who and why", 'Write it as --sign-off "name: reason why this is right".'
        )
    return name.strip(), reason.strip()


def path_for(pipeline: Path) -> Path:
    """Where the sign-offs of comparisons with `pipeline` as A are."""
    return pipeline.parent / FOLDER / FILE


def record(comparison: Comparison, a: Path, b: Path, name: str, reason: str, user: str) -> dict[str, Any]:
    """Write down that `name` accepts this result. Raises StateError."""
    entry = {
        "format": 1,
        "when": now_text(),
        "name": name,
        "reason": reason,
        "user": user,
        "a": {"path": str(a), "sha256": _digest(a)},
        "b": {"path": str(b), "sha256": _digest(b)},
        "same": comparison.good,
        "verdict": comparison.sentence,
        "parts": [
            {
                "name": part.name,
                "verdict": part.sentence,
                "environments": {"a": _environment(part.a), "b": _environment(part.b)},
                "differences": [_difference(pair) for pair in part.pairs if not pair.rung.good],
            }
            for part in comparison.parts
        ],
    }
    target = path_for(a)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        hide(target.parent)
        before = target.read_bytes() if target.exists() else b""
    except OSError as error:
        raise state_error("write", target, error) from error
    write_atomic(target, before + json.dumps(entry, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
    return entry


def signed_off(a: Path, b: Path) -> Mapping[str, Any] | None:
    """The newest sign-off of these two pipeline files as they are now; None when there is none, or one was edited."""
    try:
        lines = path_for(a).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    wanted = {"a": _digest(a), "b": _digest(b)}
    for line in reversed(lines):
        try:
            entry = json.loads(line)
            if all(wanted[side] and entry[side]["sha256"] == wanted[side] for side in "ab"):
                return dict(entry)
        except (ValueError, KeyError, TypeError):
            continue
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
