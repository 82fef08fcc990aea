"""The environments of uv groups: made, in step with uv.lock, or not."""

from __future__ import annotations

from runner.doctor import Context, Line, check, from_error, ok, warning
from runner.environments.uv.inventory import Environment, our_environments
from runner.environments.uv.kind import place
from runner.environments.uv.stamp import Place, State, condition
from runner.errors import EnvironmentMissing


@check(
    "uv environments",
    "An environment that is missing or out of step is prepared by the next run, which takes time and perhaps the "
    "network.",
)
def environments(context: Context) -> list[Line]:
    """The environments of the groups that FILE needs; without FILE those that are on disk."""
    there = {environment.place.folder: environment for environment in our_environments(context.site)}
    if context.has_file:
        places = list(dict.fromkeys(place(spec, context.site) for spec in context.uv_groups() if spec.name))
    else:
        places = [entry.place for entry in there.values() if not entry.unused]
    lines: list[Line] = []
    in_step: list[str] = []
    reasons: dict[str, list[Place]] = {}
    for where in places:
        found = _look(where, there.get(where.folder), context)
        if isinstance(found, Line):
            lines.append(found)
        elif found:
            reasons.setdefault(found, []).append(where)
        else:
            in_step.append(where.folder.name)
    lines += [_to_prepare(reason, group) for reason, group in reasons.items()]
    if in_step:
        lines.insert(0, ok(f"in step: {', '.join(in_step)}"))
    unused = [entry.name for entry in there.values() if entry.unused]
    if unused:
        cure = "`run-pipeline env remove --unused` gives their space back."
        lines.append(ok(f"of no group any more: {', '.join(unused)}", cure))
    if not lines and not context.has_file:
        lines.append(ok("none yet; a run makes those that it needs"))
    return lines


def _look(where: Place, entry: Environment | None, context: Context) -> Line | str:
    """Why it is still to be prepared, "" when it is in step; a line of its own for other trouble."""
    name = where.folder.name
    if entry is not None and entry.preparing is not None:
        return warning(f"{name} is being prepared by {entry.preparing}", "Wait until that has ended.")
    try:
        now = condition(where, context.site)
    except EnvironmentMissing as error:
        return from_error(error)
    if now.state in (State.IN_STEP, State.RECHECK):
        return ""
    return "not made yet" if now.state is State.MISSING and entry is None else f"not in step: {now.reason}"


def _to_prepare(reason: str, places: list[Place]) -> Line:
    names = ", ".join(where.folder.name for where in places)
    asked = " ".join(f"uv@{where.python}:{where.group}" if where.python else where.group for where in places)
    cure = f"`run-pipeline env sync {asked}` prepares what the next run would prepare."
    return warning(f"{names} {'is' if len(places) == 1 else 'are'} {reason}", cure)
