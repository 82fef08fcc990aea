"""The report: `index.html` with its pictures beside it, and `report.json`. It needs no network."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runner.compare.page import page_of, versions_of
from runner.compare.results import Comparison, Pair, Part, Side
from runner.compare.sides import cuda_of, python_of
from runner.errors import UsageError
from runner.state.files import state_error, write_atomic
from runner.state.records import now_text, read_json

PAGE, DATA, PICTURES = "index.html", "report.json", "pictures"


def check_folder(folder: Path, compared: Sequence[Path]) -> None:
    """Makes the folder, before hours of runs. Raises UsageError where a report would write over other files."""
    inside = next((one for one in compared if folder == one or folder.is_relative_to(one)), None)
    if inside is not None:
        raise UsageError(
            f"the report would lie in {inside}, which is compared", "Give --report a folder outside of both."
        )
    page, data = folder / PAGE, folder / DATA
    if (page.exists() or data.exists()) and "verdict" not in (read_json(data) or {}):
        found = page if page.exists() else data
        raise UsageError(f"{found} is no report of a comparison and stays as it is", "Give --report another folder.")
    if (folder / PICTURES).is_file():
        raise UsageError(f"{folder / PICTURES} is a file; the pictures go there", "Give --report another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise state_error("write", folder, error) from error


def prepare_folder(folder: Path) -> Path:
    """The folder for the pictures; those of an earlier report are removed. Raises StateError."""
    pictures = folder / PICTURES
    try:
        pictures.mkdir(parents=True, exist_ok=True)
        for old in pictures.glob("[0-9]*.webp"):
            old.unlink()
    except OSError as error:
        raise state_error("write", folder, error) from error
    return pictures


def write_report(comparison: Comparison, folder: Path) -> Path:
    """Both files; gives the page. Raises StateError."""
    data = json.dumps(as_data(comparison), indent=1, ensure_ascii=False, allow_nan=False)
    write_atomic(folder / DATA, data.encode("utf-8", "backslashreplace"))
    page = folder / PAGE
    write_atomic(page, page_of(comparison).encode("utf-8", "xmlcharrefreplace"))
    return page


def as_data(comparison: Comparison) -> dict[str, Any]:
    """Everything, for programs."""
    return {
        "format": 1,
        "made": now_text(),
        "a": comparison.a,
        "b": comparison.b,
        "same": comparison.good,
        "verdict": comparison.sentence,
        "notes": comparison.notes,
        "machine": dict(comparison.machine),
        "settings": dict(comparison.settings),
        "sign_off": comparison.sign_off,
        "parts": [_part_data(part) for part in comparison.parts],
    }


def _part_data(part: Part) -> dict[str, Any]:
    return {
        "name": part.name,
        "same": part.good,
        "verdict": part.sentence,
        "noise": {k: _finite(v) for k, v in part.noise.items()} if part.noise is not None else None,
        "a": _side_data(part.a),
        "b": _side_data(part.b),
        "versions": [{"package": n, "a": one, "b": two} for n, one, two in versions_of(part)],
        "files": [_pair_data(pair) for pair in sorted(part.pairs, key=lambda pair: pair.order)],
    }


def _side_data(side: Side) -> dict[str, Any]:
    return {
        "environment": side.environment,
        "python": python_of(side.fingerprint),
        "cuda": cuda_of(side.fingerprint),
        "seconds": side.seconds,
        "peak_memory": side.peak_memory,
        "gpu_memory": side.gpu_memory,
        "environment_bytes": side.size,
        "preparation_seconds": side.preparation,
        "outputs": side.outputs,
        "fingerprint": dict(side.fingerprint),
    }


def _pair_data(pair: Pair) -> dict[str, Any]:
    return {
        "name": pair.name,
        "rung": pair.rung.value,
        "same": pair.rung.good,
        "kind": pair.kind,
        "said": pair.said,
        "remarks": pair.remarks,
        "distance": _finite(pair.distance),
        "measures": dict(pair.measures),
        "a": str(pair.a) if pair.a else None,
        "b": str(pair.b) if pair.b else None,
        "picture": pair.picture or None,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
