"""Reads `environment:` (with `use-linux-distro`): which kind it is, and its name there."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runner.model import EnvironmentSpec

_UV = re.compile(r"uv(?:@(?P<python>[^:]*))?:(?P<group>.*)", re.IGNORECASE | re.DOTALL)
_CONDA = "conda:"
_WORDS = {"script": "script", "imagej": "imagej", "cmd": "shell"}
_PLUS = re.compile(r"\s+\+\s+")


def parse_environment(text: str, distro: str, platform: str) -> EnvironmentSpec:
    """What `text` (tokens resolved) names; `distro` counts on Windows alone. Never fails: `check` says what is wrong.

    What is no form of ours is a conda environment's name, blanks included, as the Go runner took it.
    """
    spec = _without_distro(text)
    if not distro.strip() or platform != "win32":
        return spec
    name = "default" if distro.strip().lower() == "default" else distro.strip()
    # whether `text` is one that can run there is for the kind to say: see wsl.check
    return EnvironmentSpec("wsl", spec.name if spec.kind == "uv" else "", spec.python, name, text)


def _without_distro(text: str) -> EnvironmentSpec:
    first, *others = _PLUS.split(text)
    # nothing else is behind a plus sign with blanks around it: so a folder called `a + b` stays what it was
    if others and all(is_named_form(other) for other in others):
        return EnvironmentSpec("combined", text=text, parts=tuple(_plain(part) for part in (first, *others)))
    return _plain(text)


def _plain(text: str) -> EnvironmentSpec:
    if found := _UV.fullmatch(text):
        python = (found["python"] or "").strip()
        if found["python"] is not None and not python:
            return EnvironmentSpec("uv", text=text)  # `uv@:group`: no name, so that it is refused like `uv:`
        return EnvironmentSpec("uv", normalised_group(found["group"]), python, text=text)
    if kind := _WORDS.get(text.lower()):
        return EnvironmentSpec(kind, text=text)
    name = text[len(_CONDA) :].strip() if text.lower().startswith(_CONDA) else text
    if name.lower() == "base":
        name = "base"
    return EnvironmentSpec("conda", name, text=text)


def with_modules(spec: EnvironmentSpec, names: Sequence[str]) -> EnvironmentSpec:
    """`spec`, started where these are loaded, in this order."""
    return EnvironmentSpec("modules", text=spec.text, parts=(spec,), modules=tuple(names)) if names else spec


def split_at_plus(text: str) -> tuple[str, str]:
    """What may begin with a token, and the plus sign with all behind it."""
    found = _PLUS.search(text)
    return (text[: found.start()], text[found.start() :]) if found else (text, "")


def is_named_form(text: str) -> bool:
    """Whether the text itself says of which kind it is."""
    return text.lower() in _WORDS or text.lower().startswith((_CONDA, "uv:", "uv@"))


def conda_environment(text: str) -> str:
    """The name or folder of the conda environment that `environment: TEXT` is; "" for another kind."""
    spec = parse_environment(text, "", "linux")
    return spec.name if spec.kind == "conda" else ""


def conda_below(text: str) -> str:
    """The name or folder of the conda environment that a combined one stands on; "" where there is none."""
    spec = parse_environment(text, "", "linux")
    return next((part.name for part in spec.parts if part.kind == "conda"), "")


def normalised_group(name: str) -> str:
    """A dependency group's name as uv compares it: lower case, each run of `-`, `_` and `.` one `-` (PEP 735)."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def is_prefix(name: str, platform: str) -> bool:
    """Whether a conda environment is given by its folder and not by its name."""
    if name in (".", "..") or name.startswith("~"):
        return True
    return "/" in name or (platform == "win32" and ("\\" in name or re.match(r"[A-Za-z]:", name) is not None))
