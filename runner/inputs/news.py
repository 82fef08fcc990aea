"""What is different from when a segment was done, in words."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from threading import Thread

from runner.frozen import frozen
from runner.inputs.ledger import Ledger, Line
from runner.inputs.looking import Fact, Found, Look, Source, fact_of, same
from runner.inputs.see import Use, in_place, of_glob, path_of
from runner.inputs.told import Told

_PATIENCE = 3.0  # seconds for a look at all inputs: a share may be slow
_NAMED = 3  # files that are named
Order = Sequence[tuple[int, str]]  # number and content hash of each normal segment, as in the file


@frozen
class Difference:
    """Files by their names below the source's root."""

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    told: str = ""  # what can only be said of the whole: there are too many files


def difference(source: Source, before: Found, now: Found) -> Difference:
    """What became of the files of one source."""
    if before.late or now.late or _is_away(source):
        return Difference()
    if before.count >= 0:
        newest = now.newest if now.count >= 0 else max((fact[1] for fact in now.files.values()), default=0)
        count = now.count if now.count >= 0 else len(now.files)
        if count != before.count:
            return Difference(told=f"holds {count:,} files, and held {before.count:,}")
        return Difference(
            told=f"holds a file of another time among its {count:,}"
            if newest != before.newest and before.newest
            else ""
        )
    a, b = before.files, now.files
    return Difference(
        tuple(name for name in b if name not in a),
        tuple(n for n in a if n in b and a[n] != b[n] and not same(a[n], b[n], path_of(source, n))),
        tuple(name for name in a if name not in b),
    )


def _is_away(source: Source) -> bool:
    """A drive that is not connected, or raw data that was moved to the archive: no reason to make results anew."""
    return not os.path.isdir(os.path.dirname(source.root) if source.kind == "file" else source.root)  # noqa: PTH112, PTH120


def news(ledger: Ledger, order: Order, look: Look | None = None, among: Collection[str] | None = None) -> list[str]:
    """For a run that has nothing to do: what is new, changed or gone in the inputs of segments that are done.

    `among`: the hashes of those, where not all are.
    With a `look` that was used for `why_again`, each place is looked at once.
    """
    found: list[str] = []
    thread = Thread(target=lambda: found.extend(_news(ledger, order, look or Look(), among)), daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    if thread.is_alive():
        found = [*found, f"what is new in the inputs is not known: to look at them takes more than {_PATIENCE:.0f} s"]
    return found


def _news(ledger: Ledger, order: Order, look: Look, among: Collection[str] | None) -> Iterator[str]:
    facts: dict[str, Fact | None] = {}
    said: set[str] = set()
    unchanged: set[bytes] = set()
    for number, content_hash in order:
        if among is not None and content_hash not in among:
            continue
        read = ledger.sources(content_hash)
        if read in unchanged or _unchanged(ledger.alone(content_hash), facts):  # a thousand segments cost no time
            unchanged.add(read)
            continue
        as_it_was = True
        line = ledger.line(content_hash)
        for source, before in line.sources if line else ():
            if source.how != "argument":
                continue
            if before.late:
                as_it_was = False
                where = _named(source, ledger)
                cure = f"declare `inputs:` in segment {number} to know what is new"
                yield f"{where} holds too much to look through: {cure}"
                continue
            now = look.at(source, names=before.count >= 0 and not before.newest)
            if now.files == before.files and before.count < 0:
                continue
            what = difference(source, before, now)
            if what == Difference():
                continue
            as_it_was = False
            what = _left(what, source, before, ledger, order, content_hash)
            for text, names in _sentences(what, source, ledger):
                if text not in said:  # what the first tells, holds for the later ones
                    yield f"{text} since segment {number} was done: `--from {number}`{names}"
                said.add(text)
        if as_it_was:
            unchanged.add(read)


@frozen
class Since:
    """What is different in one place where a segment read; `gone`: the place itself."""

    number: int  # of the segment
    place: str
    text: str
    gone: bool = False


def since(ledger: Ledger, order: Order, look: Look) -> Iterator[Since]:
    """All that is different in what the segments were given, scripts too; what they gave each other is left out."""
    for number, content_hash in order:
        line = ledger.line(content_hash)
        for source, before in line.sources if line else ():
            if source.how not in ("declared", "argument"):
                continue
            where = _named(source, ledger)
            if before.late:
                yield Since(number, source.root, f"{where} held too much to be remembered")
                continue
            now = look.at(source, complete=True)
            if before.files and not now.files and now.count < 0 and not now.late:
                if _left(Difference(gone=tuple(before.files)), source, before, ledger, order, content_hash).gone:
                    yield Since(number, source.root, f"{where} is gone", gone=True)
                continue
            what = _left(difference(source, before, now), source, before, ledger, order, content_hash)
            for text, names in _sentences(what, source, ledger):
                yield Since(number, source.root, text + names)


def _unchanged(alone: Sequence[tuple[str, int, int]] | None, facts: dict[str, Fact | None]) -> bool:
    for path, size, changed in alone if alone is not None else ():
        fact = facts[path] = facts[path] if path in facts else fact_of(path)
        if fact is None or fact[0] != size or fact[1] != changed:
            return False
    return alone is not None


def why_again(ledger: Ledger, order: Order, use: Use, look: Look | None = None) -> str:
    """Why a segment that counts as done runs again: its declared inputs, or declared outputs that it reads. Else "".

    Where nothing was remembered of it (it was run by the Go runner, or before `inputs` were written), it stays done:
    see `adopt`. For a segment without `inputs`, a `use` with the hash alone will do. What is gone of an earlier
    segment's outputs is no reason: that segment knows by itself whether it must run.
    """
    line = ledger.line(use.content_hash)
    if line is None:
        return ""
    look = look or Look()
    remembered = dict(line.sources)
    known = {source: found for source, found in remembered.items() if source.how == "upstream"}
    for pattern in use.inputs:
        source = of_glob("declared", pattern, use.cwd)
        known[source] = remembered[source] if source in remembered else _elsewhere(source, line)
    told = []
    for source, before in known.items():
        what = difference(source, before, look.at(source, complete=True))
        what = _left(what, source, before, ledger, order, use.content_hash)
        if source.how == "upstream":
            what = Difference(what.new, what.changed)
        told += [text + names for text, names in _sentences(what, source, ledger)]
    return "; ".join(dict.fromkeys(told))


def _elsewhere(source: Source, line: Line) -> Found:
    """What is remembered of a declared source that is now written in another way."""
    everything = {path_of(one, name): fact for one, found in line.sources for name, fact in found.files.items()}
    start = source.root + os.sep
    inside = {path[len(start) :]: fact for path, fact in everything.items() if (path + os.sep).startswith(start)}
    return Found(inside)


def _left(
    what: Difference, source: Source, before: Found, ledger: Ledger, order: Order, content_hash: str
) -> Difference:
    """`what` without the doing of the pipeline itself."""
    if not (what.new or what.changed or what.gone):
        return what
    place = next((n for n, (_, one) in enumerate(order) if one == content_hash), 0)
    lines = [(n, line) for n, (_, content_hash) in enumerate(order) if (line := ledger.line(content_hash))]
    # an earlier segment that writes into the pipeline's folder itself makes not all that lies there
    writes = [
        told
        for n, line in lines
        for told in line.writes
        if (n < place and source.how == "argument" and not Told(told.root).covers(ledger.base))
        or (n >= place and not in_place(source, before, [told]))
    ]
    # what an earlier one makes anew by --only, a later one has not read where it says that it reads it
    made = [line.made for n, line in lines if n >= place or source.how == "argument"] + ledger.made()

    def theirs(name: str) -> bool:
        path = path_of(source, name)
        return any(told.covers(path) for told in writes) or _was_made(path, made)

    def left(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if not theirs(name))

    # what a segment wrote may be removed, as it may where it declares its outputs
    gone = tuple(name for name in left(what.gone) if not any(path_of(source, name) in one for one in made))
    return Difference(left(what.new), left(what.changed), gone)


def _was_made(path: str, made: Sequence[Mapping[str, Fact | None]]) -> bool:
    """Whether the file is as a segment left it."""
    told = [one[path] for one in made if path in one]
    if not told:
        return False
    now = fact_of(path)
    return any(now is None if fact is None else now is not None and same(fact, now, path) for fact in told)


def _sentences(what: Difference, source: Source, ledger: Ledger) -> Iterator[tuple[str, str]]:
    """What there is to say, and the names behind it."""
    where = _named(source, ledger)
    if what.told:
        yield f"{where} {what.told}", ""
    for names, one, many in (
        (what.new, "is new", "are new"),
        (what.changed, "was changed", "were changed"),
        (what.gone, "is gone", "are gone"),
    ):
        if names and source.kind == "file":
            yield f"{where} {one}", ""
        elif names:
            some = sorted(map(_shown, names))
            rest = len(some) - _NAMED
            listed = ", ".join(some[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
            count = f"{len(some)} file{'s' if len(some) > 1 else ''} in {where} {many if len(some) > 1 else one}"
            yield count, f" ({listed})"


def _shown(name: str) -> str:
    """Fit for one line of any screen."""
    text = name.replace(os.sep, "/")
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def _named(source: Source, ledger: Ledger) -> str:
    """Short, as people know it."""
    path, base = source.root, ledger.base
    if path.startswith(base + os.sep):
        path = path[len(base) + 1 :].replace(os.sep, "/")
        return _shown(path) if source.kind == "file" else _shown(path) + "/"
    if source.kind == "file":
        return _shown(os.path.basename(path))  # noqa: PTH119
    return _shown(ledger.shown(path).rstrip(os.sep)) + ("/" if os.sep == "/" else os.sep)
