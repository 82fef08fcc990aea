"""Where the uv.toml files of a person and a machine are. Every start asks for them: it imports next to nothing."""

from __future__ import annotations

from pathlib import Path

from runner.environments.site import Site
from runner.ground.disk import is_file, on_disk


def personal_files(site: Site) -> list[Path]:
    """The user's uv.toml and the machine's: those that are there."""
    host = site.host
    environ = {name.upper(): value for name, value in host.environ.items()} if host.windows else host.environ
    if named := environ.get("UV_CONFIG_FILE"):
        return [on_disk(host.path(named))]
    if host.windows:
        user = environ.get("APPDATA") or str(host.home / "AppData" / "Roaming")
        machine = [host.path(environ.get("SYSTEMDRIVE", "C:") + "\\") / "ProgramData" / "uv" / "uv.toml"]
    else:
        user = environ.get("XDG_CONFIG_HOME") or str(host.home / ".config")
        folders = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
        machine = [host.path(folder) / "uv" / "uv.toml" for folder in folders if folder]
        machine.append(host.path("/etc/uv/uv.toml"))
    there = [path for path in machine if is_file(path)][:1]  # uv takes the first of the machine's
    own = host.path(user) / "uv" / "uv.toml"
    return [on_disk(path) for path in [*([own] if is_file(own) else []), *there]]
