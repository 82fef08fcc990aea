"""One pair of files on the page: what was measured beside its limits, the pictures, and what differs most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.compare.html import details, mark, table, text
from runner.compare.page_style import BOTH, MERGED, NEW, OLD, SPLIT
from runner.compare.results import Pair, Part, Rung
from runner.compare.terms import SHARES, TERMS, Check, checks_of

SHOWN = 15  # objects or values that differ most
ENDLESS = 1e300  # what a text that differs is over any tolerance
COLOURS = {
    "labels": (
        (OLD, "only A"), (NEW, "only B"), (BOTH, "both"), ("#464646", "inside of both"),
        (SPLIT, "one object of A, several in B"), (MERGED, "several of A, one in B"),
    ),
    "image": (("#000000", "equal"), ("#ff0000", "differs"), ("#ffff00", "more"), (BOTH, "most")),
}  # fmt: skip


def of_pair(pair: Pair, part: Part) -> str:
    """All about one pair."""
    name = f"file{pair.index}"
    out = [f"<h3>{mark(pair.rung.value, good=pair.rung.good)} {text(pair.name)}</h3>"]
    if pair.said and pair.rung is not Rung.SAME:
        out.append(f"<p>{text(pair.said)}</p>")
    out += [f'<p class="remark">{text(remark)}</p>' for remark in pair.remarks]
    out += [_checks(pair, part), _pictures(pair, name), _worst(pair)]
    return f'<section class="pair" id="{name}">' + "\n".join(one for one in out if one) + "</section>"


def _checks(pair: Pair, part: Part) -> str:
    found = checks_of(pair)
    if not found:
        return ""
    again = part.noise_values.get(pair.kind, {})
    rows = []
    for check in found:
        cells = [f'<a href="#term-{check.name}">{text(TERMS[check.name].title)}</a>', _value(check.value, check)]
        cells += [
            _limit(check),
            *([_value(again.get(check.name), check, "the same")] if part.noise is not None else []),
        ]
        excused = pair.rung is Rung.NOISE and check.kept is False
        kept = "within noise" if excused else "kept" if check.kept else "not kept"
        cells.append("" if check.kept is None else mark(kept, good=excused or check.kept))
        rows.append(cells)
    noise = ["A against itself"] if part.noise is not None else []
    return table(
        ["measured", "A against B", "limit", *noise, ""], rows, numbers=range(1, 3 + len(noise)), name="checks"
    )


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


def _pictures(pair: Pair, name: str) -> str:
    if not pair.pictures:
        return ""
    shown = [
        f'<figure id="{name}-{n}"><a href="#{name}-{n}" title="enlarge"><img src="{text(one.file)}" loading="lazy" '
        f'width="{one.width}" height="{one.height}" alt="{text(f"{pair.name}: {one.shows}")}"></a>'
        f'<figcaption>{text(one.shows)}<a class="back" href="#{name}">back to the page</a></figcaption></figure>'
        for n, one in enumerate(pair.pictures, 1)
    ]
    return f'<div class="pictures">{"".join(shown)}</div>' + (colours(pair.kind) if len(pair.pictures) > 2 else "")


def colours(kind: str) -> str:
    """What the colours of the pictures mean."""
    meant = COLOURS["image" if kind == "image" else "labels"]
    spans = "".join(f'<span><i style="background: {colour}"></i>{word}</span>' for colour, word in meant)
    return f'<p class="colours"><span>{"difference" if kind == "image" else "difference, outlines"}:</span>{spans}</p>'


def _worst(pair: Pair) -> str:
    """The objects or cells that differ most, folded away."""
    m = pair.measures
    if differences := m.get("diff") or m.get("differences"):
        return f"<pre>{text(chr(10).join(differences))}</pre>"
    worst = (m.get("worst") or [])[:SHOWN]
    if not worst:
        return ""
    if pair.kind == "table":
        head: tuple[str, ...] = ("row", "column", "A", "B", "times its tolerance")
        rows = [_cell(one) for one in worst]
    else:
        head = ("object", "what became of it", "IoU", "pixels", "centre (row, column)")
        rows = [_object(one, m) for one in worst]
    what = "value" if pair.kind == "table" else "object"
    title = f"The {len(rows)} {what}s that differ most" if len(rows) > 1 else f"The {what} that differs most"
    return details(title, table(head, [[text(cell) for cell in row] for row in rows]))


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
