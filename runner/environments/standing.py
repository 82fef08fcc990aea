"""A site as it is with an environment's variables in force, and what is started there as seen from outside."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath

from runner.environments.site import Asked, Once, Site
from runner.ground.disk import entries
from runner.host import Host
from runner.model import Command

_LIBRARIES = "LD_LIBRARY_PATH"
_WHICH = "import sys, sysconfig; print(sysconfig.get_config_var('LIBDIR')); print(sys.version)"


def standing_on(site: Site, environ: Mapping[str, str]) -> Site:
    """`site` with other variables: what is found on their PATH is looked for anew."""
    host = site.host

    def which(program: str) -> str | None:
        there = shutil.which(program, path=environ.get("PATH", "")) if host.platform == sys.platform else None
        return there or host.which(program)

    return replace(site, host=replace(host, environ=environ, which=which), asked=Asked())


def seen_from(command: Command, inner: Site, more: Mapping[str, str], host: Host) -> Command:
    """`command`, made for `inner`, as one that is started with the variables of `host`; `more` goes with it."""
    kept = {name: value for name, value in inner.host.environ.items() if name not in command.unset}
    wanted = {**kept, **command.activation, **more}
    return replace(
        command,
        activation={name: value for name, value in wanted.items() if host.environ.get(name) != value},
        unset=tuple(sorted(name for name in host.environ if name not in wanted)),
    )


@Once
def own_library_first(inner: Site, folder: PurePath) -> dict[str, str]:
    """LD_LIBRARY_PATH for the virtual environment `folder` whose Python would load another one's libpython; else {}.

    Most Pythons have that library in themselves. One of a Linux distribution or of pyenv looks for it, and a conda
    environment with a Python of the same version has one, too.
    """
    host = inner.host
    there = host.environ.get(_LIBRARIES, "")
    listed = [path.name for part in there.split(":") if part for path in entries(host.path(part))]
    if host.platform != "linux" or not any(name.startswith("libpython3") for name in listed):
        return {}
    without = {name: value for name, value in host.environ.items() if name != _LIBRARIES}
    ask = [str(folder / "bin" / "python"), "-I", "-c", _WHICH]
    alone, here = host.capture(ask, env=without), host.capture(ask, env=host.environ)
    if alone.code != 0 or (here.code == 0 and here.stdout == alone.stdout):
        return {}
    own = alone.stdout.decode("utf-8", "replace").splitlines()[0]
    return {_LIBRARIES: f"{own}:{there}"}
