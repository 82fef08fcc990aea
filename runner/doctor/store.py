"""The store, where one is in force: there, on what disk, and what keeps its environments from being made or shared."""

from __future__ import annotations

import os

from runner.doctor import Context, Line, check, from_error, ok, problem, warning
from runner.environments.store import read_store
from runner.environments.store_look import alone, disk_of
from runner.environments.uv.binary import find_uv_for_store
from runner.errors import EnvironmentMissing
from runner.ground.disk import free_space, on_disk
from runner.ground.words import size_text


@check("store", "Environments on a share run on each computer that sees it; those that may write there make them.")
def store(context: Context) -> list[Line]:
    """Writes nothing: `env --store` tries links and locks with a file."""
    site = context.site
    if site.store is None:
        return []
    try:
        read_store(site.store.folder)
    except EnvironmentMissing as error:
        return [from_error(error)]
    folder = on_disk(site.store.folder)
    disk, mode = disk_of(folder), site.host.environ["UV_LINK_MODE"]
    writes = os.access(folder, os.W_OK) and os.access(on_disk(site.store.environments), os.W_OK)
    size = size_text(free_space(folder))
    said = f"{folder}: {disk.shown}, {size} free, files by {mode}, {'may be written' if writes else 'only read here'}"
    lines = [ok(said, "" if writes else "What is there runs; make environments on a computer that may write there.")]
    if mode == "symlink":
        cure = "Take UV_LINK_MODE away: hard links or copies are chosen by the disk."
        lines.append(warning("symbolic links into the cache: cleaning that breaks every environment", cure))
    if "noexec" in disk.options:
        lines.append(problem("no program may be started there (noexec)", "Have it mounted without noexec."))
    if options := alone(disk):
        text = f"mounted with {', '.join(options)}: uv's locks are known to this computer alone"
        lines.append(warning(text, "Let one computer at a time fill the cache, or have it mounted without."))
    try:
        if writes:
            find_uv_for_store(site)
    except EnvironmentMissing as error:
        lines.append(from_error(error))
    return lines
