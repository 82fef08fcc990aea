"""Which packages an environment still needs from the network: uv is asked, without one."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.environments.site import Site
from runner.environments.uv.settings import ask_uv
from runner.ground.text import decoded

# what `uv sync --dry-run --verbose` says, the same in all versions from 0.7.21 to 0.13.9
_UNCACHED = re.compile(r"^DEBUG Identified uncached distribution: (\S+?)(?:==(\S+)| @ (\S+))\s*$", re.MULTILINE)
_COUNT = re.compile(r"^Would download (\d+) package", re.MULTILINE)
_PYTHON = re.compile(r"^Using C?Python (\d+)\.(\d+)", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True)
class Package:
    name: str  # normalised
    version: str = ""
    address: str = ""  # of one that is from no index

    def __str__(self) -> str:
        return f"{self.name} @ {self.address}" if self.address else f"{self.name}=={self.version}"


@dataclass(frozen=True)
class Answer:
    """`refused`: uv's exit code where it could not tell, and what it said."""

    packages: tuple[Package, ...] = ()
    python: tuple[int, int] = sys.version_info[:2]  # that it would be made with
    built: tuple[Package, ...] = ()  # in folders of this machine, to be built here
    untold: int = 0  # how many more there are, whose names uv does not say
    refused: tuple[int, str] | None = None


def uncached_in(said: str) -> tuple[Package, ...]:
    """Of what `uv sync --dry-run --verbose` printed."""
    return tuple(Package(name, version or "", address or "") for name, version, address in _UNCACHED.findall(said))


def uncached(
    words: Sequence[str], site: Site, *, script: str = "", apart: bool = True, more: Mapping[str, str] | None = None
) -> Answer:
    """What `uv WORDS` would fetch; nothing is fetched or made.

    `script`, `apart` and `more`: as of `ask_uv`.
    """
    asked = [*words, "--offline", "--dry-run", "--verbose"]
    answer = ask_uv(asked, site, timeout=60.0, script=script, apart=apart, more=more)
    said = decoded(answer.stderr)
    if answer.code != 0:
        kept = [line for line in said.splitlines() if not line.startswith(("DEBUG ", "TRACE "))]
        return Answer(refused=(answer.code or 1, answer.error or "\n".join(kept)))
    found = sorted(uncached_in(said), key=str)
    count, python = _COUNT.search(said), _PYTHON.search(said)
    local = tuple(one for one in found if one.address.startswith("file:"))
    return Answer(
        tuple(one for one in found if one not in local),
        (int(python[1]), int(python[2])) if python else sys.version_info[:2],
        local,
        max(0, int(count[1]) - len(found)) if count else 0,
    )
