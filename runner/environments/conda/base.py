"""Where conda (or mamba, micromamba, miniforge) is installed: its base folder and its program."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from runner.environments.conda.prefix import expanded
from runner.environments.conda.shortcut import conda_base_of, shortcut_arguments
from runner.environments.site import Once, Site
from runner.ground.disk import entries, is_file, is_folder, on_disk
from runner.ground.text import decoded
from runner.host import Host

_NAMES = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba")
_PROGRAMS = frozenset({"conda", "mamba", "micromamba"})
_CURE = "Install Miniforge, or write the folder of your conda into .env of the repository: CONDA_PATH=FOLDER"


@dataclass(frozen=True)
class Search:
    """The base folder, or None, and where it was looked for."""

    base: PurePath | None
    looked: tuple[str, ...] = ()
    cure: str = _CURE


def find_base(site: Site, *, dry: bool = False) -> Search:
    """The base folder, looked for as the Go runner did; `dry` asks no program."""
    if (known := _search.known(site, False)) and known.base:
        return known
    host = site.host
    if written := site.dotenv.get("CONDA_PATH", "").strip().strip('"'):
        base = _base_around(expanded(written, host), host)
        if base is None:
            # a wrong CONDA_PATH is not passed over: another conda may hold environments of the same names
            cure = "Correct CONDA_PATH in .env of the repository, or take the line out."
            return Search(None, (f"{written} (CONDA_PATH in .env)",), cure)
        return Search(base)
    # what a program was not asked for may be another folder: the two are remembered apart
    return _search(site, dry)


@Once
def _search(site: Site, dry: bool) -> Search:
    host = site.host
    looked: list[str] = []
    for folder, why in _candidates(host, dry=dry):
        looked.append(f"{folder} ({why})" if why else str(folder))
        if base := _base_around(folder, host):
            return Search(base)
    looked += ["conda on PATH"] + (["the Start menu"] if host.windows else [])
    return Search(None, tuple(looked))


def accept_base(text: str, site: Site) -> str:
    """Takes the base folder that a person named. Raises ValueError where there is no conda."""
    base = _base_around(expanded(text.strip('" '), site.host), site.host)
    if base is None:
        raise ValueError(f"{text} holds no conda (neither conda-meta nor envs nor condabin)")
    _search.tell(site, Search(base), False)
    return str(base)


def conda_program(base: PurePath, host: Host) -> PurePath | None:
    """The conda executable of `base`; None for micromamba and for a base that lost it."""
    inside = ("Scripts/conda.exe", "condabin/conda.bat") if host.windows else ("bin/conda", "condabin/conda")
    return next((base / name for name in inside if is_file(base / name)), None)


def usual_folders(host: Host) -> list[PurePath]:
    """Where installers put conda on this platform."""
    if host.windows:
        tops = [host.home]
        tops += [host.path(host.environ[name]) for name in ("LOCALAPPDATA", "PROGRAMDATA") if host.environ.get(name)]
        tops += [host.path("C:\\ProgramData"), host.path("C:\\"), host.path("C:\\tools")]
        found = [top / name for top in tops for name in _NAMES]
        if local := host.environ.get("LOCALAPPDATA"):
            found.append(host.path(local) / "Continuum" / "anaconda3")
        return list(dict.fromkeys(found))
    tops = [host.home, host.home / "opt", host.path("/opt"), host.path("/usr/local")]
    found = [top / name for top in tops for name in _NAMES]
    found += [host.path("/opt/conda"), host.home / ".local/share/mamba"]
    if host.platform == "darwin":
        casks = [host.path(top) / "Caskroom" for top in ("/opt/homebrew", "/usr/local")]
        found += [cask / name / "base" for cask in casks for name in ("miniforge", "miniconda", "mambaforge")]
        found += [cask / "anaconda" for cask in casks]
    return found


def start_menu_shortcuts(host: Host) -> list[PurePath]:
    """The "Anaconda Prompt" and "Miniforge Prompt" shortcuts of the user and of the machine."""
    out: list[PurePath] = []
    for name in ("APPDATA", "PROGRAMDATA"):
        if not (top := host.environ.get(name)):
            continue
        programs = host.path(top) / "Microsoft" / "Windows" / "Start Menu" / "Programs"
        for folder in (programs, *(entry for entry in entries(programs) if is_folder(entry))):
            out += [entry for entry in entries(folder, ".lnk") if "prompt" in entry.name.lower()]
    return out


def _candidates(host: Host, *, dry: bool) -> Iterator[tuple[PurePath, str]]:
    for name in ("CONDA_PREFIX", "CONDA_PREFIX_1", "CONDA_EXE", "MAMBA_ROOT_PREFIX", "MAMBA_EXE"):
        if value := host.environ.get(name):
            yield host.path(value), name
    for name in ("conda", "mamba", "micromamba"):
        if program := host.which(name):
            yield host.path(program), f"{name} on PATH"
            if answer := "" if dry else _ask_program(program, host):
                yield host.path(answer), f"{name} info --base"
    for folder in usual_folders(host):
        yield folder, ""
    if host.windows:
        for shortcut in start_menu_shortcuts(host):
            try:
                text = shortcut_arguments(on_disk(shortcut).read_bytes())
            except OSError:
                continue
            if base := conda_base_of(text):
                yield host.path(base), f"the shortcut {shortcut.name}"


def _ask_program(program: str, host: Host) -> str:
    """What conda or mamba names as its base; micromamba tells it in its JSON only."""
    got = host.capture([program, "info", "--base"])
    lines = decoded(got.stdout).split("\n") if got.code == 0 else []
    answer = next((line.strip() for line in reversed(lines) if line.strip()), "")
    if host.path(answer).is_absolute():
        return answer
    got = host.capture([program, "info", "--json"])
    try:
        data = json.loads(got.stdout)
        # micromamba writes "/home/ada/micromamba (writable)"
        named = str(data.get("root_prefix") or data.get("base environment") or "")
        return re.sub(r" \((?:writable|read-only)\)$", "", named)
    except (ValueError, AttributeError):
        return ""


def _base_around(path: PurePath, host: Host) -> PurePath | None:
    """The base that `path` is, lies in, or is a program of."""
    if path.name.lower().removesuffix(".exe").removesuffix(".bat") in _PROGRAMS and is_file(path):
        # a link or a wrapper in /usr/local/bin does not make /usr/local a base
        return next((base for base in _above(path, host) if _is_base(base) and _has_environments(base)), None)
    if is_folder(path) and path.name.lower() in ("scripts", "condabin", "bin") and _is_base(path.parent):
        return path.parent
    # an environment in BASE/envs: CONDA_PREFIX while it is active
    if path.parent.name == "envs" and _is_base(path.parent.parent):
        return path.parent.parent
    return path if _is_base(path) else None


def _above(program: PurePath, host: Host) -> list[PurePath]:
    try:
        real = host.path(str(on_disk(program).resolve()))
    except OSError:
        real = program
    return [real.parent.parent, program.parent.parent]


def _is_base(folder: PurePath) -> bool:
    programs = ("condabin", "bin/conda", "Scripts/conda.exe")
    if any(is_folder(folder / name) or is_file(folder / name) for name in programs):
        return True
    # a root of micromamba has environments and perhaps packages, and no conda
    return is_folder(folder / "envs") and (is_folder(folder / "pkgs") or is_folder(folder / "conda-meta"))


def _has_environments(folder: PurePath) -> bool:
    return any(is_folder(folder / name) for name in ("conda-meta", "envs", "condabin"))
