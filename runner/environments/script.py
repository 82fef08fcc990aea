"""`environment: script`: a script that names its own packages (PEP 723); uv keeps its environment."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from runner.environments import Finding, Preparation, Site
from runner.environments.disk import is_file, on_disk
from runner.environments.leaks import without_outer_libraries
from runner.environments.python_words import python_words
from runner.environments.uv import packages
from runner.environments.uv_binary import find_uv
from runner.environments.uv_stamp import clear_torn, is_whole, venv_settings
from runner.environments.uv_variables import unwanted
from runner.errors import EnvironmentMissing, RunnerError
from runner.model import Command, EnvironmentSpec, ResolvedEntry

# PEP 723, "Inline script metadata"
_BLOCK = re.compile(r"(?m)^# /// script[ \t]*\r?\n(?P<content>(?:^#(?:| .*)\r?\n)+?)^# ///[ \t]*\r?$")
_EXAMPLE = '# /// script\n# requires-python = ">=3.11"\n# dependencies = ["numpy"]\n# ///'


@dataclass(frozen=True)
class _Script:
    """The script of a segment, and where its environment is noted down."""

    path: PurePath  # absolute
    words: tuple[str, ...]  # for Python: options, the script, its arguments
    note: Path

    @property
    def lock(self) -> Path:
        """uv's lock of this script; need not be there."""
        return on_disk(self.path.with_name(f"{self.path.name}.lock"))


def check(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> list[Finding]:
    """No script, no metadata in it, or no uv."""
    try:
        script = _script(entries, str(site.repo), site)
        _metadata(script.path)
    except EnvironmentMissing as error:
        return [Finding(error.message, error.cure, "commands")]
    try:
        find_uv(site)
    except EnvironmentMissing as error:
        return [Finding(error.message, error.cure)]
    return []


def prepare(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> Preparation | None:
    """`uv sync --script`, held to the script's lock where it has one."""
    script = _script(entries, str(site.repo), site)
    if _python(script, site):
        return None
    key = _key(script)
    locked = ("--locked",) if script.lock.is_file() else ()
    command = Command(
        (find_uv(site).path, "sync", "-q", "--script", str(script.path), *locked, "--output-format", "json"),
        str(site.repo),
        {"UV_NO_PROGRESS": "1", "UV_NO_WRAP": "1"},
        unset=unwanted(site.host.environ),
        stop_leader_only=True,
    )
    return Preparation(
        f"script {script.path.name}",
        (command,),
        script.note.with_suffix(".lock"),
        lambda: not _python(script, site),
        lambda failed, code, output: _explain(script, site, code, output),
        lambda output: _remember(script, key, output),
        lambda: _clear_old(script, site),
    )


def wrap(
    spec: EnvironmentSpec,
    entries: Sequence[ResolvedEntry],
    env: Mapping[str, str],
    cwd: str,
    site: Site,
    *,
    dry: bool = False,
) -> Command:
    """The environment's own Python with the script. Raises EnvironmentMissing when it was not prepared."""
    script = _script(entries, cwd, site)
    python = _python(script, site)
    if not python and not dry:
        raise EnvironmentMissing(
            f"the environment of {script.path} is not prepared",
            "Write the script with %REPO% or %YAML% in front, so that it is the same from every working directory.",
        )
    activation = _activation(site.host.path(python), site) if python else {}
    activation |= without_outer_libraries(site.host.environ, site.host)
    return Command(
        (python or "python", *script.words),
        cwd,
        {"PYTHONUNBUFFERED": "1", **env},
        activation,
        unset=unwanted(site.host.environ),
    )


def how_to_add(package: str, spec: EnvironmentSpec, site: Site) -> str:
    return f"Add {package} to `dependencies` in the script's `# /// script` block, and start again."


def fingerprint(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> Mapping[str, object]:
    """Python and packages of the script's environment; nothing is started."""
    script = _script(entries, str(site.repo), site)
    python = _python(script, site)
    found: dict[str, object] = {"kind": "script", "script": str(script.path), "locked": script.lock.is_file()}
    if python:
        folder = site.host.path(python).parent.parent
        found |= {"python": venv_settings(folder).get("version_info", ""), "packages": packages(folder, site)}
    return found


def _script(entries: Sequence[ResolvedEntry], cwd: str, site: Site) -> _Script:
    """The first word that is no option of Python; relative to `cwd`, else to the repository."""
    argv, program = python_words(entries, cwd, site.host)
    words = argv if program else argv[1:]
    place = next((place for place, word in enumerate(words) if not word.startswith("-")), None)
    if place is None or "-c" in words[:place] or "-m" in words[:place]:
        raise EnvironmentMissing(
            "`environment: script` needs a script, and `commands` names none",
            "Name the script, as in %REPO%/measure.py",
        )
    path = site.host.path(cwd) / words[place]
    if not is_file(path):
        path = site.repo / words[place]
    if not is_file(path):
        raise EnvironmentMissing(f"there is no script {path}", "Correct its path, or put the script there.")
    # uv keys an environment by the path as given
    real = site.host.path(str(on_disk(path).resolve()))
    words[place] = str(real)
    # the environment lies in uv's cache, which each machine has for itself; no group's name begins with a dot
    name = hashlib.sha256(f"{platform.node()}\0{real}".encode()).hexdigest()[:16]
    return _Script(real, tuple(words), on_disk(site.environments / ".scripts" / f"{name}.json"))


def _metadata(path: PurePath) -> str:
    """The metadata block's text. Raises EnvironmentMissing when there is none, or two, or it is no TOML."""
    import tomllib

    try:
        text = on_disk(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise EnvironmentMissing(f"{path} cannot be read: {error.strerror}", "Check its rights.") from error
    except UnicodeDecodeError as error:
        raise EnvironmentMissing(f"{path} is not UTF-8 (byte {error.start})", "Save it as UTF-8.") from error
    blocks = list(_BLOCK.finditer(text))
    if len(blocks) != 1:
        raise EnvironmentMissing(
            f"{path} has {'no' if not blocks else 'more than one'} `# /// script` block",
            f"`environment: script` takes the packages from such a block at the top of the script:\n{_EXAMPLE}",
        )
    content = "".join(line[2:] if line.startswith("# ") else line[1:] for line in blocks[0]["content"].splitlines(True))
    try:
        tomllib.loads(content.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        raise EnvironmentMissing(
            f"the `# /// script` block of {path} is not valid TOML: {error}", f"Correct it; an example:\n{_EXAMPLE}"
        ) from error
    return content


def _key(script: _Script) -> str:
    """Changes with what is to be installed, and not with the rest of the script."""
    lock = script.lock.read_bytes() if script.lock.is_file() else b""
    return hashlib.sha256(_metadata(script.path).encode() + b"\0" + lock).hexdigest()


def _noted(script: _Script) -> tuple[str, str]:
    """Python and key as noted down; "" and "" when there is no good note."""
    try:
        note = json.loads(script.note.read_bytes())
        return str(note["python"]), str(note["key"])
    except (OSError, ValueError, TypeError, KeyError):
        return "", ""


def _clear_old(script: _Script, site: Site) -> None:
    python, _ = _noted(script)
    if python:
        clear_torn(site.host.path(python).parent.parent, site.host)


def _python(script: _Script, site: Site) -> str:
    """The Python of the script's environment; "" when there is none for the script as it is now."""
    python, key = _noted(script)
    if not python:
        return ""
    whole = is_whole(site.host.path(python).parent.parent, site.host)
    return python if whole and key == _key(script) else ""


def _remember(script: _Script, key: str, output: str) -> None:
    """Reads uv's report, which is JSON among what else it printed."""
    from runner.state.files import write_atomic

    start, end = output.find("{"), output.rfind("}")
    try:
        report = json.loads(output[start : end + 1])
        python = report["sync"]["environment"]["python"]["path"]
    except (ValueError, TypeError, KeyError) as error:
        raise EnvironmentMissing(
            f"uv made the environment of {script.path}, but its report cannot be read",
            f"uv said: {output.strip()[:500]}",
        ) from error
    note = {"script": str(script.path), "key": key, "python": python}
    write_atomic(script.note, json.dumps(note, indent=1).encode())


def _activation(python: PurePath, site: Site) -> dict[str, str]:
    """PATH and VIRTUAL_ENV, as `uv run` sets them."""
    host = site.host
    name = next((name for name in host.environ if name.upper() == "PATH"), "PATH") if host.windows else "PATH"
    folders = [str(python.parent), *([host.environ[name]] if host.environ.get(name) else [])]
    return {name: (";" if host.windows else ":").join(folders), "VIRTUAL_ENV": str(python.parent.parent)}


def _explain(script: _Script, site: Site, code: int, output: str) -> RunnerError:
    from runner.environments.uv_failures import explain

    return explain(f"script {script.path.name}", output, code, repo=str(site.repo), folder="uv's cache")
