"""What a worker says of itself, beside what it does, and who works on a chunk.

jobs/2000017.json is the first start of generation 2 of chunk 17, jobs/2000017.1.json the second: a scheduler starts an
element again when its node is gone, and a node may be gone only for the scheduler. So the later one waits until the
earlier has ended or is silent, and the earlier ends once it sees the later. No clock is believed by a few minutes.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from runner.cluster.jobs import ClusterError
from runner.cluster.receipts import CHUNKS, chunk_of, worker_number
from runner.errors import ExitCode
from runner.ground.files import state_error
from runner.ground.plain import create
from runner.ground.told import number, read_json, text, whole, write_json
from runner.host import Host
from runner.process.identity import boot_id, is_alive
from runner.process.stop import StopRequest
from runner.records.layout import JOBS

BEAT = 15.0  # seconds between two signs of life
SILENT = 90.0  # without one for so long, a worker is taken for dead: longer than a share stays away
_LONG_AGO = 600.0  # so old a sign of life is none, even where the clocks of two nodes differ
_LOOK = 0.5
_AHEAD = 3  # later generations that are looked for
_NAME = re.compile(r"(\d+)(?:\.(\d+))?\.json", re.ASCII)


class TakenOver(ClusterError):
    """Another worker has this chunk."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True)
class Note:
    """One worker, as it tells it when it begins and when it ends."""

    number: int  # generation and chunk
    turn: int = 0  # how often this submission was started before
    node: str = ""
    job: str = ""  # as the scheduler knows it, with the index
    pid: int = 0
    process: float = 0.0  # its time of birth
    boot: str = ""  # `where_pids_count`
    began: float = 0.0  # since the epoch, by the node's clock
    ended: float = 0.0  # 0: it has not, or it was killed
    code: int | None = None  # it ended with
    items: int = 0  # of its chunk
    receipts: int = 0  # that it wrote
    waiting: int = 0  # items that were left, since what is before them has not ended
    memory: int = 0  # items that were left, since memory ran out
    says: str = ""  # what went wrong, in plain words

    @property
    def generation(self) -> int:
        return self.number // CHUNKS

    @property
    def chunk(self) -> int:
        return chunk_of(self.number)


def where_pids_count(host: Host) -> str:
    """Equal for processes that can look for each other by number: many containers are named `localhost`."""
    space = ""
    with suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    return f"{boot} {space}".strip() if (boot := boot_id(host)) else ""


def read_note(path: Path) -> Note | None:
    """None where it is not there, or not all of it yet."""
    data = read_json(path) or {}
    found = {one.name: value for one in fields(Note) if (value := _CHECKS[one.name](data.get(one.name))) is not None}
    return Note(**found) if "number" in found else None


def notes(folder: Path, chunk: int | None = None) -> dict[Path, Note | None]:
    """Of a segment's workers, or those of one chunk, the latest last; a None that is just being written."""
    return {path: read_note(path) for _, path in _places(folder, chunk)}


_CHECKS: dict[str, Callable[[object], Any]] = {
    **dict.fromkeys(("node", "job", "boot", "says"), text),
    **dict.fromkeys(("process", "began", "ended"), number),
    **dict.fromkeys(("number", "turn", "pid", "code", "items", "receipts", "waiting", "memory"), whole),
}


def _places(folder: Path, chunk: int | None = None) -> list[tuple[tuple[int, int], Path]]:
    """(generation, turn) and path."""
    try:
        names = os.listdir(folder / JOBS)  # noqa: PTH208
    except OSError:
        return []
    found = []
    for name in names:
        match = _NAME.fullmatch(name)
        if match and chunk in (None, chunk_of(int(match[1]))):
            found.append(((int(match[1]) // CHUNKS, int(match[2] or 0)), folder / JOBS / name))
    return sorted(found)


def _path(folder: Path, number: int, turn: int) -> Path:
    return folder / JOBS / (f"{number}.{turn}.json" if turn else f"{number}.json")


@dataclass
class Claim:
    """That this process works on a chunk, from `take` to `end`."""

    folder: Path  # of the segment
    note: Note
    path: Path
    stop: StopRequest  # what we do ends when another one took over
    taken_over: bool = False
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def begin(self) -> None:
        """Signs of life from now on."""
        self._thread = threading.Thread(target=self._beat, name="sign of life", daemon=True)
        self._thread.start()

    def end(self, **told: Any) -> None:
        """Raises StateError."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        write_json(self.path, asdict(replace(self.note, ended=time.time(), **told)))

    def _beat(self) -> None:
        while not self._over.wait(BEAT):
            with suppress(OSError):  # a share that is away for a moment
                os.utime(self.path)
                if self._has_successor():
                    self.taken_over = True
                    self.stop.now("another worker took over")
                    return

    def _has_successor(self) -> bool:
        note = self.note
        later = [(note.generation, note.turn + 1), *((note.generation + n, 0) for n in range(1, _AHEAD + 1))]
        places = (_path(self.folder, worker_number(generation, note.chunk), turn) for generation, turn in later)
        return any(os.path.lexists(place) for place in places)


def take(
    folder: Path,
    note: Note,
    stop: StopRequest,
    say: Callable[[str], None] = lambda text: None,
    *,
    silent: float = SILENT,
    may_take_over: bool = True,
) -> Claim:
    """Wait until nobody else works on the chunk, and say that we do.

    `may_take_over`: two by a scheduler, of which it takes the first for dead; by hand, the second is refused.
    Raises TakenOver, StateError.
    """
    earlier = _places(folder, note.chunk)
    if earlier and earlier[-1][0] > (note.generation, CHUNKS):
        raise TakenOver(f"chunk {note.chunk} was submitted again meanwhile", "There is nothing to do here.")
    if not may_take_over:
        for _, path in earlier:
            if not _wait_for(path, note, stop, say, silent, give_up=True):
                raise _refused(path)
    turn = max((turn for (generation, turn), _ in earlier if generation == note.generation), default=-1)
    path = _made(folder, note, turn)
    note = replace(note, turn=_turn_of(path))
    write_json(path, asdict(note))
    claim = Claim(folder, note, path, stop)
    claim.begin()
    if may_take_over:
        for _, other in earlier:
            _wait_for(other, note, stop, say, silent, reference=_touched(path))
    return claim


def _made(folder: Path, note: Note, turn: int) -> Path:
    """A note of ours that nobody had before."""
    jobs = folder / JOBS
    try:
        jobs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise state_error("write", jobs, error) from error
    while True:
        turn += 1
        path = _path(folder, note.number, turn)
        try:
            os.close(create(path))
            return path
        except FileExistsError:
            continue
        except OSError as error:
            raise state_error("write", path, error) from error


def _turn_of(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    return int(match[2] or 0) if match else 0


def _wait_for(
    path: Path,
    mine: Note,
    stop: StopRequest,
    say: Callable[[str], None],
    silent: float,
    *,
    reference: int | None = None,
    give_up: bool = False,
) -> bool:
    """Until that worker has ended, or gives no sign of life; False where it surely lives, with `give_up`.

    `reference`: the time of a file that was written just now.
    """
    told, last, since = False, None, time.monotonic()
    while not stop.requested:
        note = read_note(path)
        if note is not None and note.ended:
            return True
        if note is not None and mine.boot and (note.node, note.boot) == (mine.node, mine.boot):
            if not is_alive(note.pid, note.process):
                return True
            if give_up:
                return False
        now = _touched(path)
        if now is None or (reference is not None and reference - now > _LONG_AGO * 1e9):
            return True
        if now != last:
            if give_up and last is not None:
                return False
            last, since = now, time.monotonic()
        elif time.monotonic() - since > silent:
            return True
        if not told:
            told = True
            where = f" on {note.node}" if note is not None and note.node else ""
            say(
                f"an earlier worker{where} has not said that it ended: waiting until it has, or gives no sign of life "
                f"for {silent:.0f} s"
            )
        stop.wait(_LOOK)
    return True


def _touched(path: Path) -> int | None:
    """Its time, asked of the file server itself: opening a file does that."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return os.fstat(descriptor).st_mtime_ns
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _refused(path: Path) -> TakenOver:
    note = read_note(path)
    where = f" on {note.node} (process {note.pid})" if note is not None else ""
    return TakenOver(
        f"this part of the items is being worked on already{where}",
        "Start another part here, or stop that one.",
    )
