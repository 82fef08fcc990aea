"""Offline mode: who says so, and what is missing that no run could fetch."""

from __future__ import annotations

from runner.doctor import Context, Line, check, ok, problem
from runner.environments import kind
from runner.environments.offline import offline
from runner.environments.spec import parse_environment
from runner.environments.uv.inventory import our_environments

_COMMAND = ("python",)


@check("offline", "Where no network is used, what is missing must be brought before a run needs it.", 20.0)
def offline_mode(context: Context) -> list[Line]:
    """Of the environments that are there; what those of FILE lack, the line about the file tells."""
    site = context.site
    why = offline(site)
    if not why:
        return []
    lines = [ok(f"no network is used ({why})")]
    made = [] if context.has_file else [one.place for one in our_environments(site) if not one.unused]
    for where in made:
        spec = parse_environment(f"uv@{where.python}:{where.group}" if where.python else f"uv:{where.group}", "", "")
        found = [finding for finding in kind(spec).check(spec, _COMMAND, site) if finding.missing]
        lines += [problem(finding.message, finding.cure) for finding in found]
    return lines
