"""The variables that a conda environment brings by its files: from its packages and from `conda env config vars`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePath

from runner.ground.disk import entries, is_file, read_text

UNSET = "***unset***"  # how conda-meta/state writes a variable that was taken out


def environment_variables(prefix: PurePath) -> dict[str, str]:
    """What packages (env_vars.d) and `conda env config vars set` (state) want set; names in capitals, as in conda."""
    found: dict[str, str] = {}
    for file in entries(prefix / "etc" / "conda" / "env_vars.d"):
        found |= _texts(_read_json(file))
    state = _read_json(state_file(prefix)).get("env_vars")
    found |= _texts(state) if isinstance(state, dict) else {}
    return {name.upper(): value for name, value in found.items() if value != UNSET}


def damaged_file(prefix: PurePath) -> tuple[PurePath, str] | None:
    """The first of these files that conda could not read, and why: then it activates nothing."""
    for file in [*entries(prefix / "etc" / "conda" / "env_vars.d"), state_file(prefix)]:
        if not is_file(file):
            continue
        try:
            if not isinstance(json.loads(read_text(file)), dict):
                return file, "no object of names and values"
        except (ValueError, RecursionError) as error:
            return file, f"no JSON: {error}"
    return None


def state_file(prefix: PurePath) -> PurePath:
    """Where conda keeps what `conda env config vars set` was told."""
    return prefix / "conda-meta" / "state"


def _read_json(path: PurePath) -> dict[str, object]:
    try:
        data = json.loads(read_text(path) or "{}")
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _texts(data: Mapping[str, object]) -> dict[str, str]:
    return {name: UNSET if value is None else str(value) for name, value in data.items()}
