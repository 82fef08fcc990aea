"""Where uv is: in the places that the Go runner looked at, then on PATH, then the one of the PyPI package `uv`."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath

from runner.environments.site import Once, Site
from runner.errors import EnvironmentMissing
from runner.ground.codes import NTSTATUS, explain_windows, spell_code
from runner.ground.disk import is_file, on_disk
from runner.host import Host

VARIABLE = "RUN_PIPELINE_UV"
OLDEST = (0, 7, 21)  # reads [tool.uv.dependency-groups] and has all options that we use
# its locks fail on NFSv4: https://github.com/astral-sh/uv/issues/18061, mended by #18071 in 0.10.4
BROKEN_ON_A_SHARE = ("0.10.3",)
FOLDERS = ("external/UV", "", "uv", "tools", "bin")  # of the repository

_ONE_AT_A_TIME = threading.Lock()  # Python's sysconfig, which uv asks, gives a second thread half an answer
_VERSION = re.compile(r"uv (\d+)\.(\d+)\.(\d+)")
_CURE = f"Install uv (`pip install uv`), or set {VARIABLE} to the uv program."


@dataclass(frozen=True)
class Uv:
    """A uv that can be used."""

    path: str
    version: str  # "" where it was not asked: see version_of


def find_uv(site: Site, own: Callable[[], str | None] | None = None) -> Uv:
    """The uv of this invocation; looked for once. `own` gives that of the PyPI package.

    Raises EnvironmentMissing with every candidate that was passed over, and why.
    """
    found = _looked(site, own or find_packaged_uv)
    if isinstance(found, Uv):
        return found
    raise EnvironmentMissing(found.message, found.cure)


def hand_on(site: Site, other: Site) -> None:
    """`other` uses the uv of `site`, wherever its repository is."""
    _looked.tell(other, _looked(site, find_packaged_uv), find_packaged_uv)


def version_of(uv: Uv, host: Host) -> str:
    """Its version, asked now where nobody has; "" when it does not answer."""
    return uv.version or _ask(uv.path, host)[0]


def find_uv_for_store(site: Site) -> Uv:
    """As `find_uv`, with its version. Raises EnvironmentMissing for one that breaks its locks on network storage."""
    uv = find_uv(site)
    version = version_of(uv, site.host)
    if version in BROKEN_ON_A_SHARE:
        raise EnvironmentMissing(
            f"uv {version} ({uv.path}) breaks its locks on network storage (astral-sh/uv#18061)",
            f"Use another one: `uv self update`, or `pip install --upgrade uv`; {VARIABLE} names the one to use.",
        )
    return Uv(uv.path, version)


def candidates(host: Host, repo: PurePath) -> Iterator[tuple[PurePath, str]]:
    """Each place where a uv program is, with the reason for passing it over ("" when there is none)."""
    name = "uv.exe" if host.windows else "uv"
    for folder in FOLDERS:
        program = repo / folder / name
        if is_file(program):
            yield program, _not_executable(program, host)
    for folder in _path_folders(host):
        program = host.path(folder) / name
        if not is_file(program):
            continue
        if program.parent.name.lower() == "shims":
            yield program, "a version manager's shim, which is slow and fails beside some .python-version files"
        else:
            yield program, _not_executable(program, host)


def find_packaged_uv() -> str | None:
    """The program of the PyPI package `uv`, which is installed with the runner."""
    with _ONE_AT_A_TIME:
        os.environ.pop("_PYTHON_SYSCONFIGDATA_NAME", None)  # of conda's compilers: with it our own sysconfig fails
        try:
            import uv

            return uv.find_uv_bin()
        except (ImportError, OSError):
            return None


@Once
def _looked(site: Site, own: Callable[[], str | None]) -> Uv | EnvironmentMissing:
    host = site.host
    named = host.environ.get(VARIABLE) or site.dotenv.get(VARIABLE)
    if named:
        return _named(host.path(named), host)
    passed_over = []
    for program, reason in candidates(host, site.repo):
        version, reason = ("", reason) if reason else _ask(str(program), host)
        if not reason:
            return Uv(str(program), version)
        passed_over.append(f"{program}: {reason}")
    packaged = own()
    if packaged:
        return Uv(packaged, "")  # installed with us, in a version that we asked for: not asked once more at each start
    notes = "".join(f"\n  passed over {note}" for note in passed_over)
    return EnvironmentMissing(f"uv was not found, and a segment needs it{notes}", _CURE)


def _named(program: PurePath, host: Host) -> Uv | EnvironmentMissing:
    """The one that the user chose: no other is taken in its place."""
    if not is_file(program):
        return EnvironmentMissing(f"{VARIABLE} names {program}, but there is no such file", f"Correct {VARIABLE}.")
    version, reason = _ask(str(program), host)
    if reason:
        return EnvironmentMissing(f"{VARIABLE} names {program}, which cannot be used: {reason}", f"Correct {VARIABLE}.")
    return Uv(str(program), version)


def _ask(program: str, host: Host) -> tuple[str, str]:
    """Its version, or why it cannot be used."""
    answer = host.capture([program, "--version"], env=host.environ, timeout=20.0)
    text = answer.stdout.decode("utf-8", "replace").strip()
    found = _VERSION.match(text)
    if answer.code != 0 or not found:
        said = answer.error or answer.stderr.decode("utf-8", "replace").strip() or text or _ended(answer.code)
        return "", f"`uv --version` failed: {said.splitlines()[0]}"
    version = tuple(int(part) for part in found.groups())
    if version < OLDEST:
        return "", f"version {'.'.join(found.groups())} is older than {'.'.join(map(str, OLDEST))}"
    return ".".join(found.groups()), ""


def _ended(code: int | None) -> str:
    """A uv that says nothing: one that Windows cannot load."""
    known = code is not None and code & 0xFFFFFFFF in NTSTATUS
    return explain_windows(code).removesuffix(".") if code is not None and known else spell_code(code)


def _path_folders(host: Host) -> Iterator[str]:
    names = {name.upper(): value for name, value in host.environ.items()} if host.windows else host.environ
    for folder in names.get("PATH", "").split(";" if host.windows else ":"):
        folder = folder.strip('"') if host.windows else folder
        if folder.startswith(("/", "\\")) or host.path(folder).is_absolute():  # never where the user stands
            yield folder


def _not_executable(program: PurePath, host: Host) -> str:
    if host.windows or os.access(on_disk(program), os.X_OK):
        return ""
    return "it may not be executed (chmod +x)"
