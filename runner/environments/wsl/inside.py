"""What a WSL distribution is asked, once an invocation: its home folder, PATH and uv, and where shares are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.environments.site import Once, Site
from runner.environments.wsl.paths import mount_of
from runner.errors import EnvironmentMissing
from runner.host import Captured

# the first start of a distribution boots a virtual machine
_TIMEOUT = 180.0
# one line each, behind a mark: a distribution may print a greeting first
_ASK = (
    "echo run-pipeline; echo $HOME; echo $PATH; "
    "for u in $(command -v uv) ~/.local/bin/uv ~/.cargo/bin/uv /usr/local/bin/uv; do "
    "test -x $u && echo $u && break; done"
)
_MARK = "run-pipeline"


@dataclass(frozen=True)
class Inside:
    """A distribution as its processes see it."""

    home: str
    path: str
    uv: str  # "" when there is none


def wsl_program(site: Site) -> str | None:
    """wsl.exe, or None."""
    return site.host.which("wsl.exe") or site.host.which("wsl")


def start_words(distro: str, site: Site, folder: str = "") -> list[str]:
    """wsl.exe with the words in front of a command; `--exec` keeps any shell away from the command's own words."""
    which = [] if distro == "default" else ["--distribution", distro]
    return [wsl_program(site) or "wsl.exe", *which, *(["--cd", folder] if folder else []), "--exec"]


def ask(distro: str, words: Sequence[str], site: Site) -> Captured:
    """Runs a short query inside the distribution."""
    argv = [*start_words(distro, site), *words]
    environ = {**site.host.environ, "WSL_UTF8": "1"}
    return site.host.capture(argv, env=environ, cwd=local_folder(site), timeout=_TIMEOUT)


@Once
def look_inside(site: Site, distro: str) -> Inside:
    """What the distribution answers; raises EnvironmentMissing when it cannot be started."""
    got = ask(distro, ["sh", "-c", _ASK], site)
    lines = got.stdout.decode("utf-8", "replace").splitlines()
    if got.code != 0 and _MARK not in lines:
        raise _not_started(distro, got, site)
    place = lines.index(_MARK) if _MARK in lines else 0
    home, path, uv = [*(line.strip() for line in lines[place + 1 :]), "", "", ""][:3]
    return Inside(home, path, uv)


@Once
def mounted_share(site: Site, root: str, distro: str) -> str | None:
    """Where the distribution has the share `root` mounted."""
    got = ask(distro, ["wslpath", "-a", "-u", root], site)
    place = got.stdout.decode("utf-8", "replace").strip() if got.code == 0 else ""
    if place.startswith("/"):
        return place
    mounts = ask(distro, ["cat", "/proc/mounts"], site)
    return mount_of(root, mounts.stdout.decode("utf-8", "replace"))


def local_folder(site: Site) -> str | None:
    """A folder on a drive to start wsl.exe in: it complains of a share."""
    return site.host.environ.get("SYSTEMROOT") or None


def decoded(data: bytes) -> str:
    """What wsl.exe itself says: UTF-16 unless it honours WSL_UTF8."""
    return data.decode("utf-16-le", "replace") if b"\0" in data else data.decode("utf-8", "replace")


def _not_started(distro: str, got: Captured, site: Site) -> EnvironmentMissing:
    said = (decoded(got.stdout) + decoded(got.stderr)).strip() or got.error
    listed = site.host.capture(
        [wsl_program(site) or "wsl.exe", "--list", "--quiet"], env={**site.host.environ, "WSL_UTF8": "1"}, timeout=30.0
    )
    lines = decoded(listed.stdout).splitlines() if listed.code == 0 else []
    names = [line.strip() for line in lines if line.strip()]
    which = "WSL's default distribution" if distro == "default" else f"the WSL distribution {distro!r}"
    cure = f"There are: {', '.join(names)}." if names else "Install one: wsl --install -d Ubuntu"
    return EnvironmentMissing(f"{which} could not be started: {said}", cure)
