"""Jupyter kernels of ours: can each still start?"""

from __future__ import annotations

from runner.doctor import Context, Line, check, ok, warning
from runner.environments import kind
from runner.environments.spec import parse_environment
from runner.ground.disk import on_disk
from runner.kernels import gone, installed, kernels_folder


@check("Jupyter kernels", "A kernel whose repository, runner or environment is gone fails when a notebook starts it.")
def kernels(context: Context) -> list[Line]:
    """Those that `run-pipeline kernel install` made for this user."""
    site = context.site
    lines: list[Line] = []
    whole = []
    for one in installed(on_disk(kernels_folder(site.host))):
        why, cure = gone(one)
        if not why and one.repo == str(site.repo):
            spec = parse_environment(one.environment, "", site.host.platform)
            for finding in kind(spec).check(spec, ("python", "-c", "pass"), site):
                why, cure = finding.message, finding.cure
        if why:
            lines.append(warning(f"{one.name} cannot start: {why}", cure))
        else:
            whole.append(one.name)
    return ([ok(f"can start: {', '.join(whole)}")] if whole else []) + lines
