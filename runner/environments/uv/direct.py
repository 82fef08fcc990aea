"""Programs of a virtual environment started without uv in between, with the variables that `uv run` gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from runner.environments.leaks import without_outer_libraries
from runner.environments.python_words import activated, python_prints_utf8, with_path
from runner.environments.site import Site
from runner.environments.uv.variables import unwanted
from runner.host import Host
from runner.model import Command


@dataclass(frozen=True)
class Direct:
    """What is the same for all that an environment starts: worked out once for many items."""

    python: PurePath
    host: Host
    activation: Mapping[str, str]
    unset: tuple[str, ...]

    def command(self, words: Sequence[str], cwd: str, env: Mapping[str, str]) -> Command:
        own = {**with_path(self.python, env, self.host), "VIRTUAL_ENV": str(self.python.parent.parent)}
        return Command(tuple(words), cwd, {"PYTHONUNBUFFERED": "1", **env, **own}, self.activation, self.unset)


def directly(python: PurePath, site: Site) -> Direct:
    host = site.host
    activation = activated(python, host) | python_prints_utf8(host) | without_outer_libraries(host.environ, host)
    return Direct(python, host, activation, unwanted(host.environ))
