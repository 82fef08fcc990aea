"""What a run was made from, kept in its record: locks, the text of scripts by their hashes, what was read.

A record that lacks it is still a record: nothing here stops a run.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

from runner.environments import Site, kind, words
from runner.errors import RunnerError
from runner.ground.plain import read_plain
from runner.inputs.flags import is_script, pieces
from runner.records.kept import NOTHING, Kept, OfSegment, read_kept, try_to_keep
from runner.records.layout import Record
from runner.records.receipt import machine
from runner.runs.look import Look
from runner.tasks import Task

_LARGEST = 5_000_000  # bytes of a script; what is larger is data
_GPUS = ("/dev/nvidiactl", "/dev/dxg")  # the second in WSL
_MOST = 500  # files of a program


def keep_start(look: Look, record: Record) -> None:
    """Of the segments that will run, before they do."""
    site, root = look.request.site, record.folder.parent
    known: dict[Path, str] = {}  # most segments share a lock

    def kept(path: Path) -> str:
        if path not in known:
            known[path] = try_to_keep(root, path.read_bytes())
        return known[path]

    segments: dict[int, str] = {}
    made: dict[bytes, str] = {}
    scripts = Scripts(site)
    for job in look.to_run:
        with suppress(OSError, RunnerError):
            files = kind(job.spec).made_from(job.spec, job.entries, site)
            held = {name: kept(path) for name, path in files.items()}
            own = OfSegment(held if all(held.values()) else {}, scripts.of(job))
            if not (own.environment or own.scripts):
                segments[job.segment.number] = NOTHING
                continue
            text = own.text()
            if text not in made:
                made[text] = try_to_keep(root, text)
            segments[job.segment.number] = made[text]
    with suppress(RunnerError):
        Kept(segments, machine=this_machine(site)).write(record.folder)


def keep_inputs(look: Look, record: Record) -> None:
    """Of those that ran, at the end: what they read, as it was when they started."""
    kept, lines = read_kept(record.folder), look.inputs.lines
    if kept is None or not lines:
        return
    with suppress(RunnerError):
        replace(kept, inputs=try_to_keep(record.folder.parent, b"\n".join(lines.values()))).write(record.folder)


def this_machine(site: Site) -> dict[str, str]:
    """What results may depend on and no lock holds."""
    found = {name: text for name, text in machine().items() if name != "user"}
    none = site.host.platform == "linux" and not any(map(os.path.exists, _GPUS))  # then its library need not be asked
    if not none and site.host.nvml() is not None:  # nvidia-smi takes a second: too long for each start
        from runner.process.gpu import ask

        told = ask(site.host)
        if told and told.gpus:
            found |= {"gpu": told.gpus[0].name, "driver": told.gpus[0].driver}
    return found


class Scripts:
    """What the programs of segments are made of; each file is read once."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._read: dict[Path, tuple[str, tuple[Path, ...]] | None] = {}

    def of(self, job: Task) -> dict[str, str]:
        """The scripts that a segment names, and the modules beside them that they import, with their SHA-256."""
        found: dict[Path, str] = {}
        waiting = list(_named(job, self._site))
        while waiting and len(found) < _MOST:
            path = waiting.pop()
            if path not in self._read:
                self._read[path] = _read(path)
            if path not in found and (told := self._read[path]):
                found[path] = told[0]
                waiting += told[1]
        return {shown(path, job, self._site): digest for path, digest in sorted(found.items())}


def _read(path: Path) -> tuple[str, tuple[Path, ...]] | None:
    """Its SHA-256, and what it imports."""
    try:
        data = read_plain(path, largest=_LARGEST)
    except OSError:
        return None
    imported = tuple(_imported(data, path)) if path.suffix in (".py", ".pyw") else ()
    return hashlib.sha256(data).hexdigest(), imported


def shown(path: Path, job: Task, site: Site) -> str:
    """As it is written down: so that a repository or a pipeline may be moved, and no value of .env is told."""
    for folder, token in ((job.folder, "%YAML%"), (str(site.repo), "%REPO%")):
        with suppress(ValueError):
            return f"{token}/{path.relative_to(folder).as_posix()}"
    text: str = job.masked(str(path), site)
    return text


def _named(job: Task, site: Site) -> Iterator[Path]:
    for word in (*words(job.entries), *job.env.values()):
        for piece in (word, *pieces(word, windows=site.host.windows)) if " " in word else (word,):
            if not is_script(piece):
                continue
            for folder in (job.cwd, job.base):
                path = Path(os.path.abspath(os.path.join(folder, piece)))  # noqa: PTH100, PTH118  (no links resolved)
                if path.is_file():
                    yield path
                    break


def _imported(data: bytes, script: Path) -> Iterator[Path]:
    """Modules that Python finds beside the script, or beside the module that imports them."""
    for name in _modules(data):
        parts = name.split(".")
        for folder in dict.fromkeys((script.parent, script.parent.parent)):
            # `from package.module import name` and `import package.module`: the package's own file runs, too
            for end in range(1, len(parts) + 1):
                place = folder.joinpath(*parts[:end])
                yield from (path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file())


@cache
def _imports() -> re.Pattern[bytes]:
    """Compiled where a script is looked into: it takes longer than the rest of a start."""
    return re.compile(
        rb"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([\w\s,]+|[\w, \t]+)|import[ \t]+([\w., \t]+))",
        re.MULTILINE,
    )


def _modules(data: bytes) -> Iterable[str]:
    found: dict[str, None] = {}
    for package, names, several in _imports().findall(data):
        for name in (names or several).strip(b"( ").split(b","):
            text = (name.split(b" as ")[0] if not package else package + b"." + name).decode("ascii", "ignore")
            found["".join(text.split(" as ")[0].split()).strip(".")] = None
    return [name for name in found if name]
