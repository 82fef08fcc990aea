"""Why uv could not lock a group, in plain words; uv's own follow."""

from __future__ import annotations

import re

from runner.environments.spec import normalised_group as normalised
from runner.environments.uv.failures import Failure, explain
from runner.errors import EnvironmentMissing
from runner.ground.codes import spell_code
from runner.migrate.facts import Facts
from runner.migrate.locking import Attempt
from runner.migrate.plan import Plan

UNTOUCHED = "pyproject.toml and uv.lock are as they were."
_QUOTED = 25  # lines of uv's own


_NAME = r"(?P<name>[\w.-]+)(?:\[[^\]]*\])?(?:\{[^}]*\})?"
REASONS = (
    Failure(
        r"network was disabled|Network connectivity is disabled",
        "no network is used (--offline, UV_OFFLINE or a file says so), and uv's cache does not have what is needed",
        "Start again with a network: take --offline or UV_OFFLINE away, or set UV_OFFLINE=0 where a file says so.",
    ),
    Failure(
        rf"Because {_NAME} was not found in the (?:package registry|cache|provided package locations)",
        "there is no package {name} on PyPI (or the index that it is to come from)",
        "See line {line} of the recipe: it may have another name there, or be no Python package. Take the line out, or "
        "write the PyPI name below `pip:`.",
    ),
    Failure(
        r"Python version[^.]*does not satisfy Python(?P<python>[^\s,]+)",
        "a package does not take the Python of this group: it wants Python{python}",
        "Try another Python with --python, or another version of that package, and compare the results.",
    ),
    Failure(
        rf"there (?:is|are) no versions? of {_NAME}(?P<version>[=<>!~][^\s]*)",
        "there is no version {version} of {name} that can be had",
        "See line {line} of the recipe: change the version there, and compare the results.",
    ),
    Failure(
        rf"there are no versions of {_NAME}[ ,]",
        "there is no version of {name} that can be had",
        "See line {line} of the recipe: it may have another name on PyPI, or be no Python package. Take it out, or "
        "write the PyPI name below `pip:`.",
    ),
    Failure(
        rf"only {_NAME}(?P<have>[=<>!~]\S*) (?:is|are) available and (?:all versions of )?(?P<who>\S+) depends? on "
        r"(?P=name)(?:\[[^\]]*\])?(?:\{[^}]*\})?(?P<version>[=<>!~][^\s]*?)[,\s]",
        "there is no version {version} of {name} ({who} asks for it): only {name}{have} can be had",
        "See line {line} of the recipe: change the version there, and compare the results.",
    ),
    Failure(
        rf"{_NAME}(?P<version>==\S+) has no (?P<what>[^.,\n]*wheels[^.,\n]*)",
        "{name}{version} has no {what}",
        "Choose another version or another Python (--python).",
    ),
    Failure(
        r"Git operation failed|failed to (?:clone|fetch) into",
        "a package is to come from a git repository that cannot be fetched: {url}",
        "Check the address and the network (git must be installed), then start again.",
    ),
    Failure(
        r"Failed to (?:download and )?build `(?P<what>[^`]*)`",
        "{what} has no wheel, and asking its source for what it needs failed",
        "Usually it is too old for this Python: try a newer version, or another Python (--python).",
    ),
    Failure(
        r"Failed to parse entry in group `[^`]*`: `(?P<what>[^`]*)`",
        "uv does not understand its line `{what}`",
        "Change that line of the recipe.",
    ),
    Failure(
        r"No solution found",
        "what it asks for does not go together",
        "Change a version in the recipe, or try another Python (--python), and compare the results.",
    ),
)


def unlockable(plan: Plan, attempt: Attempt, facts: Facts, *, together: bool) -> EnvironmentMissing:
    """The error that tells why."""
    said = re.sub(r"(?<=://)[^/@\s]+@", "", attempt.said).strip()
    whole = re.sub(r"\s*\n\s+", " ", said)
    title = f"the group {plan.group} does not lock" + (" together with the rest of pyproject.toml" if together else "")
    if not attempt.ended:
        return EnvironmentMissing(f"{title}: {said}", UNTOUCHED)
    if together and re.search(r"your project depends on", whole) and "No solution found" in whole:
        cure = "Loosen one of them, or put the group into another repository."
        return EnvironmentMissing(
            f"{title}: it contradicts the dependencies of [project] itself", f"{cure}\n{_rest(said)}"
        )
    offline = "No network is used: only what lies in uv's cache was looked at.\n" if attempt.offline else ""
    for reason in REASONS:
        if found := re.search(reason.sign, whole):
            values = {name: value or "" for name, value in found.groupdict().items()}
            values["url"] = next(iter(re.findall(r"(?:git\+)?https?://[^\s`'),]+", whole)), "")
            values["line"] = _line(plan, values.get("name", ""))
            cure = reason.cure.format_map(values).replace("See line  of the recipe: ", "")
            message = reason.message.format_map(values).replace("Python>=", "Python >=")
            return EnvironmentMissing(f"{title}: {message}", f"{cure}\n{offline}{_rest(said)}")
    error = _explained(title, said, attempt, facts)
    if error.message.endswith(spell_code(attempt.code)):
        return EnvironmentMissing(f"{title}, and uv's reason is not one that is known here", _rest(said))
    return error


def unsound(attempt: Attempt, facts: Facts) -> EnvironmentMissing:
    """The error for a repository that does not lock as it is."""
    title = "the repository does not lock even without the new group"
    if not attempt.ended:
        return EnvironmentMissing(f"{title}: {attempt.said}", UNTOUCHED)
    if "No solution found" in attempt.said:
        cure = f"Mend that first.\n{_rest(attempt.said)}"
        return EnvironmentMissing(f"{title}: its groups contradict each other", cure)
    return _explained(title, attempt.said, attempt, facts)


def _explained(title: str, said: str, attempt: Attempt, facts: Facts) -> EnvironmentMissing:
    """As everywhere else that uv fails."""
    error = explain(title, said, attempt.code, repo=str(facts.repo), folder="uv's cache")
    return EnvironmentMissing(error.message, f"{error.cure}\n{UNTOUCHED}")


def _line(plan: Plan, name: str) -> str:
    """The line of the recipe that asks for `name`; "" for what another package needs."""
    for item in plan.items:
        if any(one.key == normalised(name) for one in item.requirements):
            return str(item.line.number or "")
    return ""


def _rest(said: str) -> str:
    lines = [f"uv: {line}" for line in said.splitlines() if line.strip() and not line.startswith("Using CPython")]
    return "\n".join([UNTOUCHED, *lines[-_QUOTED:]])
