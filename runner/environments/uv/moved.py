"""An environment that was brought here ready, or whose Python went: given another Python, and never made anew."""

from __future__ import annotations

from pathlib import PurePath

from runner.environments.site import Once, Site
from runner.environments.uv.settings import ask_uv, downloads_off
from runner.environments.uv.stamp import venv_settings
from runner.ground.disk import is_file
from runner.model import Finding


@Once
def python_for(site: Site, folder: PurePath) -> PurePath | None:
    """A Python of this machine of the same version, 3.11 for 3.11.4: packages in there are for no other."""
    answer = ask_uv(("python", "find", "--no-project", "--system", _version(folder)), site, timeout=60.0)
    found = site.host.path(answer.stdout.decode("utf-8", "replace").strip())
    return found if answer.code == 0 and is_file(found) else None


def base_gone(folder: PurePath, site: Site) -> list[Finding]:
    """Where there is none, and uv may fetch none either: it stays as it is."""
    forbids = downloads_off(site)
    if not forbids or python_for(site, folder):
        return []
    version, home = _version(folder), venv_settings(folder).get("home", "")
    message = f"the environment {folder} is ready but for its Python: it was made with Python {version} in {home}"
    cure = f"Put a Python {version} there or on PATH, or into uv's folder (`uv python dir`); it is then used as it is."
    return [Finding(message, cure, missing=(f"python=={version}",))]


def _version(folder: PurePath) -> str:
    told = venv_settings(folder)
    return ".".join((told.get("version_info") or told.get("version", "")).split(".")[:2])
