"""The files that uv.lock names, by their hashes, from other places: the user's own index, folders of wheels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runner.environments.offline import offline
from runner.environments.site import Site
from runner.environments.uv.binary import find_uv
from runner.environments.uv.findings import is_unreachable
from runner.environments.uv.groups import group_packages, read_project
from runner.environments.uv.missing import asked_again
from runner.environments.uv.settings import own_indexes
from runner.environments.uv.stamp import Place
from runner.environments.uv.uncached import Package
from runner.environments.uv.wheels_at_hand import at_hand, files_of, folders_of_wheels, index_folders
from runner.ground.disk import on_disk
from runner.ground.files import write_atomic
from runner.model import Command


def from_elsewhere(where: Place, site: Site, sync: Command, output: str) -> tuple[Command, ...]:
    """What to do where uv could not have a file: uv asks the addresses in uv.lock alone.

    What its cache lacks is installed first, then `sync` finds it there and does the rest.
    """
    if not is_unreachable(output):
        return ()
    off, folders = offline(site), folders_of_wheels(site)
    indexes = index_folders(site) if off else own_indexes(site)
    if not folders and not indexes:
        return ()
    repo = on_disk(site.repo)
    locked = group_packages(repo, where.group, read_project(repo))
    answer = asked_again(where, site)
    wanted = [one for one in answer.packages if not one.address]
    if not wanted or ((off or not indexes) and len(at_hand(wanted, locked, answer.python, site)) < len(wanted)):
        return ()
    file = on_disk(site.environments / ".uv" / f"{where.folder.name}.txt")
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, _requirements(wanted, locked).encode(), durable=False)
    links = [word for folder in folders for word in ("--find-links", str(folder))]
    links += [word for folder in index_folders(site) for word in ("--index", folder.as_uri())]
    install = replace(
        sync,
        argv=(
            find_uv(site).path, "pip", "install", "--no-deps", "--require-hashes", "--python", str(where.folder),
            *links, *(() if indexes else ("--no-index",)), "-r", str(file),
        ),
        unset=tuple(name for name in sync.unset if name not in own_indexes(site)),
    )  # fmt: skip
    return install, sync


def _requirements(wanted: Sequence[Package], locked: Sequence[dict[str, object]]) -> str:
    """As `uv export` writes them."""
    tables = {(str(table["name"]), str(table.get("version", ""))): table for table in locked}
    lines = []
    for one in wanted:
        hashes = [f" --hash={digest}" for _, _, digest in files_of(tables.get((one.name, one.version), {})) if digest]
        lines.append(f"{one}{''.join(hashes)}\n")
    return "".join(lines)
