"""What the report says, for the page of templates/page.html."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.compare.page_pair import of_pair
from runner.compare.results import Comparison, Pair, Part, Rung
from runner.compare.sides import cuda_of, python_of, versions
from runner.compare.terms import SHARES, WORDS, terms_in
from runner.ground.words import size_text, time_text
from runner.records.journal import now_text

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
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = FileSystemLoader(Path(__file__).with_name("templates"))
    environment = Environment(
        loader=templates, autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"time": time_text, "size": size_text, "moment": _moment}
    return environment.get_template("page.html").render(
        comparison=comparison,
        title=" against ".join(_names(Path(comparison.a), Path(comparison.b))),
        told=_counted(comparison.pairs),
        noise=_noise(comparison),
        ran=any(part.a.fingerprint for part in comparison.parts),
        parts=[_part(part) for part in comparison.parts],
        most=MOST_PAIRS,
        words=_words(comparison.pairs),
        made=_moment(now_text()),
        machine=_machine(comparison.machine),
    )


def _moment(text: str) -> str:
    return text[:16].replace("T", " ")


def _names(a: Path, b: Path) -> list[str]:
    """Of two that are called the same, as much as tells them apart."""
    parts = [path.parts for path in (a, b)]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(own[-count:]) for own in parts]
        if names[0] != names[1]:
            return names
    return [str(a), str(b)]


def _counted(pairs: Sequence[Pair]) -> str:
    """How many files came to which result."""
    counts = Counter(pair.rung for pair in pairs)
    told = ", ".join(f"{counts[rung]} {rung.value}" for rung in Rung if counts[rung])
    return f"{len(pairs)} file{'s' * (len(pairs) != 1)} of A and B: {told}." if pairs else ""


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


def _machine(machine: Mapping[str, str]) -> str:
    told = [machine.get("host", ""), machine.get("system", "")]
    if machine.get("gpu"):
        told.append(f"{machine['gpu']}, driver {machine.get('driver', '?')}")
    return "On " + ", ".join(one for one in told if one) + "." if any(told) else ""


def _part(part: Part) -> dict[str, Any]:
    """The files that need a look, then those that need none, then the environments."""
    pairs = sorted(part.pairs, key=lambda pair: pair.order)
    plain = [pair for pair in pairs if pair.rung in (Rung.SAME, Rung.CONTENT)]
    shown = [pair for pair in pairs if pair not in plain][:MOST_PAIRS]
    return {
        "part": part,
        "noise": ", ".join(f"{kind} {value:.3g}" for kind, value in (part.noise or {}).items()),
        "pairs": [of_pair(pair, part) for pair in shown],
        "left": len(pairs) - len(shown) - len(plain),
        "agreeing": [(pair.name, "; ".join([pair.said or pair.rung.value, *pair.remarks])) for pair in plain],
        "environments": _environments(part),
    }


def _environments(part: Part) -> dict[str, Any] | None:
    a, b = part.a, part.b
    if not a.fingerprint and not b.fingerprint:
        return None
    facts = [
        ("environment", a.environment or "cmd", b.environment or "cmd"),
        ("Python", python_of(a.fingerprint), python_of(b.fingerprint)),
        ("CUDA of the environment", cuda_of(a.fingerprint), cuda_of(b.fingerprint)),
        ("time", time_text(a.seconds), time_text(b.seconds)),
        ("peak memory", size_text(a.peak_memory), size_text(b.peak_memory)),
        ("GPU memory", size_text(a.gpu_memory), size_text(b.gpu_memory)),
        ("size of the environment", size_text(a.size), size_text(b.size)),
        ("preparation", time_text(a.preparation), time_text(b.preparation)),
    ]
    found = versions_of(part)
    both = [row for row in found if row[1] and row[2]]
    alone = [row for row in found if not (row[1] and row[2])]
    differ = f"{_packages_of(both)} in other versions"
    told = "the same packages" if not found else differ if both else ""
    known = a.fingerprint and b.fingerprint
    return {
        "title": "Environments" + (f": {told}" if known and told else ""),
        "facts": [row for row in facts if row[1] or row[2]],
        "packages": [(differ, both, MOST_VERSIONS), (f"{_packages_of(alone)} in one environment alone", alone, 200)],
    }


def _packages_of(rows: Sequence[Any]) -> str:
    return f"{len(rows)} package{'s' * (len(rows) != 1)}"


def _words(pairs: Sequence[Pair]) -> list[tuple[str, str, str]]:
    """What the terms and the results mean, of those that the page uses; with the place that others lead to."""
    kinds = {pair.kind for pair in pairs if pair.rung not in (Rung.SAME, Rung.CONTENT)}
    rows = [(rung.value, MEANINGS[rung], "") for rung in Rung if any(p.rung is rung for p in pairs)]
    rows += [
        (term.title, term.meaning + (" 1 is best." if name in SHARES else ""), name)
        for name, term in terms_in(pairs).items()
    ]
    rows += [(word, meaning, "") for word, meaning in WORDS.items() if "labels" in kinds or "mask" in kinds]
    if any(pair.pictures for pair in pairs):
        rows.append(("pictures", "A click enlarges one. In label images an object has the colour of its number.", ""))
    return rows
