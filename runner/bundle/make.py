"""A bundle from beginning to end: look, choose, fetch, write. Nothing is at its place before all of it is."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.bundle.asked import Asked, Made
from runner.bundle.before import (
    check_manifest,
    check_network,
    check_output,
    check_repository,
    check_scripts,
    check_space,
)
from runner.bundle.bring import bring, stopped
from runner.bundle.contents import gather
from runner.bundle.delta import read_base
from runner.bundle.filling import entries_of, manifest_of
from runner.bundle.needs import as_there, look
from runner.bundle.tools import Tools, at, tools_repository
from runner.bundle.write import write_bundle
from runner.environments import Site
from runner.ground.disk import on_disk
from runner.ground.files import state_errors
from runner.ground.words import size_text
from runner.process.stop import StopRequest
from runner.tasks import Tasks


def make(asked: Asked, site: Site, stop: StopRequest, say: Callable[[str], None]) -> Made:
    """Raises RunnerError; then nothing is left."""
    check_output(asked.output)
    base = read_base(asked.update, asked.target) if asked.update else None
    pipelines = [
        (path, pipeline, list(Tasks(pipeline, site, lambda task: as_there(task, asked.target)).values()))
        for path, pipeline in asked.pipelines
    ]
    check_repository(on_disk(site.repo))
    check_scripts(pipelines, site)
    contents = gather(pipelines, site, asked.own)
    tasks = [(path, jobs) for path, _, jobs in pipelines]
    needs = look(tasks, site, at(site, asked.own), asked.target, asked.python, say)
    check_network(needs.everything, site)
    check_space(asked.output, needs.everything, list(contents.files.values()))
    with _scratch(asked.output, say) as folder:
        tools = Tools(at(site, tools_repository(asked.own)), site, stop, say, folder)
        brought = bring(asked, needs, tasks, contents.pipelines, tools)
        entries = entries_of(needs, contents, brought, asked.own)
        manifest = manifest_of(asked, needs, contents, brought, entries, base)
        check_manifest(manifest)
        stopped(stop)
        say(f"writing {asked.output.name} ({size_text(sum(packed.size for packed in manifest.files.values()))})")
        target = folder / asked.output.name
        write_bundle(target, manifest, {name: entries[name] for name in manifest.files}, lambda size: stopped(stop))
        with state_errors("write", asked.output):
            os.replace(target, asked.output)  # noqa: PTH105
    wheels, shared = brought.counted(needs.everything)
    locked = [path.name.removesuffix(".lock") for path in needs.lacking]
    return Made(
        *(asked.output, asked.output.stat().st_size, manifest, wheels, shared, brought.built, locked),
        *(list(contents.left), brought.conda.names, brought.conda.notes),
    )


@contextmanager
def _scratch(output: Path, say: Callable[[str], None]) -> Iterator[Path]:
    """A folder beside the bundle to be, gone afterwards."""
    for old in sorted(output.parent.glob(f".{glob.escape(output.name)}.*")):
        say(f"{old} is of another start: remove it, unless that still runs")
    with state_errors("write", output):
        folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent)).resolve()
    try:
        with state_errors("write", output):  # what is made on the way lies on the same disk
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
