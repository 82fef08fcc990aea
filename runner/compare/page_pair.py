"""One pair of files, for templates/pair.html: what was measured beside its limits, the pictures, what differs most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.compare.results import Pair, Part, Rung
from runner.compare.terms import SHARES, TERMS, Check, checks_of

# The colours of standard_code/python/_pixels/palette.py, with which the pictures are drawn.
OLD, NEW, BOTH, SPLIT, MERGED = "#f0e442", "#56b4e9", "#ffffff", "#0072b2", "#d55e00"
SHOWN = 15  # objects or values that differ most
ENDLESS = 1e300  # what a text that differs is over any tolerance
COLOURS = {
    "labels": (
        (OLD, "only A"), (NEW, "only B"), (BOTH, "both"), ("#464646", "inside of both"),
        (SPLIT, "one object of A, several in B"), (MERGED, "several of A, one in B"),
    ),
    "image": (("#000000", "equal"), ("#ff0000", "differs"), ("#ffff00", "more"), (BOTH, "most")),
}  # fmt: skip


def of_pair(pair: Pair, part: Part) -> dict[str, Any]:
    """All about one pair."""
    return {
        "pair": pair,
        "noise": part.noise is not None,
        "checks": [_check(check, pair, part) for check in checks_of(pair)],
        "colours": COLOURS["image" if pair.kind == "image" else "labels"],
        "lines": pair.measures.get("diff") or pair.measures.get("differences"),
        "worst": _worst(pair),
    }


def _check(check: Check, pair: Pair, part: Part) -> dict[str, Any]:
    again = part.noise_values.get(pair.kind, {}).get(check.name)
    excused = pair.rung is Rung.NOISE and check.kept is False
    kept = "within noise" if excused else "kept" if check.kept else "not kept"
    return {
        "name": check.name,
        "title": TERMS[check.name].title,
        "value": _value(check.value, check),
        "limit": _limit(check),
        "again": _value(again, check, "the same"),
        "kept": "" if check.kept is None else kept,
        "good": excused or check.kept,
    }


def _limit(check: Check) -> str:
    if check.limit is None:
        return "none"
    return f"{'≥' if TERMS[check.name].higher else '≤'}\u00a0{check.limit:.6g}"


def _value(value: float | None, check: Check, missing: str = "") -> str:
    if value is None:
        return missing or "some have no partner" if check.name == "iou" or missing else ""
    if value >= ENDLESS:
        return "beyond any"
    return f"{value:.4f}" if check.name in SHARES else f"{value:.5g}"


def _worst(pair: Pair) -> dict[str, Any]:
    """The objects or cells that differ most."""
    worst = (pair.measures.get("worst") or [])[:SHOWN]
    if pair.kind == "table":
        what, rows = "value", [_cell(one) for one in worst]
        head: tuple[str, ...] = ("row", "column", "A", "B", "times its tolerance")
    else:
        what, rows = "object", [_object(one, pair.measures) for one in worst]
        head = ("object", "what became of it", "IoU", "pixels", "centre (row, column)")
    title = f"The {len(rows)} {what}s that differ most" if len(rows) > 1 else f"The {what} that differs most"
    return {"title": title, "head": head, "rows": rows}


def _cell(cell: Mapping[str, Any]) -> Sequence[str]:
    over = cell.get("over") or ENDLESS
    where = ", ".join(f"{k} {v}" for k, v in cell["row"].items())
    return where, cell["column"], cell["a"], cell["b"], "beyond any" if over >= ENDLESS else f"{over:.3g}"


def _object(one: Mapping[str, Any], measures: Mapping[str, Any]) -> Sequence[str]:
    became = _became(one, measures)
    centre = ", ".join(f"{place:g}" for place in one["centre"])
    return f"{one['object']} of {one['side']}", became, f"{one['iou']:.3f}", f"{one['pixels']:,}", centre


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
