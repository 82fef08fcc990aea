"""Wheels of what has none: built here, for this kind of computer, or for all where nothing in it is compiled."""

from __future__ import annotations

import os
from pathlib import Path

from runner.bundle.choose import Source
from runner.bundle.fetch import SETTINGS, check_hashes
from runner.bundle.target import Target, here, minor
from runner.bundle.tools import Tools
from runner.environments.uv.settings import ask_uv
from runner.errors import EnvironmentMissing

_WHEN = "946684800"  # the year 2000, so that one build gives the bytes of the next


def build(source: Source, python: str, target: Target, tools: Tools, folder: Path) -> Path:
    """Its wheel in `folder`, which is made. Raises EnvironmentMissing, Interrupted."""
    from packaging.utils import parse_wheel_filename

    interpreter = _interpreter(source, python, tools)
    tools.say(f"building {source.shown} from {source.kind}")
    folder.mkdir()
    wanted = folder / "wanted.txt"
    hashes = [] if not source.fetched else [f"--hash={name}:{value}" for name, value in source.hashes]
    wanted.write_text(" ".join([source.requirement, *hashes]) + "\n", encoding="utf-8")
    if source.place is not None and source.hashes:
        check_hashes(source.shown, source.place, source.hashes, str(source.place))
    words = ["-m", "pip", "--python", interpreter, "wheel", "--no-deps", "--wheel-dir", str(folder)]
    words += ["--ignore-requires-python", "--requirement", str(wanted)]
    when = {"SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH", _WHEN)}
    outcome, said = tools.python(words, {**SETTINGS, **when, "TMPDIR": str(tools.folder), "TEMP": str(tools.folder)})
    wheels = sorted(folder.glob("*.whl"))
    if not outcome.succeeded or len(wheels) != 1:
        last = [line for line in said if line.strip()][-12:]
        raise EnvironmentMissing(
            f"{source.shown} could not be built from {source.kind}",
            "What pip said stands below: a compiler, or a library, may be missing here.\n"
            + "\n".join(f"pip: {line.strip()}" for line in last),
        )
    (wheel,) = wheels
    tags = parse_wheel_filename(wheel.name)[3]
    if here() == target.name or all(tag.platform == "any" for tag in tags):
        return wheel
    raise EnvironmentMissing(
        f"{source.shown} cannot be had for {target.words}: the lock has {source.kind} alone, and what is built of that "
        f"here is for this computer ({wheel.name})",
        "Make the bundle on such a computer, or lock a version of it that has wheels.",
    )


def built_words(source: Source, wheel: str) -> str:
    """For the summary."""
    system = wheel[: -len(".whl")].rpartition("-")[2]
    where = "for any system" if system == "any" else f"as {system}: for a system like this one"
    return f"{source.shown} from {source.kind}, {where}"


def _interpreter(source: Source, python: str, tools: Tools) -> str:
    answer = ask_uv(["python", "find", "--no-project", python], tools.site)
    found = answer.stdout.decode("utf-8", "replace").strip()
    if answer.code == 0 and found:
        return found
    raise EnvironmentMissing(
        f"{source.shown} has to be built from {source.kind}, and there is no Python {minor(python)} here",
        f"Install it (`uv python install {minor(python)}`), or give --python the version that is here.",
    )
