"""What a quota leaves where uv's cache and the environments lie: home folders of clusters are small."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.doctor import Context, Line, check, ok, problem, warning
from runner.doctor.disk import cache_folder, nearest
from runner.doctor.forecast import environments_forecast
from runner.environments import Site
from runner.ground.disk import on_disk
from runner.ground.words import size_text
from runner.site_file import NAME

_FEW_FILES = 50_000  # a cache with PyTorch in it has as many
_SCHEDULERS = ("sbatch", "qsub")
_CURE = (
    f'Put the cache on the scratch disk: [uv] with cache = "/scratch/$USER/uv-cache" in {NAME}, or UV_CACHE_DIR; '
    "RUN_PIPELINE_ENVS does so for the environments."
)
_NUMBERS = re.compile(r"\s(\d+)\*?\s+(\d+)\s+(\d+)\s+\S+\s+(\d+)\*?\s+(\d+)\s+(\d+)\s+\S+\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Quota:
    """What is left; None: no limit."""

    size: int | None  # bytes
    files: int | None


@check(
    "quota",
    "A home folder on a cluster often holds a few GB or 100,000 files: a cache of packages fills it in the middle of a "
    "preparation, and then nothing can be written there any more.",
)
def quotas(context: Context) -> list[Line]:
    """Asks `quota`, where it is installed; without it a cache in the home folder of a cluster is warned of."""
    site = context.site
    if site.host.windows:
        return []
    cache, environments = cache_folder(site), on_disk(site.environments)
    places = {"uv's cache": cache, "the environments": environments}
    lines = list(_told(places, context))
    home = on_disk(site.host.home)
    on_cluster = any(map(site.host.which, _SCHEDULERS))
    if not lines and on_cluster and cache is not None and cache.is_relative_to(home):
        lines.append(
            warning(
                f"uv's cache is in the home folder of a cluster: {cache}",
                _CURE,
            )
        )
    return lines


def _told(places: dict[str, Path | None], context: Context) -> Iterator[Line]:
    forecast = environments_forecast(context)
    seen: dict[Quota, list[str]] = {}
    for use, folder in places.items():
        if folder is not None and (found := _ask(folder, context.site)):
            seen.setdefault(found, []).append(f"{use} ({folder})")
    for quota, uses in seen.items():
        size, files = quota.size, quota.files
        left = " and ".join(
            text
            for text in (
                size_text(max(size, 0)) if size is not None else "",
                f"{max(files, 0):,} files" if files is not None else "",
            )
            if text
        )
        need = forecast.size if forecast else 0
        text = f"your quota leaves {left} for {' and '.join(uses)}" + (f"; {forecast.text}" if forecast else "")
        if (size is not None and size <= need) or (files is not None and files <= 0):
            yield problem(text, _CURE)
        elif (size is not None and size < 2 * need) or (files is not None and files < _FEW_FILES):
            yield warning(text, _CURE)
        else:
            yield ok(text)


def _ask(folder: Path, site: Site) -> Quota | None:
    """What `quota` (of the package of that name) tells of the file system; None where there is no limit."""
    there, program = nearest(folder), site.host.which("quota")
    if there is None or program is None:
        return None
    # its exit code is 1 also where a limit is exceeded
    answer = site.host.capture([program, "-w", "-p", f"--filesystem={there}"], env={**site.host.environ, "LC_ALL": "C"})
    found = _NUMBERS.search(answer.stdout.decode("utf-8", "replace"))
    if not found:
        return None
    used, soft, hard, files, some, most = map(int, found.groups())
    limits = (soft or hard, some or most)
    if not any(limits):
        return None
    return Quota((limits[0] - used) * 1024 if limits[0] else None, limits[1] - files if limits[1] else None)
