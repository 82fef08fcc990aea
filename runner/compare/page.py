"""The report as a page: HTML with its style inside, pictures beside it, no script and no network."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.compare.results import Comparison, Pair, Part, Rung
from runner.compare.sides import cuda_of, python_of, versions
from runner.state.records import now_text

MOST_ROWS = 2000  # pairs of one part in the page; all are in report.json
MOST_VERSIONS = 40

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "Segoe UI", sans-serif; color: #1d2330; }
body { margin: 0 auto; max-width: 80rem; padding: 1.5rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .25rem; }
p { margin: .4rem 0; } .files { color: #555d6e; overflow-wrap: anywhere; }
.verdict { padding: .8rem 1rem; border-left: .4rem solid; margin: 1rem 0; font-size: 1.1rem; background: #f5f6f8; }
.good { border-color: #0072b2; } .bad { border-color: #d55e00; }
table { border-collapse: collapse; margin: .6rem 0; width: 100%; font-size: 14px; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #d9dce3; text-align: left; vertical-align: top; }
th { font-weight: 600; background: #f5f6f8; } td { overflow-wrap: anywhere; } td:first-child { min-width: 9.5rem; }
td.number { white-space: nowrap; } .number { text-align: right; font-variant-numeric: tabular-nums; }
.mark { font-weight: 600; white-space: nowrap; } .mark.bad { color: #b34700; } .mark.good { color: #00598c; }
figure { margin: .3rem 0 .2rem; width: fit-content; max-width: 100%; }
figure img { max-width: 100%; height: auto; display: block; background: #fff; }
figcaption { display: flex; font-size: 12px; color: #555d6e; width: 0; min-width: 100%; }
figcaption span { flex: 1; } .remark { color: #555d6e; font-size: 13px; }
.old { border-bottom: 3px solid #e69f00; } .new { border-bottom: 3px solid #56b4e9; }
details { margin: .4rem 0; } summary { cursor: pointer; color: #00598c; } pre { font-size: 12px; overflow-x: auto; }
@media print {
  body { max-width: none; padding: 0; font-size: 11px; } table { font-size: 10px; } tr, figure { break-inside: avoid; }
  .verdict, th { -webkit-print-color-adjust: exact; print-color-adjust: exact; } h2 { break-after: avoid; }
}
"""


def versions_of(part: Part) -> list[tuple[str, str, str]]:
    """Packages whose versions differ, where both environments are known."""
    return versions(part.a.fingerprint, part.b.fingerprint) if part.a.fingerprint and part.b.fingerprint else []


def page_of(comparison: Comparison) -> str:
    """The text of index.html."""
    title = f"{Path(comparison.a).name} against {Path(comparison.b).name}"
    body = [
        f"<h1>{_text(title)}</h1>",
        f'<p class="files"><b class="old">A</b> {_text(comparison.a)}<br>'
        f'<b class="new">B</b> {_text(comparison.b)}</p>',
        _verdict(comparison.sentence, comparison.good),
        *(f'<p class="remark">{_text(note)}</p>' for note in comparison.notes),
        _signed(comparison.sign_off),
        _overview(comparison),
        *(_part(number, part) for number, part in enumerate(comparison.parts, 1)),
        f'<p class="remark">Made {_text(now_text()[:16].replace("T", " "))}. {_text(_machine(comparison.machine))} '
        "All numbers are in report.json beside this page.</p>",
    ]
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{_text(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n" + "\n".join(part for part in body if part) + "\n</body>\n</html>\n"
    )


def _text(value: object) -> str:
    return html.escape(str(value))


def _verdict(sentence: str, good: bool) -> str:
    return f'<p class="verdict {"good" if good else "bad"}">{_text(sentence)}</p>'


def _signed(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return ""
    when = _text(entry["when"][:16].replace("T", " "))
    return f"<p>Accepted by <b>{_text(entry['signed_by'])}</b> on {when}: {_text(entry['reason'])}</p>"


def _machine(machine: Mapping[str, str]) -> str:
    told = [machine.get("host", ""), machine.get("system", "")]
    if machine.get("gpu"):
        told.append(f"{machine['gpu']}, driver {machine.get('driver', '?')}")
    return "On " + ", ".join(one for one in told if one) + "." if any(told) else ""


def _table(head: Sequence[str], rows: Sequence[str], numbers: Sequence[int] = ()) -> str:
    cells = "".join(f"<th{_number(n, numbers)}>{_text(name)}</th>" for n, name in enumerate(head))
    return f"<table>\n<thead><tr>{cells}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody>\n</table>"


def _number(place: int, numbers: Sequence[int]) -> str:
    return ' class="number"' if place in numbers else ""


def _row(cells: Sequence[str], numbers: Sequence[int] = ()) -> str:
    return "<tr>" + "".join(f"<td{_number(n, numbers)}>{cell}</td>" for n, cell in enumerate(cells)) + "</tr>"


def _overview(comparison: Comparison) -> str:
    rows = []
    for number, part in enumerate(comparison.parts, 1):
        cells = [f'<a href="#part{number}">{_text(part.name)}</a>', _mark(part.good), _text(part.sentence)]
        cells += [
            _seconds(part.a.seconds),
            _seconds(part.b.seconds),
            _bytes(part.a.peak_memory),
            _bytes(part.b.peak_memory),
        ]
        rows.append(_row(cells, (3, 4, 5, 6)))
    head = ("segment", "", "result", "time A", "time B", "memory A", "memory B")
    if not any(part.a.fingerprint for part in comparison.parts):
        rows = [_row([f'<a href="#part{n}">{_text(p.name)}</a>', _mark(p.good), _text(p.sentence)]) for n, p in
                enumerate(comparison.parts, 1)]  # fmt: skip
        return _table(("folder", "", "result"), rows)
    return _table(head, rows, (3, 4, 5, 6))


def _mark(good: bool) -> str:
    return f'<span class="mark {"good" if good else "bad"}">{"same" if good else "look"}</span>'


def _part(number: int, part: Part) -> str:
    out = [f'<h2 id="part{number}">{_text(part.name)}</h2>', f"<p>{_text(part.sentence)}.</p>"]
    if part.noise:
        told = ", ".join(f"{kind} {value:.3g}" for kind, value in part.noise.items())
        out.append(f'<p class="remark">A differs from itself: {_text(told)} (distance 0 is the same).</p>')
    elif part.noise is not None:
        out.append('<p class="remark">A, run twice, gives the same result each time.</p>')
    out.append(_environments(part))
    pairs = sorted(part.pairs, key=lambda pair: pair.order)
    if pairs:
        rows = [_pair(pair) for pair in pairs[:MOST_ROWS]]
        out.append(_table(("file", "result", "what differs"), rows))
    if len(pairs) > MOST_ROWS:
        out.append(
            f'<p class="remark">{len(pairs) - MOST_ROWS} more files, none of them worse, are in report.json.</p>'
        )
    return "\n".join(one for one in out if one)


def _environments(part: Part) -> str:
    a, b = part.a, part.b
    if not a.fingerprint and not b.fingerprint:
        return ""
    facts = [
        ("environment", _text(a.environment or "cmd"), _text(b.environment or "cmd")),
        ("Python", _text(python_of(a.fingerprint)), _text(python_of(b.fingerprint))),
        ("CUDA of the environment", _text(cuda_of(a.fingerprint)), _text(cuda_of(b.fingerprint))),
        ("time", _seconds(a.seconds), _seconds(b.seconds)),
        ("peak memory", _bytes(a.peak_memory), _bytes(b.peak_memory)),
        ("GPU memory", _bytes(a.gpu_memory), _bytes(b.gpu_memory)),
        ("size of the environment", _bytes(a.size), _bytes(b.size)),
        ("preparation", _seconds(a.preparation), _seconds(b.preparation)),
    ]
    rows = [_row([name, one, two]) for name, one, two in facts if one or two]
    out = _table(("", "A", "B"), rows)
    found = versions_of(part)
    both = [row for row in found if row[1] and row[2]]
    alone = [row for row in found if not (row[1] and row[2])]
    if both:
        out += _details(
            f"{len(both)} packages in other versions", both[:MOST_VERSIONS], len(both), is_open=not part.good
        )
    if alone:
        out += _details(f"{len(alone)} packages in one environment alone", alone[:200], len(alone), is_open=False)
    return out


def _details(title: str, rows: Sequence[tuple[str, str, str]], total: int, *, is_open: bool) -> str:
    shown = _table(("package", "A", "B"), [_row([_text(c) for c in row]) for row in rows])
    more = f'<p class="remark">{total - len(rows)} more in report.json.</p>' if total > len(rows) else ""
    return f"<details{' open' if is_open else ''}><summary>{_text(title)}</summary>{shown}{more}</details>"


def _pair(pair: Pair) -> str:
    good = pair.rung.good
    said = [_text(pair.said)] if pair.said and pair.rung is not Rung.SAME else []
    said += [f'<span class="remark">{_text(remark)}</span>' for remark in pair.remarks]
    below = ""
    if pair.picture:
        captions = "".join(f"<span>{_text(one)}</span>" for one in pair.captions)
        alt = _text(f"{pair.name}: {', '.join(pair.captions)}")
        below = (
            f'<figure><img src="{_text(pair.picture)}" loading="lazy" alt="{alt}">'
            f"<figcaption>{captions}</figcaption></figure>"
        )
    mark = f'<span class="mark {"good" if good else "bad"}">{_text(pair.rung.value)}</span>'
    return _row([_text(pair.name), mark, "<br>".join(said) + below + _worst(pair)])


def _worst(pair: Pair) -> str:
    """The objects or cells that differ most, folded away."""
    m = pair.measures
    if differences := m.get("diff") or m.get("differences"):
        return f"<pre>{_text(chr(10).join(differences))}</pre>"
    worst = (m.get("worst") or [])[:15]
    if not worst:
        return ""
    rows: list[tuple[Any, ...]]
    if pair.kind == "table":
        head: tuple[str, ...] = ("row", "column", "A", "B")
        rows = [(", ".join(f"{k} {v}" for k, v in c["row"].items()), c["column"], c["a"], c["b"]) for c in worst]
    else:
        head = ("object", "IoU", "best partner", "pixels", "centre (row, column)")
        rows = [
            (f"{w['side']} {w['object']}", f"{w['iou']:.3f}", w["best"] or "none", f"{w['pixels']:,}", str(w["centre"]))
            for w in worst
        ]
    shown = _table(head, [_row([_text(cell) for cell in row]) for row in rows])
    return f"<details><summary>worst {len(rows)}</summary>{shown}</details>"


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min" if value < 7200 else f"{value / 3600:.1f} h"


def _bytes(value: int | None) -> str:
    if value is None:
        return ""
    size = float(value)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
