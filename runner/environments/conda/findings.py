"""What stops a conda segment, in words for its user."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from runner.environments import Site, looked_in
from runner.environments.conda.base import find_base
from runner.environments.conda.prefix import environment_names
from runner.environments.conda.program import is_python, program_words, python_of
from runner.environments.conda.variables import damaged_file, state_file
from runner.environments.spec import is_prefix, parse_environment
from runner.ground.disk import entries, is_file, read_text
from runner.model import EnvironmentSpec, Finding
from runner.pipeline.near import did_you_mean

# two environments that are to stand together, without one of the blanks that make it so
_GLUED = re.compile(r"(.+?)\s*\+\s*((?:uv[:@]|conda:).+|script)", re.IGNORECASE)


def about_name(spec: EnvironmentSpec) -> Finding | None:
    """A name that can be none: empty, or a form of ours with blanks around it."""
    if not spec.name.strip():
        cure = "Write `environment:` with a uv group (uv:NAME), a conda environment, script, imagej or cmd."
        return Finding("the segment names no environment", cure)
    bare = parse_environment(spec.text.strip(), "", "linux")
    if spec.text != spec.text.strip() and (bare.kind != "conda" or bare.name == "base"):
        message = f"{spec.text!r} has blanks around it, which makes it the name of a conda environment"
        return Finding(message, f"Did you mean {spec.text.strip()!r}, without the blanks?")
    return None


def no_base(spec: EnvironmentSpec, site: Site) -> Finding:
    """conda is nowhere."""
    search = find_base(site)
    message = f"conda was not found, which the environment {spec.name!r} needs"
    return Finding(message, f"{search.cure}\n{looked_in(search.looked)}")


def no_environment(spec: EnvironmentSpec, prefix: PurePath | None, base: PurePath | None, site: Site) -> Finding:
    """conda is there, the environment is not."""
    if prefix is not None and is_prefix(spec.name, site.host.platform):
        return Finding(f"the folder of the conda environment does not exist: {prefix}", "Correct the path.")
    if glued := _GLUED.fullmatch(spec.text):
        message = f"there is no conda environment {spec.name!r}"
        return Finding(message, f"Did you mean `{glued[1]} + {glued[2]}`, with blanks around the plus sign?")
    names = environment_names(base, site.host)
    message = f"there is no conda environment {spec.name!r} (conda in {base})"
    if recipe := recipe_of(spec.name, site):
        return Finding(message, f'{_near(spec.name, names)}Create it: conda env create -f "{recipe}"')
    known = f" There are: {', '.join(names[:10])}." if names else ""
    cure = f"Create it with conda, or write uv:{spec.name} for a uv group.{known}"
    return Finding(message, _near(spec.name, names) + cure)


def no_conda_meta(prefix: PurePath) -> Finding:
    """A folder that conda did not make."""
    cure = "Give the folder of a conda environment, or remove this one and create the environment anew."
    return Finding(f"{prefix} is a folder but no conda environment (it has no conda-meta)", cure)


def about_variables(prefix: PurePath) -> Finding | None:
    """A file of the environment's variables that cannot be read: with conda, nothing would be activated."""
    damaged = damaged_file(prefix)
    if damaged is None:
        return None
    file, why = damaged
    cure = "Correct the file, or remove it"
    if file == state_file(prefix):
        cure += f' and set its variables anew: conda env config vars set -p "{prefix}" NAME=VALUE'
    else:
        cure += " and install the package anew that brought it."
    return Finding(f"conda cannot activate the environment: {file} is damaged ({why})", cure)


def about_program(words: Sequence[str], prefix: PurePath, base: PurePath | None, site: Site) -> list[Finding]:
    """The first word is no program that could be started, or none of the environment's."""
    if not words or not words[0].strip():
        return [Finding("the segment has no command", "Add the program to run under `commands:`.", "commands")]
    argv = program_words(list(words), prefix, site.host)
    python = python_of(prefix, site.host)
    if argv[0] == str(python) and not is_file(python):
        cure = f'Install it: conda install -p "{prefix}" python'
        return [Finding(f"the conda environment has no Python: {python} does not exist", cure)]
    first = argv[0]
    if first != words[0] or is_python(first):
        return []
    if "/" in first or "\\" in first:
        path = site.host.path(first)
        # a relative one is relative to `cwd:`, which is not ours to know
        if is_file(path) or not path.is_absolute():
            return []
        return [Finding(f"the program {first} does not exist", "Correct its path.", "commands.0")]
    from runner.environments.conda.path import about_program_of_path

    finding = about_program_of_path(first, prefix, base, site.host)
    return [finding] if finding else []


def recipe_of(name: str, site: Site) -> PurePath | None:
    """The file of conda_envs/ that makes the environment `name`, by its `name:` and else by its file name."""
    files = [*entries(site.repo / "conda_envs", ".yml"), *entries(site.repo / "conda_envs", ".yaml")]
    for file in files:
        found = re.search(r"(?m)^name:\s*[\"']?([^\s\"'#]+)", read_text(file))
        if found and found[1] == name:
            return file
    return next((file for file in files if file.stem == name), None)


def _near(name: str, names: Sequence[str]) -> str:
    from difflib import get_close_matches

    folded = {known.lower(): known for known in names}
    near = [folded[found] for found in get_close_matches(name.lower(), list(folded), n=3, cutoff=0.6)]
    if len(near) == 1:
        return did_you_mean(name, near[0]) + " "
    return f"Did you mean {' or '.join(near)}? " if near else ""
