"""The report: `index.html` with its pictures beside it, and `report.json`. It needs no network."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from runner.compare import own
from runner.compare.page import page_of, versions_of
from runner.compare.places import Place
from runner.compare.results import Comparison, Pair, Part, Side
from runner.compare.sides import cuda_of, python_of
from runner.errors import UsageError
from runner.ground.files import state_errors, write_atomic
from runner.records.journal import now_text

PAGE, DATA, PICTURES = "index.html", "report.json", "pictures"


def check_folder(folder: Path, compared: Iterable[Place]) -> None:
    """Makes the folder, before hours of runs. Raises UsageError where a report would write over other files."""
    inside = next((place.root for place in compared if place.takes_in(folder.resolve(), (PAGE, DATA, PICTURES))), None)
    if inside is not None:
        raise UsageError(
            f"the report would lie in {inside}, which is compared",
            "Give --report a folder outside of what is compared.",
        )
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", "Give --report a folder.")
    _refuse_others(folder)
    with state_errors("write", folder):
        folder.mkdir(parents=True, exist_ok=True)


def _refuse_others(folder: Path) -> dict[str, str]:
    """What is there of an earlier report. Raises UsageError where a report needs the name of another's file."""
    ours = own.proven(folder, own.by_content)
    names = [name for name in (PAGE, DATA) if os.path.lexists(folder / name) and name not in ours]
    if os.path.lexists(folder / own.LIST) and not ours:
        names.append(own.LIST)
    if names:
        raise UsageError(
            f"{folder / names[0]} is no report of a comparison, or was changed since, and stays as it is",
            "Give --report another folder.",
        )
    if os.path.lexists(folder / PICTURES) and not own.is_folder(folder / PICTURES):
        raise UsageError(
            f"{folder / PICTURES} is a file or leads elsewhere; the pictures go there", "Give --report another folder."
        )
    return ours


def write_report(comparison: Comparison, drawn: Path, folder: Path) -> Path:
    """The page with its pictures, which `drawn` holds, and the data; gives the page. Raises StateError, UsageError.

    The list of what is ours is written first, so that a report which was stopped half-way is replaced by the next one.
    """
    ours = _refuse_others(folder)  # once more: there were hours in between
    files: dict[str, bytes] = {}
    with state_errors("write", folder):
        for picture in (one for pair in comparison.pairs for one in pair.pictures):
            data = (drawn / picture.file).read_bytes()
            picture.file = _free_name(picture.file, folder, ours)
            files[picture.file] = data
        text = json.dumps(as_data(comparison), indent=1, ensure_ascii=False, allow_nan=False)
        files[DATA] = text.encode("utf-8", "backslashreplace")
        files[PAGE] = page_of(comparison).encode("utf-8", "xmlcharrefreplace")
        marks = {name: [hashlib.sha256(data).hexdigest()] for name, data in files.items()}
        own.write_list(folder, marks | {name: [*marks.get(name, ()), mark] for name, mark in ours.items()})
        own.remove(folder, {name: mark for name, mark in ours.items() if name not in files})
        if len(files) > 2:
            (folder / PICTURES).mkdir(exist_ok=True)
    for name, data in files.items():
        write_atomic(folder / name, data, durable=name in (DATA, PAGE))
    return folder / PAGE


def _free_name(picture: str, folder: Path, ours: Mapping[str, str]) -> str:
    """A name that no file of another has."""
    path = PurePosixPath(PICTURES, picture)
    numbered = (str(path.with_stem(f"{path.stem}-{n}")) for n in itertools.count(2))
    names = itertools.chain([str(path)], numbered)
    return next(name for name in names if name in ours or not os.path.lexists(folder / name))


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
    names = {"size": "environment_bytes", "preparation": "preparation_seconds"}
    data = {names.get(name, name): value for name, value in vars(side).items()}
    return data | {"python": python_of(side.fingerprint), "cuda": cuda_of(side.fingerprint)}


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
        "pictures": [{"file": one.file, "shows": one.shows} for one in pair.pictures],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
