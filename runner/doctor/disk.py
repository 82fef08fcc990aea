"""Room for cache, environments and outputs, with a forecast from earlier runs; and where uv's cache lies."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from runner.doctor import Context, Line, State, check, ok, warning
from runner.doctor.forecast import Forecast, environments_forecast, outputs_forecast
from runner.environments import Site
from runner.environments.uv.settings import ask_uv
from runner.errors import EnvironmentMissing
from runner.ground.disk import on_disk
from runner.ground.words import size_text

GIB = 1 << 30
LITTLE = 5 * GIB  # a warning below this
NEXT_TO_NOTHING = GIB  # a problem below this


@dataclass
class _Volume:
    folder: Path  # one that is there
    uses: list[str] = field(default_factory=list)
    need: int = 0  # bytes
    outputs: int = 0  # bytes of them
    why: list[str] = field(default_factory=list)


@check(
    "disk",
    "A run that fills the disk stops in the middle; how much it needs is told from the outputs of earlier runs of "
    "FILE and from the groups that are still to be prepared.",
)
def room(context: Context) -> list[Line]:
    """One line for each file system that a run writes to."""
    volumes: dict[object, _Volume] = {}
    cache = cache_folder(context.site)
    environments = on_disk(context.site.environments)
    prepared = environments_forecast(context)
    # uv unpacks into its cache and links from there; on another file system it copies
    places = [("environments", environments, prepared)]
    if cache is not None:
        places.append(("uv's cache", cache, None if _device(cache) == _device(environments) else prepared))
    written = outputs_forecast(context)
    outputs = [on_disk(folder) for folder in context.output_folders()]
    if context.pipeline is not None and not outputs and not written.sizes:
        outputs = [Path(context.pipeline.folder)]
    places += [("outputs", folder, None) for folder in outputs]
    for use, folder, forecast in places:
        _add(volumes, use, folder, forecast)
    for share, size in written.sizes.items():
        if volume := _add(volumes, "outputs", share, None):
            volume.outputs += size
    for volume in volumes.values():
        if volume.outputs:
            volume.need += volume.outputs
            volume.why.append(written.text(volume.outputs))
    return [_line(volume) for volume in volumes.values()]


def _add(volumes: dict[object, _Volume], use: str, folder: Path, forecast: Forecast | None) -> _Volume | None:
    there = nearest(folder)
    if there is None:
        return None
    volume = volumes.setdefault(_device(there), _Volume(there))
    if use not in volume.uses:
        volume.uses.append(use)
    if forecast is not None and forecast.size:
        volume.need += forecast.size
        volume.why.append(forecast.text)
    return volume


def _line(volume: _Volume) -> Line:
    try:
        usage = shutil.disk_usage(volume.folder)
    except OSError as error:
        return warning(f"the room in {volume.folder} cannot be told: {error.strerror or error}", "Check the drive.")
    above = (volume.folder, *volume.folder.parents)
    root = next((place for place in above if os.path.ismount(place)), volume.folder)
    needs = f"; {', '.join(volume.why)}" if volume.why else ""
    text = f"{root}: {size_text(usage.free)} free ({', '.join(volume.uses)}){needs}"
    state = judged(usage.free, volume.need)
    if state is State.OK:
        return ok(text)
    cure = (
        "Free some space, or write to another drive (`outputs` in the pipeline file, RUN_PIPELINE_ENVS, UV_CACHE_DIR)."
    )
    return Line(state, text, cure)


def judged(free: int, need: int) -> State:
    """Whether `free` bytes are enough where `need` are forecast."""
    if free < max(need, NEXT_TO_NOTHING):
        return State.PROBLEM
    return State.WARNING if free < max(2 * need, LITTLE) else State.OK


@check(
    "uv's cache",
    "On the file system of the environments uv links files instead of copying them: seconds instead of minutes, "
    "and half the space.",
)
def cache_beside_environments(context: Context) -> list[Line]:
    """Hard links need one file system; otherwise every package is copied."""
    site = context.site
    cache = cache_folder(site)
    if cache is None:
        return []
    environments = on_disk(site.environments)
    mode = site.host.environ.get("UV_LINK_MODE", "")
    if _device(cache) == _device(environments):
        return [ok(f"on the file system of the environments, which links from it: {cache}")]
    if mode == "copy":
        return [ok(f"on another file system than the environments, and UV_LINK_MODE=copy says so: {cache}")]
    return [
        warning(
            f"{cache} is on another file system than {environments}: packages are copied instead of linked, which "
            "takes their space twice and about ten times as long",
            f"Set UV_CACHE_DIR to a folder beside {environments}, or UV_LINK_MODE=copy to keep it so without uv's "
            "warning at each preparation.",
        )
    ]


def cache_folder(site: Site) -> Path | None:
    """Where uv keeps what it downloads; None without uv."""
    try:
        answer = ask_uv(["cache", "dir"], site)
    except EnvironmentMissing:
        return None
    text = answer.stdout.decode("utf-8", "replace").strip()
    return Path(text) if answer.code == 0 and text else None


def nearest(folder: PurePath) -> Path | None:
    """`folder`, or the nearest one above it that is there."""
    path = Path(folder)
    return next((place for place in (path, *path.parents) if place.is_dir()), None)


def _device(folder: Path) -> object:
    there = nearest(folder)
    try:
        return there.stat().st_dev if there else None
    except OSError:
        return None
