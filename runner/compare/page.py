"""The report as a page: HTML with its style inside, pictures beside it, no script and no network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.compare.html import details, mark, table, text
from runner.compare.page_pair import of_pair
from runner.compare.page_style import STYLE
from runner.compare.results import Comparison, Pair, Part, Rung
from runner.compare.sides import cuda_of, python_of, versions
from runner.compare.terms import SHARES, WORDS, terms_in
from runner.ground.words import size_text, time_text
from runner.state.records import now_text

MOST_PAIRS = 2000  # of one part in the page; all are in report.json
MOST_VERSIONS = 40
MEANINGS = {
    Rung.SAME: "Nothing differs.",
    Rung.CONTENT: "The same values, in a file that is written differently.",
    Rung.WITHIN: "Values differ, by no more than the limits allow.",
    Rung.NOISE: "Values differ, by no more than A differs from itself (times the noise factor).",
    Rung.DIFFERENT: "A limit is not kept, or what must be equal is not.",
    Rung.MISSING: "A file that only A has.",
    Rung.EXTRA: "A file that only B has.",
    Rung.UNREADABLE: "A file that could not be read, so that nothing is known about it.",
}


def versions_of(part: Part) -> list[tuple[str, str, str]]:
    """Packages whose versions differ, where both environments are known."""
    return versions(part.a.fingerprint, part.b.fingerprint) if part.a.fingerprint and part.b.fingerprint else []


def page_of(comparison: Comparison) -> str:
    """The text of index.html."""
    title = " against ".join(_names(Path(comparison.a), Path(comparison.b)))
    body = [
        f"<h1>{text(title)}</h1>",
        f'<p class="files"><b>A</b> {text(comparison.a)}<br><b>B</b> {text(comparison.b)}</p>',
        _verdict(comparison),
        _overview(comparison),
        *(_part(number, part) for number, part in enumerate(comparison.parts, 1)),
        _words(comparison.pairs),
        f'<p class="remark">Made {text(now_text()[:16].replace("T", " "))}. {text(_machine(comparison.machine))} '
        "All numbers are in report.json beside this page.</p>",
    ]
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{text(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n" + "\n".join(part for part in body if part) + "\n</body>\n</html>\n"
    )


def _names(a: Path, b: Path) -> list[str]:
    """Of two that are called the same, as much as tells them apart."""
    parts = [path.parts for path in (a, b)]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(own[-count:]) for own in parts]
        if names[0] != names[1]:
            return names
    return [str(a), str(b)]


def _verdict(comparison: Comparison) -> str:
    """Whether B can be trusted, and what that rests on."""
    counts = Counter(pair.rung for pair in comparison.pairs)
    told = ", ".join(f"{counts[rung]} {rung.value}" for rung in Rung if counts[rung])
    total = sum(counts.values())
    out = [
        f"<h2>Can I trust B? {'Yes, within the limits below.' if comparison.good else 'Look before you do.'}</h2>",
        f'<p class="sentence">{text(comparison.sentence)}</p>',
        f"<p>{total} file{'s' * (total != 1)} of A and B: {told}. {text(_noise(comparison))}</p>" if total else "",
        _signed(comparison.sign_off),
        *(f'<p class="remark">{text(note)}</p>' for note in comparison.notes),
    ]
    return f'<div class="verdict {"good" if comparison.good else "bad"}">{"".join(out)}</div>'


def _noise(comparison: Comparison) -> str:
    """What is known about how far A differs from itself."""
    known = [part.noise for part in comparison.parts if part.noise is not None]
    if not known:
        return "A was not run twice, so how far it differs from itself is not known."
    return (
        "A, run twice, does not give the same each time; see “A against itself” below."
        if any(known)
        else "A, run twice, gives the same each time: what differs comes from B."
    )


def _signed(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return ""
    when = text(entry["when"][:16].replace("T", " "))
    return f"<p>Accepted by <b>{text(entry['signed_by'])}</b> on {when}: {text(entry['reason'])}</p>"


def _machine(machine: Mapping[str, str]) -> str:
    told = [machine.get("host", ""), machine.get("system", "")]
    if machine.get("gpu"):
        told.append(f"{machine['gpu']}, driver {machine.get('driver', '?')}")
    return "On " + ", ".join(one for one in told if one) + "." if any(told) else ""


def _overview(comparison: Comparison) -> str:
    rows = []
    ran = any(part.a.fingerprint for part in comparison.parts)
    for number, part in enumerate(comparison.parts, 1):
        row = [f'<a href="#part{number}">{text(part.name)}</a>', mark("same" if part.good else "look", good=part.good)]
        row.append(text(part.sentence))
        if ran:
            row += [time_text(part.a.seconds), time_text(part.b.seconds)]
            row += [size_text(part.a.peak_memory), size_text(part.b.peak_memory)]
        rows.append(row)
    head = ["segment" if comparison.pipelines else "folder", "", "result"]
    more = ["time A", "time B", "memory A", "memory B"] if ran else []
    return table(head + more, rows, numbers=range(3, 7), name="overview")


def _part(number: int, part: Part) -> str:
    out = [f'<h2 id="part{number}">{text(part.name)}</h2>', f"<p>{text(part.sentence)}.</p>"]
    if part.noise:
        told = ", ".join(f"{kind} {value:.3g}" for kind, value in part.noise.items())
        out.append(f'<p class="remark">A differs from itself: {text(told)} (distance 0 is the same).</p>')
    pairs = sorted(part.pairs, key=lambda pair: pair.order)
    plain = [pair for pair in pairs if pair.rung in (Rung.SAME, Rung.CONTENT)]
    shown = [pair for pair in pairs if pair not in plain][:MOST_PAIRS]
    out += [of_pair(pair, part) for pair in shown]
    if len(shown) + len(plain) < len(pairs):
        left = len(pairs) - len(shown) - len(plain)
        out.append(f'<p class="remark">{left} more files, none of them worse, are in report.json.</p>')
    out += [_agreeing(plain), _environments(part)]
    return "\n".join(one for one in out if one)


def _agreeing(pairs: Sequence[Pair]) -> str:
    """What needs no look, folded away."""
    if not pairs:
        return ""
    rows = [
        [text(p.name), text("; ".join([*([p.said] if p.said else [p.rung.value]), *p.remarks]))]
        for p in pairs[:MOST_PAIRS]
    ]
    left = f'<p class="remark">{len(pairs) - len(rows)} more are in report.json.</p>' if len(pairs) > len(rows) else ""
    title = f"{len(pairs)} files agree" if len(pairs) > 1 else "1 file agrees"
    return details(title, table(("file", "result"), rows) + left)


def _environments(part: Part) -> str:
    a, b = part.a, part.b
    if not a.fingerprint and not b.fingerprint:
        return ""
    facts = [
        ("environment", text(a.environment or "cmd"), text(b.environment or "cmd")),
        ("Python", text(python_of(a.fingerprint)), text(python_of(b.fingerprint))),
        ("CUDA of the environment", text(cuda_of(a.fingerprint)), text(cuda_of(b.fingerprint))),
        ("time", time_text(a.seconds), time_text(b.seconds)),
        ("peak memory", size_text(a.peak_memory), size_text(b.peak_memory)),
        ("GPU memory", size_text(a.gpu_memory), size_text(b.gpu_memory)),
        ("size of the environment", size_text(a.size), size_text(b.size)),
        ("preparation", time_text(a.preparation), time_text(b.preparation)),
    ]
    inside = table(("", "A", "B"), [row for row in facts if row[1] or row[2]])
    found = versions_of(part)
    both = [row for row in found if row[1] and row[2]]
    alone = [row for row in found if not (row[1] and row[2])]
    inside += _packages(f"{_packages_of(both)} in other versions", both, MOST_VERSIONS)
    inside += _packages(f"{_packages_of(alone)} in one environment alone", alone, 200)
    known = a.fingerprint and b.fingerprint
    told = "the same packages" if not found else f"{_packages_of(both)} in other versions" if both else ""
    return details("Environments" + (f": {told}" if known and told else ""), inside)


def _packages_of(rows: Sequence[Any]) -> str:
    return f"{len(rows)} package{'s' * (len(rows) != 1)}"


def _packages(title: str, rows: Sequence[tuple[str, str, str]], most: int) -> str:
    if not rows:
        return ""
    shown = table(("package", "A", "B"), [[text(cell) for cell in row] for row in rows[:most]])
    more = f'<p class="remark">{len(rows) - most} more in report.json.</p>' if len(rows) > most else ""
    return f"<p>{text(title)}</p>{shown}{more}"


def _words(pairs: Sequence[Pair]) -> str:
    """What the terms and the results mean, of those that the page uses."""
    kinds = {pair.kind for pair in pairs if pair.rung not in (Rung.SAME, Rung.CONTENT)}
    rows = [(rung.value, MEANINGS[rung], "") for rung in Rung if any(p.rung is rung for p in pairs)]
    rows += [
        (term.title, term.meaning + (" 1 is best." if name in SHARES else ""), f' id="term-{name}"')
        for name, term in terms_in(pairs).items()
    ]
    rows += [(word, meaning, "") for word, meaning in WORDS.items() if "labels" in kinds or "mask" in kinds]
    if any(pair.pictures for pair in pairs):
        rows.append(("pictures", "A click enlarges one. In label images an object has the colour of its number.", ""))
    told = "".join(f"<dt{anchor}>{text(word)}</dt><dd>{text(meaning)}</dd>" for word, meaning, anchor in rows)
    return f"<h2>What the words mean</h2>\n<dl>{told}</dl>"
