"""Wheels come here by pip, from the lock's own addresses, or where these do not answer from the user's index.

pip, since the user's proxies, certificates, mirrors and passwords are in its settings, it goes on with a download that
broke off, and what it has fetched once is in its cache. It judges nothing: which file, and whether it is the one, is
decided here.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from runner.bundle.choose import Wheel
from runner.bundle.target import minor
from runner.bundle.tools import Tools
from runner.environments.uv.travel import indexes
from runner.errors import EnvironmentMissing
from runner.ground.words import size_text

AT_ONCE = 3  # pips
_UNKNOWN = 1 << 40  # bytes: what may be large comes first
_FEW = 8  # packages that are not worth another one
FAILED = "a package could not be fetched"  # why the other pips are stopped
SETTINGS = {
    "PIP_NO_INPUT": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_PROGRESS_BAR": "off",
    # of the user's settings, those that would change what `pip download` does
    "PIP_REQUIRE_HASHES": "0",
    "PIP_NO_BINARY": "",
    "PIP_CONSTRAINT": "",
    "PIP_TARGET": "",
    "PIP_USER": "0",
    "PIP_PYTHON": "",
    "PIP_ABI": "",
    "PIP_IMPLEMENTATION": "",
    "PIP_PLATFORM": "",
    "PYTHONUTF8": "1",
}
_BEGUN = re.compile(r"\s*(?:Downloading|Using cached|Processing)\s+(?:\S*/)?(\S+\.whl)\b")
_EVERY = 2.0  # seconds between two words about how far it is


@dataclass
class Progress:
    """How much of it is here, in words that are not too many."""

    say: Callable[[str], None]
    sizes: dict[str, int]  # file -> bytes, 0 where nobody knows
    _seen: set[str] = field(default_factory=set)
    _last: float = 0.0

    def line(self, text: str) -> None:
        """A line that pip prints."""
        found = _BEGUN.match(text)
        if not found:
            return
        self._seen.add(found[1])
        now = time.monotonic()
        if now - self._last >= _EVERY:
            self._last = now
            here = sum(self.sizes.get(name, 0) for name in self._seen)
            whole = sum(self.sizes.values())
            how_much = f" ({size_text(here)} of {size_text(whole)})" if all(self.sizes.values()) else ""
            self.say(f"fetching {len(self._seen)} of {len(self.sizes)} packages{how_much}: {found[1]}")


def fetch(wheels: Iterable[tuple[Wheel, str]], tools: Tools) -> dict[Wheel, Path]:
    """Each wheel, with the Python that it is for, as a file whose hash was checked.

    Raises EnvironmentMissing, Interrupted.
    """
    here: dict[Wheel, Path] = {}
    away: dict[Wheel, str] = {}
    for wheel, python in wheels:
        if wheel.place is None:
            away.setdefault(wheel, python)
        else:
            here[wheel] = wheel.place
            _check(wheel, wheel.place)
    if away:
        tools.prepare()
    progress = Progress(tools.say, {wheel.file: wheel.size for wheel in away})
    batches = _batches(away)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        tasks = [
            threads.submit(_fetch, batch, tools, tools.folder / f"fetched-{number}", progress)
            for number, batch in enumerate(batches)
        ]
        wait(tasks, return_when=FIRST_EXCEPTION)
        failed = [error for task in tasks if task.done() and (error := task.exception())]
        if failed:  # the others need not be waited for
            tools.stop.now(FAILED)
            raise failed[0]
        for task in tasks:
            here.update(task.result())
    return here


def _batches(wheels: dict[Wheel, str]) -> list[list[tuple[Wheel, str]]]:
    """What one pip can fetch at once: one wheel of each package, for one version of Python; of about one size."""
    columns: dict[tuple[str, int], list[tuple[Wheel, str]]] = {}
    seen: dict[tuple[str, str], int] = {}
    for wheel, python in sorted(wheels.items(), key=lambda one: (-(one[0].size or _UNKNOWN), one[0].file)):
        number = seen.get((python, wheel.name), -1) + 1
        seen[python, wheel.name] = number
        columns.setdefault((python, number), []).append((wheel, python))
    shares = {key: min(AT_ONCE, -(-len(column) // _FEW)) for key, column in columns.items()}
    return [column[start :: shares[key]] for key, column in columns.items() for start in range(shares[key])]


def _fetch(batch: Sequence[tuple[Wheel, str]], tools: Tools, folder: Path, progress: Progress) -> dict[Wheel, Path]:
    folder.mkdir()
    said = _download(batch, tools, folder, progress, by_index=False)
    if said and any(not (folder / wheel.file).is_file() for wheel, _ in batch):
        again = _download(batch, tools, folder, progress, by_index=True)
        if again:
            raise _failed(batch, said)
    found = {}
    for wheel, _ in batch:
        path = folder / wheel.file
        if not path.is_file():
            raise EnvironmentMissing(f"{wheel.file} was not fetched, although pip reported success", "Start it again.")
        try:
            _check(wheel, path)
        except EnvironmentMissing:
            path.unlink()
            raise
        found[wheel] = path
    return found


def _download(
    batch: Sequence[tuple[Wheel, str]], tools: Tools, folder: Path, progress: Progress, *, by_index: bool
) -> list[str]:
    """What pip said where it failed."""
    wanted = folder / "wanted.txt"
    lines = []
    for wheel, _ in batch:
        hashes = "".join(f" --hash={name}:{value}" for name, value in wheel.hashes if name in _KNOWN)
        lines.append(f"{wheel.name}=={wheel.version}{hashes}\n" if by_index else f"{wheel.name} @ {wheel.url}\n")
    wanted.write_text("".join(lines), encoding="utf-8")
    platforms = sorted({one for wheel, _ in batch for one in wheel.file[:-4].rpartition("-")[2].split(".")} - {"any"})
    words = [
        *("-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--ignore-requires-python"),
        "--resume-retries=9",
        *("--python-version", minor(batch[0][1]), "--dest", str(folder), "--requirement", str(wanted)),
        *(word for one in platforms for word in ("--platform", one)),
        *(_of_uv(tools) if by_index else ("--no-index",)),
    ]
    outcome, said = tools.python(
        words, {**SETTINGS, "TMPDIR": str(tools.folder), "TEMP": str(tools.folder)}, progress.line
    )
    return [] if outcome.succeeded else said or [outcome.explanation or outcome.error or "it said nothing"]


_KNOWN = ("sha256", "sha384", "sha512")


def _of_uv(tools: Tools) -> Iterator[str]:
    """The indexes that the user names to uv; where there is none, pip goes by its own settings."""
    first, more = indexes(tools.user)
    if first:
        yield from ("--index-url", first)
    for url in more:
        yield from ("--extra-index-url", url)
    for place in tools.user.host.environ.get("UV_FIND_LINKS", "").replace(",", " ").split():
        yield from ("--find-links", place)


def _failed(batch: Sequence[tuple[Wheel, str]], said: Sequence[str]) -> EnvironmentMissing:
    text = "\n".join(said)
    last = [line for line in said if line.strip()][-6:]
    named = [wheel for wheel, _ in batch if wheel.file in text or wheel.url in text]
    what = named[-1].file if named else f"one of {len(batch)} packages"
    return EnvironmentMissing(
        f"{what} could not be fetched",
        "Check the network, the proxy and pip's own settings (`pip config list`), and start it again: what was "
        "fetched is in pip's cache.\n" + "\n".join(f"pip: {line.strip()}" for line in last),
    )


def _check(wheel: Wheel, path: Path) -> None:
    check_hashes(wheel.file, path, wheel.hashes, wheel.url or str(path))


def check_hashes(title: str, path: Path, hashes: Sequence[tuple[str, str]], origin: str) -> None:
    """Raises EnvironmentMissing for a file that is not the one of the lock."""
    wanted = [(name, value) for name, value in hashes if name in _KNOWN]
    if not wanted:
        raise EnvironmentMissing(f"the lock has no hash of {title} that counts", "Lock it again.")
    for name, value in wanted:
        try:
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, name).hexdigest()
        except OSError as error:
            raise EnvironmentMissing(f"{path} cannot be read: {error.strerror}", "Check that it is there.") from error
        if found != value:
            raise EnvironmentMissing(
                f"{title} is not the file of the lock: its {name} is {found}, and {value} is wanted",
                f"It came from {origin}. Start it again; where that does not help, empty pip's cache (`pip cache "
                "purge`), or ask who keeps that index.",
            )
