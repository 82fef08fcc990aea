"""An environment that was moved or copied, made right at its place: settings, interpreter, activation, programs."""

from __future__ import annotations

import os
import re
from pathlib import PurePath

from runner.environments.site import Site
from runner.environments.uv.binary import find_uv
from runner.environments.uv.stamp import interpreter, venv_settings
from runner.environments.uv.variables import unwanted
from runner.errors import EnvironmentMissing
from runner.ground.disk import entries, on_disk
from runner.ground.files import replace_whole, state_errors
from runner.ground.plain import is_link
from runner.host import Host
from runner.model import Command

_SHORT = rb"#!(?P<short>/[^\n]*/python[0-9.]*)(?P<options>[ \t][^\n]*)?\n"
_LONG = rb"#!/bin/sh\n'''exec' (?P<long>'/[^\n]*/python[0-9.]*'|\"?/[^\n]*/python[0-9.]*\"?) \"\$0\" \"\$@\"\n' '''\n"
# what pip and uv write above a program of an environment
_HEAD = re.compile(rb"(?:%s|%s)" % (_SHORT, _LONG))
# as uv writes it in a relocatable environment: the Python beside the program, wherever that is
_BESIDE = b"""#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")"/'python'%s "$0" "$@"
' '''
"""
# a package's own choice of a Python, and none of an environment
_SYSTEMS = (b"/usr/bin/", b"/bin/", b"/usr/local/bin/")


def relocated(folder: PurePath, python: PurePath, site: Site) -> None:
    """Make the environment in `folder` right where it is now, with the base interpreter `python`.

    For others than the runner nobody knows of it yet: the caller holds its lock. Raises EnvironmentMissing, StateError.
    """
    command = relocating(folder, python, site)
    environ = {name: value for name, value in site.host.environ.items() if name not in command.unset}
    answer = site.host.capture(command.argv, env={**environ, **command.env}, cwd=command.cwd, timeout=300.0)
    if answer.code != 0:
        said = answer.error or answer.stderr.decode("utf-8", "replace").strip()
        raise EnvironmentMissing(
            f"the environment {folder} could not be made right at its new place",
            "Remove that folder; it is then made anew." + "".join(f"\nuv: {line}" for line in said.splitlines()),
        )
    mend_programs(folder, site.host)


def relocating(folder: PurePath, python: PurePath, site: Site) -> Command:
    """The command for all of it but the programs: see `mend_programs`. Packages stay; no network is needed."""
    return Command(
        (
            find_uv(site).path, "venv", "-q", "--relocatable", "--allow-existing", "--no-project", "--no-config",
            "--python", str(python), str(folder),
        ),
        str(folder.parent),
        {"UV_NO_PROGRESS": "1", "UV_NO_WRAP": "1", "UV_PYTHON_DOWNLOADS": "never"},
        unset=unwanted(site.host.environ),
        stop_leader_only=True,
    )  # fmt: skip


def mend_programs(folder: PurePath, host: Host) -> None:
    """Console programs start with the Python beside them. Of Windows' see `has_fixed_launchers`. Raises StateError."""
    if host.windows:
        return
    for one in entries(folder / "bin"):
        path = on_disk(one)
        if is_link(path) or not path.is_file():
            continue
        with state_errors("write", path):
            if one.name == "activate.csh":  # uv writes none that could be moved
                path.unlink()
                continue
            with path.open("rb") as stream:
                if stream.read(2) != b"#!":
                    continue
            old = path.read_bytes()
            if (new := _mended(old)) != old:
                replace_whole(
                    path, new, durable=False
                )  # never in place: it may be a second name of a file in the cache


def has_fixed_launchers(folder: PurePath, host: Host) -> bool:
    """Windows: whether its programs (.exe) have the place of their Python inside, so that packages are to be installed
    anew once it was moved. Asked before it is made right."""
    return host.windows and venv_settings(folder).get("relocatable", "").lower() != "true"


def base_python(folder: PurePath, host: Host) -> PurePath:
    """The interpreter that the environment was made from."""
    home = host.path(venv_settings(folder).get("home", ""))
    if host.windows:
        return home / "python.exe"
    try:
        target = host.path(os.readlink(on_disk(interpreter(folder, host))))  # noqa: PTH115  (one link, not the last)
    except OSError:
        return home / "python3"
    return target if target.is_absolute() else home / target.name


def _mended(text: bytes) -> bytes:
    head = _HEAD.match(text)
    if not head or (head["short"] or b"").startswith(_SYSTEMS):
        return text
    return _BESIDE % (head["options"] or b"").rstrip() + text[head.end() :]
