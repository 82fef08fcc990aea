"""All that does not lie in the repository: packages, interpreters, conda environments, licences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.bundle import pythons
from runner.bundle.asked import Asked
from runner.bundle.build import build, built_words
from runner.bundle.choose import Chosen, Part, Source, Stored, Wheel
from runner.bundle.fetch import fetch
from runner.bundle.form import WHEELS, Packed
from runner.bundle.licences import Licence, of_wheel
from runner.bundle.needs import Needs
from runner.bundle.packing import Packs, pack_conda
from runner.bundle.pythons import Interpreter
from runner.bundle.target import Target
from runner.bundle.tools import Tools
from runner.bundle.write import entry_of
from runner.errors import Interrupted
from runner.process.stop import StopRequest
from runner.tasks import Task


@dataclass
class Brought:
    """In the folder of `tools`, and what users have to know of it."""

    stored: dict[tuple[Part, str], Stored]
    built: list[str]  # in words
    pythons: list[Interpreter]
    conda: Packs

    def licences(self) -> Iterator[Licence]:
        yield from (of_wheel(one.file) for one in self.stored.values())
        yield from self.conda.licences
        yield from (one.licence for one in self.pythons if one.licence)

    def counted(self, environments: Sequence[Chosen]) -> tuple[int, int]:
        """How many wheels there are, and how many of them are in several environments."""
        uses = [{self.stored[part, one.python].name for _, part in one.parts} for one in environments]
        names = {one.name for one in self.stored.values()}
        return len(names), sum(sum(name in one for one in uses) > 1 for name in names)


def bring(
    asked: Asked,
    needs: Needs,
    pipelines: Sequence[tuple[Path, Sequence[Task]]],
    places: Sequence[str],
    tools: Tools,
) -> Brought:
    """`places`: of the pipelines, there. Raises EnvironmentMissing, StateError, Interrupted."""
    stored, built = _stored(needs.everything, asked.target, tools)
    found = []
    for version in sorted({asked.python, *(one.python for one in needs.environments)}):
        folder = tools.folder / f"python-{version}"
        found.append(pythons.get(version, asked.target, tools.user, folder, tools.say))
        stopped(tools.stop)
    out = tools.folder / "conda"
    conda = pack_conda(pipelines, places, tools.user, asked.target, out, tools.say, lambda: stopped(tools.stop))
    return Brought(stored, built, found, conda)


def _stored(
    environments: Sequence[Chosen], target: Target, tools: Tools
) -> tuple[dict[tuple[Part, str], Stored], list[str]]:
    """Each file of the environments, fetched or built; and in words what was built.

    What is built comes first: it may fail, and what is fetched may be large.
    """
    wanted = dict.fromkeys((part, one.python) for one in environments for _, part in one.parts)
    files: dict[tuple[Part, str], Path] = {}
    built = []
    for number, (part, python) in enumerate(wanted):
        if isinstance(part, Source):
            path = files[part, python] = build(part, python, target, tools, tools.folder / f"built-{number}")
            built.append(built_words(part, path.name))
    fetched = fetch(((part, python) for part, python in wanted if isinstance(part, Wheel)), tools)
    for part, python in wanted:
        if isinstance(part, Wheel):
            files[part, python] = fetched[part]
    return _named(files), list(dict.fromkeys(built))


def _named(files: dict[tuple[Part, str], Path]) -> dict[tuple[Part, str], Stored]:
    """Where each lies in the bundle; two of one name and other content, each in a folder of its own."""
    found: dict[tuple[Part, str], Stored] = {}
    packed: dict[Path, Packed] = {}
    sums: dict[str, str] = {}
    for part, path in sorted(files.items(), key=lambda one: (one[1].name, one[0][1], str(one[0][0]))):
        if path not in packed:
            packed[path] = entry_of(path, executable=False).packed
        size, sha256 = packed[path][:2]
        name = f"{WHEELS}/{path.name}"
        if sums.setdefault(name, sha256) != sha256:
            name = f"{WHEELS}/{sha256[:8]}/{path.name}"
            sums[name] = sha256
        found[part] = Stored(name, path, size, sha256)
    return found


def stopped(stop: StopRequest) -> None:
    """Raises Interrupted where the user asked for it."""
    if stop.requested:
        raise Interrupted("stopped; no bundle was written", "Start it again: what pip fetched is in its cache.")
