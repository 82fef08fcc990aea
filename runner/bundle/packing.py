"""The conda environments of the pipelines, packed; what cannot be is told in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from runner.bundle.conda.pack import pack
from runner.bundle.licences import Licence
from runner.bundle.target import Target
from runner.environments import Site, kind, parts
from runner.environments.conda.packed import called
from runner.errors import EnvironmentMissing
from runner.ground.disk import on_disk
from runner.login.names import below
from runner.tasks import Task


@dataclass
class Packs:
    names: list[str] = field(default_factory=list)  # as segments call them
    files: dict[str, Path] = field(default_factory=dict)  # below the bundle's folder `conda`
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    licences: list[Licence] = field(default_factory=list)


def pack_conda(
    pipelines: Sequence[tuple[Path, Iterable[Task]]],
    places: Sequence[str],
    site: Site,
    target: Target,
    out: Path,
    say: Callable[[str], None],
    go_on: Callable[[], None],
) -> Packs:
    """Each once, in `out`; `places`: where the pipelines lie in the repository there.

    Raises StateError where it cannot be written, and what `go_on` does.
    """
    from runner.ground.files import state_errors

    found = Packs()
    seen: set[str] = set()
    for (path, tasks), place in zip(pipelines, places, strict=True):
        for task in tasks:
            for part in parts(task.spec):
                if not kind(part).packs or part.name in seen:
                    continue
                seen.add(part.name)
                try:
                    folder = kind(part).folder(part, task.entries, site)
                except EnvironmentMissing as error:
                    found.missing.append(f"the conda environment {part.name}: {error.message}")
                    continue
                say(f"packing {part.text}")
                with state_errors("write", out):
                    one = pack(
                        *(
                            _called_there(part.name, path, place, site),
                            on_disk(folder) if folder else None,
                            out,
                            site.host,
                        ),
                        *(target.platform, target.machine, go_on),
                    )
                found.names += [part.name] if one.packed else []
                found.files.update((file, out / file) for file in one.files)
                found.missing += one.missing
                found.notes += one.notes
                for told in one.licences:
                    texts = {path.name: path.read_bytes() for path in told.texts if path.is_file()}
                    found.licences.append(Licence(told.package, told.version, told.licence, texts))
    return found


def _called_there(name: str, pipeline: Path, place: str, site: Site) -> str:
    """The environment's name there: the folder of a pipeline outside the repository becomes one in it."""
    inside = below(Path(name), pipeline.parent) if Path(name).is_absolute() else None
    if inside is None or below(pipeline.parent, on_disk(site.repo)) is not None:
        return called(name, site)
    return "/".join((".", *PurePosixPath(place).parent.parts, inside))
