"""The computer that a bundle is for, as a value: what its markers say, and which wheels it can have."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.errors import UsageError

if TYPE_CHECKING:
    from packaging.markers import Environment
    from packaging.tags import Tag

GLIBC = (2, 28)  # of RHEL 8, Debian 10, Ubuntu 20.04 and later
MACOS = (14, 0)
# name -> platform, machine, and what markers call that machine
_KNOWN = {
    "windows": ("windows", "x86_64", "AMD64"),
    "linux": ("linux", "x86_64", "x86_64"),
    "linux-aarch64": ("linux", "aarch64", "aarch64"),
    "macos": ("macos", "arm64", "arm64"),
    "macos-x86_64": ("macos", "x86_64", "x86_64"),
}
NAMES = tuple(_KNOWN)
_MARKERS = {
    "windows": ("nt", "win32", "Windows"),
    "linux": ("posix", "linux", "Linux"),
    "macos": ("posix", "darwin", "Darwin"),
}
_MACHINES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True)
class Target:
    name: str  # as the user writes it
    platform: str  # windows, linux or macos
    machine: str  # x86_64, aarch64 or arm64
    called: str  # what `platform_machine` is there
    glibc: tuple[int, int] = GLIBC

    @property
    def words(self) -> str:
        """For the user: what the wheels were chosen for."""
        kind = {"windows": "Windows", "linux": "Linux", "macos": "macOS"}[self.platform]
        least = {
            "windows": "",
            "linux": f" with glibc {self.glibc[0]}.{self.glibc[1]} or later",
            "macos": f" {MACOS[0]} or later",
        }[self.platform]
        return f"{kind} {self.machine}{least}" if self.platform != "macos" else f"{kind}{least}, {self.machine}"

    @property
    def sys_platform(self) -> str:
        return _MARKERS[self.platform][1]

    def markers(self, python: str) -> Environment:
        """`python`: with its patch, 3.11.9."""
        from packaging.markers import Environment

        os_name, sys_platform, system = _MARKERS[self.platform]
        return Environment(
            implementation_name="cpython",
            implementation_version=python,
            os_name=os_name,
            platform_machine=self.called,
            platform_python_implementation="CPython",
            platform_release="",
            platform_system=system,
            platform_version="",
            python_full_version=python,
            python_version=minor(python),
            sys_platform=sys_platform,
        )

    def tags(self, python: str) -> list[Tag]:
        """Best first."""
        from packaging.tags import compatible_tags, cpython_tags

        version = tuple(map(int, minor(python).split(".")))
        own = f"cp{version[0]}{version[1]}"
        platforms = list(self._platforms())
        return [
            *cpython_tags(version, [own], platforms),
            *compatible_tags(version, own, platforms),
        ]

    def _platforms(self) -> Iterator[str]:
        if self.platform == "windows":
            yield "win_amd64"
        elif self.platform == "macos":
            from packaging.tags import mac_platforms

            yield from mac_platforms(MACOS, self.machine)
        else:
            old = {17: "manylinux2014", **({12: "manylinux2010", 5: "manylinux1"} if self.machine == "x86_64" else {})}
            for number in range(self.glibc[1], 4 if self.machine == "x86_64" else 16, -1):
                yield f"manylinux_2_{number}_{self.machine}"
                if number in old:
                    yield f"{old[number]}_{self.machine}"
            yield f"linux_{self.machine}"


def minor(python: str) -> str:
    """3.11 of 3.11.9."""
    return ".".join(python.split(".")[:2])


def here() -> str:
    """The name of this machine's kind; "" where none is known for it."""
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, sys.platform)
    machine = platform.machine().lower()
    machine = _MACHINES.get(machine, machine)
    for name, (known, own, _) in _KNOWN.items():
        if (known, _MACHINES.get(own, own)) == (system, machine):
            return name
    return ""


def target_of(name: str, glibc: str = "") -> Target:
    """Raises UsageError."""
    found = _KNOWN.get(name)
    if found is None:
        what = f"--platform {name} is not known" if name else "this machine is of a kind that no bundle is made for"
        raise UsageError(what, f"Give --platform one of {', '.join(NAMES)}.")
    target = Target(name, *found)
    if not glibc:
        return target
    major, _, number = glibc.partition(".")
    if target.platform != "linux" or major != "2" or not number.isdigit() or not 5 <= int(number) <= 99:
        raise UsageError(f"--glibc {glibc} cannot be", "It is for Linux, and like 2.28; `ldd --version` shows it.")
    return Target(name, *found, glibc=(2, int(number)))
