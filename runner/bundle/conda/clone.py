"""Conda environments that came in a bundle to a store, brought to another one: `env clone`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from runner.bundle.conda.pack import pack
from runner.bundle.conda.unpack import read_index, unpack
from runner.environments.conda.packed import FOLDER, about_packed, told
from runner.environments.store import platform_folder
from runner.environments.uv.clone import Cloned
from runner.errors import RunnerError
from runner.host import Host


def clone_packed(source: Path, target: Path, host: Host, tell: Callable[[str], None]) -> Iterator[Cloned]:
    """From one folder of environments to another; what became of each. `source` stays as it is."""
    for folder in sorted(source.glob(f"*/{FOLDER}/*")):
        if not (note := told(folder)):
            continue
        name = folder.relative_to(source)
        if name.parts[0] != platform_folder(host):
            yield Cloned(name.as_posix(), 0, "left out: of another system; unbundle it there", good=False)
            continue
        tell(f"{name.as_posix()} (of conda)")
        if broken := about_packed(folder):
            yield Cloned(name.as_posix(), 0, f"left out: {broken.message}", good=False)
            continue
        try:
            yield _cloned(name, folder, str(note.get("text")), target, host)
        except RunnerError as error:
            yield Cloned(name.as_posix(), 0, f"left out: {error.message}", good=False)


def _cloned(name: Path, folder: Path, text: str, target: Path, host: Host) -> Cloned:
    place = target / name.parts[0]
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".cloning-", dir=place) as scratch:
        packed = pack(text, folder, Path(scratch), host)
        if packed.missing:
            return Cloned(name.as_posix(), 0, f"left out: {'; '.join(packed.missing)}", good=False)
        unpack(Path(scratch), packed.name, place, host)
        return Cloned(name.as_posix(), read_index(Path(scratch) / f"{packed.name}.json").size, "runs")
