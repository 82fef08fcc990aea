"""What a segment reads, taken at its start, and what of that counts when it succeeded."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from runner.frozen import frozen
from runner.ground.patterns import MAGIC
from runner.inputs.flags import is_script, pieces, values_read
from runner.inputs.ledger import Ledger, Line
from runner.inputs.looking import MOST_FILES, PATIENCE, Fact, Found, Look, Source, is_zarr, same, with_content
from runner.inputs.told import Told, absolute, of_pattern, told_by
from runner.model import ResolvedEntry

_PIECES = re.compile(r"[\s,;:=]")
_NO_GLOB = re.compile(r"[{}();,|]")  # *.{tif,png} or *.tif;*.png: a program's own kind of pattern


@frozen
class Use:
    """A segment as plain values, all tokens replaced."""

    content_hash: str
    entries: Sequence[ResolvedEntry]
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict)  # its own `env:` alone
    inputs: Sequence[str] = ()  # globs, absolute or relative to cwd
    outputs: Sequence[str] = ()
    upstream: Sequence[tuple[str, str]] = ()  # (glob of `outputs`, its cwd) of each earlier segment
    skip: Sequence[str] = ()  # paths that are no inputs: the pipeline file


def see(use: Use, ledger: Ledger) -> Line:
    """What a segment reads, as it is when it starts: declared inputs in full, the rest within limits."""
    look = Look(MOST_FILES, PATIENCE)
    writes = told_by(use.entries, use.outputs, use.cwd)
    sources = [(source, _taken(source, look)) for source in sources_of(use, writes)]
    # what it writes to, where a segment reads
    places = ledger.roots.intersection(told.root for told in writes if not told.rest)
    for place in sorted(places - {source.root for source, _ in sources}):
        source = Source("output", "folder" if os.path.isdir(place) else "file", place)  # noqa: PTH112
        sources.append((source, look.at(source)))
    return Line(use.content_hash, sources, writes)


def _taken(source: Source, look: Look) -> Found:
    found = look.at(source, complete=source.how in ("declared", "upstream"))
    if source.kind == "file" and "" in found.files and not os.path.isdir(source.root):  # noqa: PTH112
        return Found({"": with_content(source.root, found.files[""])})
    return found


def sources_of(use: Use, writes: Sequence[Told]) -> list[Source]:
    """Its declared inputs, what of earlier segments' `outputs` it names, and what is there of its arguments.

    Where inputs are declared, only the scripts among the arguments count.
    """
    declared = [of_glob("declared", pattern, use.cwd) for pattern in use.inputs]
    arguments = list(_arguments(use, writes))
    earlier = [of_glob("upstream", pattern, cwd) for pattern, cwd in use.upstream]
    upstream = [one for one in earlier if any(_touch(one, named) for named in (*declared, *arguments))]
    covered = [Told(one.root, one.rest) for one in upstream]
    rest = [
        one
        for one in arguments
        if (one.kind != "file" or not any(told.covers(one.root) for told in covered))
        and (not declared or one.how == "output" or is_script(one.root))
    ]
    return list(dict.fromkeys([*declared, *upstream, *rest]))


def of_glob(how: str, pattern: str, cwd: str) -> Source:
    """The source that a pattern as in `inputs` means."""
    told = of_pattern(pattern, cwd)
    if told.rest:
        return Source(how, "glob", told.root, told.rest)
    folder = os.path.isdir(told.root) and not is_zarr(told.root)  # noqa: PTH112
    return Source(how, "folder" if folder else "file", told.root)


def _touch(earlier: Source, named: Source) -> bool:
    """Whether a segment that names the one may read what the other is."""
    a, b = earlier.root + os.sep, named.root + os.sep
    if named.kind == "file":
        return Told(earlier.root, earlier.rest).covers(named.root)
    return a.startswith(b) or b.startswith(a)


def _arguments(use: Use, writes: Sequence[Told]) -> Iterator[Source]:
    own = {told.root for told in writes if not told.rest}
    for value in values_read(use.entries, use.env):
        found = list(_of_value(value, use.cwd))
        if not found and _PIECES.search(value):
            found = [one for piece in pieces(value, windows=os.name == "nt") for one in _of_value(piece, use.cwd)]
        for one in found:
            if one.root not in use.skip:
                yield replace(one, how="output") if one.kind == "file" and one.root in own else one


def _of_value(value: str, cwd: str) -> Iterator[Source]:
    if value in (".", "..", "/", "\\", "-", "") or "://" in value:
        return
    path = absolute(value, cwd)
    try:
        if os.path.isdir(path):  # noqa: PTH112
            yield Source("argument", "file" if is_zarr(path) else "folder", path)
        elif os.path.isfile(path):  # noqa: PTH113
            yield Source("argument", "file", path)
        elif MAGIC.search(value) and ("/" in value or os.sep in value):
            told = of_pattern(value, cwd)
            # a folder that is there: what will be put into it is news. Below the current one it may be no path at all
            # and `/*` is what is left of a shell's "$folder"/*
            nowhere = told.root in (os.path.abspath(cwd), os.path.dirname(told.root))  # noqa: PTH100, PTH120
            if told.rest and not nowhere and os.path.isdir(told.root):  # noqa: PTH112
                folder = _NO_GLOB.search(told.rest)
                yield Source("argument", *(("folder", told.root) if folder else ("glob", told.root, told.rest)))
    except (OSError, ValueError):
        return


def remember(ledger: Ledger, seen: Line) -> None:
    """The segment succeeded. What it did to its inputs meanwhile is no news; what others did is."""
    look = Look(MOST_FILES, PATIENCE)
    line = Line(seen.content_hash, [], seen.writes)
    earlier, before_that = ledger.appeared, ledger.line(seen.content_hash)
    restless = before_that.restless if before_that else set()
    for source, before in seen.sources:
        counted = before
        if source.kind != "file" or not is_script(source.root):
            now = look.at(source, complete=source.how in ("declared", "upstream"))
            counted = _baseline(source, before, now, line, earlier, restless)
        if source.how != "output":
            line.sources.append((source, counted))
    ledger.put(line)


def adopt(ledger: Ledger, use: Use) -> None:
    """Of a segment that is done and of which nothing is known: from now on, what comes is new."""
    if ledger.line(use.content_hash) is None:
        remember(ledger, see(use, ledger))


def _baseline(
    source: Source, before: Found, now: Found, line: Line, earlier: Container[str], restless: Container[str]
) -> Found:
    """`before` with the segment's own doing in it, which is added to `line`."""
    own = source.how == "upstream" or not line.writes or in_place(source, before, line.writes)
    if before.count >= 0 or before.late or now.count >= 0 or now.late:
        return now if own else before
    series = Series(name for name in before.files if path_of(source, name) not in earlier)
    files = dict(before.files)
    for name in [*now.files, *(name for name in before.files if name not in now.files)]:
        path = path_of(source, name)
        was, fact = before.files.get(name), now.files.get(name)
        if was == fact or (was and fact and same(was, fact, path)):
            if path in earlier:
                line.appeared.add(path)
            if path in restless:
                line.restless.add(path)
            continue
        covered = any(told.covers(path) for told in line.writes)
        theirs = series.goes_on(name, now.files) if was is None else is_script(name)
        theirs = theirs and source.how != "upstream"  # nobody else writes between two segments
        if was and not own:  # once it may be a file that was still written; at each run, it is the segment that does it
            line.restless.add(path)
        by_itself = (was is None and series.is_odd(name)) or path in earlier or path in restless
        if by_itself or (not theirs if own else covered):
            line.made[path] = fact
            if fact is None:
                del files[name]
                continue
            files[name] = with_content(path, fact) if was and was[2] else fact
            if was is None or path in earlier:
                line.appeared.add(path)
    return Found(files)


def in_place(source: Source, before: Found, writes: Iterable[Told]) -> bool:
    """Whether a segment may write over, or right among, what was there."""
    names = list(before.files)
    for told in writes:
        if not told.rest and told.covers(source.root):
            return True
        if names and all(told.covers(path_of(source, name)) for name in names):
            return True
    return False


def path_of(source: Source, name: str) -> str:
    """The absolute path of a file of the source."""
    return os.path.join(source.root, name) if name else source.root  # noqa: PTH118


class Series:
    """The names that were there at the start, and what would go on with them."""

    def __init__(self, files: Iterable[str]) -> None:
        names = list(files)
        self._shapes = {_shape(name) for name in names}
        endings = Counter(os.path.splitext(name)[1].lower() for name in names)  # noqa: PTH122
        self._endings = set(endings)
        self._most = endings.most_common(1)[0][0] if endings else None

    def is_odd(self, name: str) -> bool:
        """No input has such an ending: a log, a thumbnail."""
        return bool(self._endings) and os.path.splitext(name)[1].lower() not in self._endings  # noqa: PTH122

    def goes_on(self, name: str, present: Mapping[str, Fact]) -> bool:
        """Whether a new file is the next of a series (img_0042.tif), as of a microscope that goes on.

        img_0042_mask.tif beside img_0042.tif was made of that.
        """
        stem, ending = os.path.splitext(name)  # noqa: PTH122
        if ending.lower() != self._most or _shape(name) not in self._shapes:
            return False
        cuts = [match.start() for match in re.finditer(r"[\W_]", stem)]
        return not any(stem[:cut] + ending in present for cut in cuts)


def _shape(name: str) -> str:
    return re.sub(r"\d+", "0", name)


def settle(ledger: Ledger, hashes: Iterable[str]) -> None:
    """At a run's end: what appeared among the inputs meanwhile, of an ending that no input has, the run has made."""
    look = Look(MOST_FILES, PATIENCE)
    made: dict[str, Fact | None] = {}
    for content_hash in hashes:
        line = ledger.line(content_hash)
        for source, before in line.sources if line else ():
            if source.kind != "folder" or before.late or before.count >= 0:
                continue
            series = Series(before.files)
            new = ((n, fact) for n, fact in look.at(source).files.items() if n not in before.files)
            made.update({path_of(source, name): fact for name, fact in new if series.is_odd(name)})
    if made:
        ledger.put(Line("", made=made, appeared=set(made)))
