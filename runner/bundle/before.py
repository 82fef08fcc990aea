"""What would stop a bundle, told before anything is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.bundle.choose import Chosen, Wheel
from runner.bundle.delta import is_bundle
from runner.bundle.form import Manifest, Unusable, read_manifest, to_bytes
from runner.checks import at_segment
from runner.environments import Site
from runner.environments.offline import offline
from runner.environments.uv.groups import lock_file
from runner.errors import EnvironmentMissing, PipelineError, StateError, UsageError
from runner.ground.disk import free_space
from runner.ground.words import counted, size_text, some
from runner.model import Pipeline
from runner.pipeline.findings import script_findings
from runner.tasks import Task


def check_output(path: Path) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder", "Give -o the name of a file, such as lab.bundle.")
    if path.exists() and not is_bundle(path):
        raise UsageError(f"{path} is there, and is no bundle", "Name another file (-o), or remove it.")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", "Make it, or name another one.")


def check_scripts(pipelines: Sequence[tuple[Path, Pipeline, Sequence[Task]]], site: Site) -> None:
    """Raises PipelineError for those that are not there."""
    for path, pipeline, tasks in pipelines:
        found = [
            at_segment(finding, task.segment, pipeline)
            for task in tasks
            for finding in script_findings(task.segment, task.entries, task.cwd, site.host)
        ]
        if found:
            raise PipelineError(f"{path} names scripts that are not there", found)


def check_repository(repo: Path) -> None:
    """Raises UsageError for a member of a workspace: its lock is that of folders beside it, which stay here."""
    root = lock_file(repo).parent
    if root != repo:
        raise UsageError(
            f"{repo} belongs to the workspace {root}, whose uv.lock it shares; a bundle holds one repository alone",
            "Give the repository a uv.lock of its own (take it out of [tool.uv.workspace] there).",
        )


def check_manifest(manifest: Manifest) -> None:
    """Raises UsageError for what nobody could unpack: two files whose names differ in upper and lower case alone."""
    try:
        read_manifest(to_bytes(manifest))
    except Unusable as error:
        raise UsageError(f"this would be no bundle: {error}", "Rename one of them.") from error


def check_network(environments: Sequence[Chosen], site: Site) -> None:
    """Raises EnvironmentMissing where packages have to be fetched, and no network may be used."""
    away = {part.shown for one in environments for _, part in one.parts if part.away}
    if away and (reason := offline(site)):
        raise EnvironmentMissing(
            f"{counted(len(away), 'package')} of this bundle must be fetched, and no network may be used ({reason})",
            f"Make the bundle where there is a network. It needs {some(sorted(away), 5)}.",
        )


def check_space(output: Path, environments: Sequence[Chosen], files: Sequence[Path]) -> None:
    """Each wheel is there twice for a moment: as it was fetched, and in the bundle."""
    wheels = {part: part.size for one in environments for _, part in one.parts if isinstance(part, Wheel)}
    needed = 2 * sum(wheels.values()) + sum(path.stat().st_size for path in files)
    free = free_space(output.parent)
    if free is not None and free < needed:
        raise StateError(
            f"{output.parent} has {size_text(free)} free, and a bundle of this needs about {size_text(needed)}",
            "Free some space there, or name a place on another disk (-o).",
        )
