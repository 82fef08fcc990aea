"""A segment made concrete: tokens resolved, environment read, working directory and outputs known."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from runner.environments import Finding, Site, kind
from runner.environments.spec import parse_environment
from runner.model import Command, Diagnostic, EnvironmentSpec, Mark, Pipeline, ResolvedEntry, Segment, Severity
from runner.pipeline.findings import script_findings
from runner.pipeline.tokens import resolve, resolve_entries, resolve_env


@dataclass(frozen=True)
class Job:
    """What one normal segment needs to be started."""

    segment: Segment
    spec: EnvironmentSpec
    entries: tuple[ResolvedEntry, ...]
    env: Mapping[str, str]
    cwd: str
    outputs: tuple[str, ...]  # globs, absolute or relative to cwd

    def command(self, site: Site, *, dry: bool = False) -> Command:
        return kind(self.spec).wrap(self.spec, self.entries, self.env, self.cwd, site, dry=dry)


def make_job(segment: Segment, pipeline: Pipeline, site: Site) -> Job:
    """`segment` of `pipeline` on `site`; reads nothing from disk."""
    host = site.host
    places = {"repo": site.repo, "folder": pipeline.folder, "dotenv": site.dotenv, "windows": host.windows}
    # brackets in a folder's own name are no pattern
    quoted = {**places, "repo": _quoted(site.repo, site), "folder": _quoted(pipeline.folder, site)}
    quoted["dotenv"] = {name: glob.escape(value) for name, value in site.dotenv.items()}
    cwd = host.path(site.repo)
    if segment.cwd:
        cwd = host.path(site.repo) / host.path(resolve(segment.cwd, **places))  # type: ignore[arg-type]
    return Job(
        segment=segment,
        spec=parse_environment(resolve(segment.environment, **places), segment.distro, host.platform),  # type: ignore[arg-type]
        entries=tuple(resolve_entries(segment, **places)),  # type: ignore[arg-type]
        env=resolve_env(segment, **places),  # type: ignore[arg-type]
        cwd=str(cwd),
        outputs=tuple(resolve(pattern, **quoted) for pattern in segment.outputs),  # type: ignore[arg-type]
    )


def _quoted(path: PurePath, site: Site) -> PurePath:
    return site.host.path(glob.escape(str(path)))


def find_problems(jobs: Iterable[Job], pipeline: Pipeline, site: Site) -> list[Diagnostic]:
    """What would stop these jobs, all at once: missing groups, scripts, environments, working directories."""
    out: list[Diagnostic] = []
    for job in jobs:
        findings: list[Finding] = list(kind(job.spec).check(job.spec, job.entries, site))
        findings += script_findings(job.segment, job.entries, job.cwd, site.host)
        if not _is_folder(job.cwd, site):
            findings.append(Finding(f"there is no folder {job.cwd}", "Correct `cwd:`, or make the folder.", "cwd"))
        out += [at_segment(finding, job.segment, pipeline) for finding in findings]
    return out


def _is_folder(text: str, site: Site) -> bool:
    import sys
    from pathlib import Path

    return site.host.platform != sys.platform or Path(text).is_dir()


def at_segment(finding: Finding, segment: Segment, pipeline: Pipeline) -> Diagnostic:
    """`finding` with the place in the pipeline file that it is about."""
    mark = segment.marks.get(finding.key) or segment.marks.get("commands") or segment.marks.get("")
    return Diagnostic(
        Severity.ERROR,
        finding.message,
        finding.cure,
        pipeline.path,
        mark,
        _line(pipeline.lines, mark),
        segment.number,
        finding.key == "environment",
    )


def _line(lines: Sequence[str], mark: Mark | None) -> str:
    return lines[mark.line - 1] if mark and 0 < mark.line <= len(lines) else ""
