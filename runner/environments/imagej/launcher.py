"""Which program starts ImageJ or Fiji, and which of the two families of launchers it is.

The launchers named ImageJ-* take `--ij2 --console --run`. Those of Fiji since 2025 (built on Jaunch) run macros with
`--run` alone and take the two others for macros that they cannot find.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from runner.environments.conda.prefix import expanded
from runner.environments.site import Once, Site
from runner.ground.disk import is_file, is_folder
from runner.host import Captured, Host

_OLD = re.compile(r"imagej.*|fiji-(?:win|linux)(?:32|64)|fiji-macosx|fiji-tiger")
_NEW = re.compile(r"(?:fiji|jaunch)-(?:windows|linux|macos)(?:-(?:x64|x86|arm64|universal))?|jaunch")
_PROGRAMS = {
    "win32": ("fiji-windows-x64.exe", "fiji-windows-arm64.exe", "ImageJ-win64.exe", "ImageJ-win32.exe", "fiji.exe"),
    "linux": ("fiji-linux-x64", "fiji-linux-arm64", "ImageJ-linux64", "ImageJ-linux32", "fiji"),
    "darwin": ("fiji-macos", "fiji-macos-arm64", "fiji-macos-x64", "ImageJ-macosx"),
}


def find_launcher(site: Site) -> tuple[PurePath | None, list[str]]:
    """The launcher, or None and where it was looked for. IMAGEJ_PATH in .env alone counts where it is given."""
    if (known := _search.known(site)) and known[0]:
        return known
    if written := site.dotenv.get("IMAGEJ_PATH", "").strip().strip('"'):
        found = launcher_in(expanded(written, site.host), site.host)
        return found, [] if found else [f"{written} (IMAGEJ_PATH in .env)"]
    return _search(site)


@Once
def _search(site: Site) -> tuple[PurePath | None, list[str]]:
    host = site.host
    folders = usual_folders(host)
    for folder in folders:
        if found := launcher_in(folder, host):
            return found, []
    for name in _programs(host):
        if program := host.which(name):
            return host.path(program), []
    return None, [*(str(folder) for folder in folders), "PATH"]


def accept_launcher(text: str, site: Site) -> str:
    """Takes the program or folder that a person named. Raises ValueError where there is no ImageJ."""
    path = expanded(text.strip('" '), site.host)
    launcher = launcher_in(path, site.host)
    if launcher is None:
        raise ValueError(f"{text} is neither an ImageJ program nor a folder with one in it")
    _search.tell(site, (launcher, []))
    return str(path)


def launcher_in(path: PurePath, host: Host) -> PurePath | None:
    """`path` when it is a program, else the launcher in that folder (Fiji.app, or the folder around it)."""
    if is_file(path):
        return path
    if not is_folder(path):
        return None
    folders = [path, path / "Fiji.app", path / "Fiji"]
    if host.platform == "darwin":
        folders = [folder / "Contents" / "MacOS" for folder in (*folders, path / "Fiji" / "Fiji.app")] + folders
    return next((folder / name for folder in folders for name in _programs(host) if is_file(folder / name)), None)


def is_new(launcher: PurePath, site: Site, *, dry: bool = False) -> bool:
    """Whether `launcher` is one of Fiji's new family: by its name, else by its files, else by what its help says."""
    name = launcher.name.lower().removesuffix(".exe")
    if _NEW.fullmatch(name):
        return True
    if _OLD.fullmatch(name):
        return False
    # `fiji`, a script of the new family, or a name that somebody gave
    if is_folder(launcher.parent / "config" / "jaunch") or is_folder(launcher.parent / "jaunch"):
        return True
    if dry:
        return False
    got = help_of(site, launcher)
    text = (got.stdout + got.stderr).lower()
    return bool(text) and b"--ij2" not in text and b"imagej launcher" not in text


@Once
def help_of(site: Site, launcher: PurePath) -> Captured:
    """What it says to `--help`."""
    return site.host.capture([str(launcher), "--help"], timeout=60.0)


def usual_folders(host: Host) -> list[PurePath]:
    """Where people unpack Fiji on this platform."""
    home = host.home
    names = ("Fiji.app", "Fiji", "fiji")
    if host.windows:
        tops = [home, home / "Desktop", home / "Downloads", home / "Documents", host.path("C:/")]
        tops += [host.path(host.environ[name]) for name in ("LOCALAPPDATA", "PROGRAMFILES") if host.environ.get(name)]
    elif host.platform == "darwin":
        tops = [host.path("/Applications"), home / "Applications", home, home / "Downloads"]
    else:
        tops = [home, home / "Downloads", host.path("/opt"), host.path("/usr/local")]
    return [top / name for top in tops for name in names[: 2 if host.windows else 3]]


def _programs(host: Host) -> tuple[str, ...]:
    return _PROGRAMS.get(host.platform, _PROGRAMS["linux"])
