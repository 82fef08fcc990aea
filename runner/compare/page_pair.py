"""One pair of files, for templates/pair.html: what was measured beside its limits, the pictures, what differs most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.compare.results import Pair, Part, Rung
from runner.compare.terms import TERMS, Check, checks_of

# The colours of standard_code/python/_pixels/palette.py, with which the pictures are drawn.
OLD, NEW, BOTH, SPLIT, MERGED = "#f0e442", "#56b4e9", "#ffffff", "#0072b2", "#d55e00"
SHOWN = 15  # objects or values that differ most
COLOURS = {
    "labels": (
        (OLD, "only A"), (NEW, "only B"), (BOTH, "both"), ("#464646", "inside of both"),
        (SPLIT, "one object of A, several in B"), (MERGED, "several of A, one in B"),
    ),
    "image": (("#000000", "equal"), ("#ff0000", "differs"), ("#ffff00", "more"), (BOTH, "most")),
}  # fmt: skip


def of_pair(pair: Pair, part: Part) -> dict[str, Any]:
    """All about one pair."""
    worst = (pair.measures.get("worst") or [])[:SHOWN]
    return {
        "pair": pair,
        "noise": part.noise is not None,
        "checks": [_check(check, pair, part) for check in checks_of(pair)],
        "colours": COLOURS["image" if pair.kind == "image" else "labels"],
        "lines": pair.measures.get("diff") or pair.measures.get("differences"),
        "worst": [one if pair.kind == "table" else {**one, "became": _became(one, pair.measures)} for one in worst],
    }


def _check(check: Check, pair: Pair, part: Part) -> dict[str, Any]:
    excused = pair.rung is Rung.NOISE and check.kept is False
    kept = "within noise" if excused else "kept" if check.kept else "not kept"
    return {
        "check": check,
        "term": TERMS[check.name],
        "again": part.noise_values.get(pair.kind, {}).get(check.name),
        "kept": "" if check.kept is None else kept,
        "good": excused or check.kept,
    }


def _became(one: Mapping[str, Any], measures: Mapping[str, Any]) -> str:
    """Split, merged, lost, new or only changed."""
    side, number = one["side"], one["object"]
    here, there, place = side, "B" if side == "A" else "A", one.get("at")
    for kind, whole, part in (("split", "A", "B"), ("merged", "B", "A")):
        for entry in measures.get(kind) or ():
            if entry.get("at") != place:
                continue
            parts = ", ".join(map(str, entry["parts"]))
            if side == whole and number == entry["object"]:
                return f"is {parts} in {part}"
            if side == part and number in entry["parts"]:
                return f"one of {parts} in {part}, which are {entry['object']} in {whole}"
    if one["iou"] > 0.5:
        return f"is {one['best']} in {there}, with another outline"
    nearest = f", overlaps most with {one['best']} in {there}" if one["best"] else ""
    return ("lost" if here == "A" else "new") + nearest
