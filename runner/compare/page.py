"""What the report says, for the page of templates/page.html."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from runner.compare.page_pair import of_pair
from runner.compare.results import Comparison, Part, Rung
from runner.compare.sides import cuda_of, python_of, versions
from runner.compare.terms import SHARES, terms_in
from runner.ground.words import counted, size_text, time_text
from runner.records.journal import now_text

MOST_PAIRS = 2000  # of one part in the page; all are in report.json
MOST_VERSIONS = 40


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
    environment.filters |= {"time": time_text, "size": size_text, "python": python_of, "cuda": cuda_of}
    environment.filters |= {"moment": lambda text: text[:16].replace("T", " "), "counted": counted}
    counts = Counter(pair.rung for pair in comparison.pairs)
    looked_at = {pair.kind for pair in comparison.pairs if pair.rung not in (Rung.SAME, Rung.CONTENT)}
    return environment.get_template("page.html").render(
        comparison=comparison,
        title=" against ".join(_names(Path(comparison.a), Path(comparison.b))),
        counts=[(rung, counts[rung]) for rung in Rung if counts[rung]],
        noises=[part.noise for part in comparison.parts if part.noise is not None],
        ran=any(part.a.fingerprint for part in comparison.parts),
        parts=[_part(part) for part in comparison.parts],
        most=MOST_PAIRS,
        terms=terms_in(comparison.pairs),
        shares=SHARES,
        objects=bool(looked_at & {"labels", "mask"}),
        made=now_text(),
    )


def _names(a: Path, b: Path) -> list[str]:
    """Of two that are called the same, as much as tells them apart."""
    parts = [path.parts for path in (a, b)]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(own[-count:]) for own in parts]
        if names[0] != names[1]:
            return names
    return [str(a), str(b)]


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
    a, b = part.a.fingerprint, part.b.fingerprint
    if not a and not b:
        return None
    found = versions_of(part)
    both = [row for row in found if row[1] and row[2]]
    alone = [row for row in found if not (row[1] and row[2])]
    differ = f"{counted(len(both), 'package')} in other versions"
    told = "the same packages" if not found else differ if both else ""
    only = f"{counted(len(alone), 'package')} in one environment alone"
    return {
        "title": "Environments" + (f": {told}" if a and b and told else ""),
        "packages": [(differ, both, MOST_VERSIONS), (only, alone, 200)],
    }
