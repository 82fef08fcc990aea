"""The rungs that need no image library: bytes, text, JSON and YAML."""

from __future__ import annotations

import difflib
import errno
import itertools
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from runner.compare.pairing import same_start
from runner.compare.results import Pair, Rung
from runner.errors import Interrupted
from runner.ground.words import counted
from runner.pipeline.text import encoding_of
from runner.process.stop import StopRequest

BLOCK = 1 << 20  # bytes
TEXT = (".txt", ".md", ".log", ".ini", ".cfg", ".toml", ".xml", ".html", ".svg", ".ijm", ".py", ".r", ".m")
YAML = (".yaml", ".yml")
DATA = (".json", ".geojson", *YAML)
LARGEST_TEXT = 50 << 20  # bytes; more is compared by bytes
LARGEST_YAML = 5 << 20  # bytes, which take a minute; more is text
ALIASED = 1_000_000  # values beyond what the files have bytes for: a few lines of YAML can stand for any number
SHOWN = 80  # signs of a line
RTOL = 1e-5
# keys whose numbers tell which one, and not how much
_ID = re.compile(
    r"(?:^|[^a-zA-Z])(?i:ids?|labels?|parents?(?:_\w+)?|index|number|nr|object)$|(?:Ids?|IDs?|Number|Index)$"
)
_PLACE = re.compile(r"[.\[\]]")  # between the parts of a place
_INDEX = re.compile(r"\[\d+\]")


def same_bytes(a: Path, b: Path, stop: StopRequest | None = None) -> bool:
    """Whether both hold the same bytes; folders (OME-Zarr) file by file. Raises OSError, Interrupted."""
    for path in (a, b):
        refuse_devices(path)
    if a.is_dir() or b.is_dir():
        return a.is_dir() and b.is_dir() and _same_folders(a, b, stop)
    if a.stat().st_size != b.stat().st_size:
        return False
    one, two = bytearray(BLOCK), bytearray(BLOCK)
    with a.open("rb", buffering=0) as left, b.open("rb", buffering=0) as right:
        while True:
            if stop is not None and stop.requested:
                raise stopped()
            count, other = left.readinto(one), right.readinto(two)
            if count != other or (one != two if count == BLOCK else one[:count] != two[:count]):
                return False
            if not count:
                return True


def stopped() -> Interrupted:
    """For whoever sees that it is to stop."""
    return Interrupted("stopped while comparing", "Start the comparison again: what the pipelines made stays.")


def _same_folders(a: Path, b: Path, stop: StopRequest | None) -> bool:
    names = [sorted(_files_below(folder)) for folder in (a, b)]
    return names[0] == names[1] and all(same_bytes(a / name, b / name, stop) for name in names[0])


def _files_below(folder: Path) -> Iterator[str]:
    """Relative names, also of what lies behind links: it belongs to the image. Raises OSError for a ring of links."""
    seen = set()
    for base, _, files in os.walk(folder, onerror=_raise, followlinks=True):
        found = os.stat(base)  # noqa: PTH116
        if (found.st_dev, found.st_ino) in seen:
            raise OSError(errno.ELOOP, "a link in it leads to the same folder once more", base)
        seen.add((found.st_dev, found.st_ino))
        for name in files:
            path = Path(base, name)
            refuse_devices(path)
            yield path.relative_to(folder).as_posix()


def _raise(error: OSError) -> None:
    raise error


def refuse_devices(path: Path) -> None:
    """Raises OSError for what can be read without an end, or only when another program writes."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "it is a pipe or a device, and no file", str(path))


def judge(pair: Pair, tolerances: dict[str, Any], stop: StopRequest | None = None) -> None:
    """A pair of other bytes that is no image and no table."""
    ending = pair.both[0].suffix.lower()
    sizes = [path.stat().st_size for path in pair.both]
    if any(path.is_dir() for path in pair.both):
        pair.kind, pair.rung, pair.distance = "bytes", Rung.UNREADABLE, math.inf
        pair.said = "not compared: it is a link to a folder, and what lies behind it is not the same in A and B"
        return
    largest = LARGEST_YAML if ending in YAML else LARGEST_TEXT
    if ending in DATA and max(sizes) <= largest and _judge_data(pair, _Limits.of(tolerances, sum(sizes), stop)):
        return
    if ending in (*TEXT, *DATA) and max(sizes) <= LARGEST_TEXT and _judge_text(pair):
        return
    pair.kind, pair.rung, pair.distance = "bytes", Rung.DIFFERENT, math.inf
    pair.said = f"the bytes differ ({sizes[0]:,} against {sizes[1]:,}); nothing more is known about this kind of file"


def _judge_text(pair: Pair) -> bool:
    texts = [_decoded(path.read_bytes()) for path in pair.both]
    if any("\0" in text for text in texts):
        return False
    one, two = (text.splitlines() for text in texts)
    bare = [[line.rstrip() for line in lines] for lines in (one, two)]
    pair.kind = "text"
    if bare[0] == bare[1]:
        pair.rung, pair.said = Rung.CONTENT, "same text, other encoding, line ends or blanks"
        return True
    first = same_start(*bare)
    lines = [lines[first].strip() if first < len(lines) else "(end)" for lines in (one, two)]
    left, right = _where_they_part(*lines)
    pair.rung, pair.distance = Rung.DIFFERENT, math.inf
    pair.said = f"line {first + 1} is {left!r} against {right!r}"
    diff = difflib.unified_diff(one[:2000], two[:2000], "A", "B", lineterm="", n=1)
    pair.measures = {"diff": [line[: 4 * SHOWN] for line in itertools.islice(diff, 40)]}
    return True


def _decoded(data: bytes) -> str:
    encoding, mark = encoding_of(data)
    for name in (encoding, "cp1252"):
        try:
            return data[len(mark) :].decode(name)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _where_they_part(one: str, two: str) -> list[str]:
    """Of long lines the signs about the first that differs."""
    same = same_start(one, two)
    start = max(0, same - SHOWN // 2) if max(len(one), len(two)) > SHOWN else 0
    return [("…" if start else "") + line[start : start + SHOWN] for line in (one, two)]


@dataclass(frozen=True)
class _Limits:
    """What may differ: measures, by `rtol` of their size; `ignore` are patterns of keys that are left out."""

    rtol: float
    asked: bool  # for this limit: then it holds for whole numbers as well, unless they are ids
    ignore: tuple[str, ...]
    most: int  # values
    stop: StopRequest | None
    _steps: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    def of(cls, table: Mapping[str, Any], size: int, stop: StopRequest | None) -> _Limits:
        ignore = tuple(table.get("ignore-columns", ()))
        return cls(table.get("rtol", RTOL), "rtol" in table, ignore, size + ALIASED, stop)

    def step(self) -> None:
        """To be called for each value. Raises ValueError when there are too many, Interrupted."""
        if next(self._steps) > self.most:
            raise ValueError("aliases stand for too many values")
        if self.stop is not None and self.stop.requested:
            raise stopped()

    def leaves_out(self, key: Any) -> bool:
        return any(key == pattern or fnmatchcase(str(key), pattern) for pattern in self.ignore)

    def over(self, a: float, b: float, where: str) -> float:
        """The difference over what is allowed; whole numbers are compared exactly."""
        key = next((part for part in reversed(_PLACE.split(where)) if part and not part.isdigit()), "")
        whole = all(isinstance(one, int) or one.is_integer() for one in (a, b))
        if whole and (_ID.search(key) or (not self.asked and (isinstance(a, int) or isinstance(b, int)))):
            return math.inf
        allowed = self.rtol * max(abs(a), abs(b))
        return abs(a - b) / allowed if allowed else math.inf


def _judge_data(pair: Pair, limits: _Limits) -> bool:
    try:
        one, two = map(_load, pair.both)
        found = list(_apart(one, two, "", limits))
    except (ValueError, RecursionError, OverflowError):  # damaged, or deep or large beyond all measure: then it is text
        return False
    pair.kind = "data"
    keys: dict[str, float] = {}
    for where, _, over in found:
        key = _INDEX.sub("[]", where)
        keys[key] = max(over, keys.get(key, 0.0))
    pair.over = keys
    worst = [one for one in found if one[2] > 1]
    if not found:
        pair.rung, pair.said = Rung.CONTENT, "same values; the files are written differently"
    elif not worst:
        pair.rung, pair.said = Rung.WITHIN, f"{len(found)} numbers differ, all within the tolerance"
        pair.distance = max(one[2] for one in found)
    else:
        pair.rung, pair.distance = Rung.DIFFERENT, max(one[2] for one in worst)
        told = f"{counted(len(worst), 'value')} differ{'s' * (len(worst) == 1)}"
        pair.said = f"{told}, first {worst[0][0] or 'the whole'}: {worst[0][1]}"
        pair.measures = {"differences": [f"{where}: {text}" for where, text, _ in worst[:40]]}
    return True


def _load(path: Path) -> Any:
    """Raises ValueError."""
    if path.suffix.lower() not in YAML:
        return json.loads(path.read_bytes(), object_pairs_hook=_each_once)
    import yaml

    try:
        return yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, AttributeError, LookupError, TypeError) as error:  # as `!!timestamp x` raises them
        raise ValueError(str(error)) from error


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice: readers take one or the other")
    return found


def _apart(a: Any, b: Any, where: str, limits: _Limits) -> Iterator[tuple[str, str, float]]:
    """(place, what differs, size over the tolerance) for each leaf that differs."""
    limits.step()
    if isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(key for key in b if key not in a)]:
            at = f"{where}.{key}" if where else str(key)
            if limits.leaves_out(key):
                continue
            if key in a and key in b:
                yield from _apart(a[key], b[key], at, limits)
            else:
                yield at, "missing in B" if key in a else "only in B", math.inf
    elif isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            yield where, f"{len(a)} entries against {len(b)}", math.inf
        for n, (one, two) in enumerate(zip(a, b, strict=False)):
            yield from _apart(one, two, f"{where}[{n}]", limits)
    elif _is_number(a) and _is_number(b):
        if a != b and not (math.isnan(a) and math.isnan(b)):
            yield where, f"{a} against {b}", limits.over(a, b, where)
    elif a != b or type(a) is not type(b):
        yield where, f"{_shown(a)} against {_shown(b)}", math.inf


def _shown(value: Any) -> str:
    """As JSON writes it: `true` is no text and no 1."""
    if isinstance(value, dict | list):
        return f"{len(value)} {'keys' if isinstance(value, dict) else 'entries'}"
    return repr(value[:60]) if isinstance(value, str) else json.dumps(value, default=str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
