"""Whether the machine goes to sleep by itself, and whether a run can hold it awake."""

from __future__ import annotations

import re

from runner.doctor import Context, Line, check, ok, warning
from runner.ground.disk import is_file
from runner.ground.words import time_text
from runner.host import Host
from runner.process.keep_awake import helper_words

_BY_HAND = "A closed lid, an empty battery or the power button still send it to sleep."
_POWERCFG = ("/query", "SCHEME_CURRENT", "SUB_SLEEP", "STANDBYIDLE")
_GNOME = ("get", "org.gnome.settings-daemon.plugins.power")


@check("sleep", "A computer that goes to sleep without a user computes no further; a run holds it awake.")
def sleep(context: Context) -> list[Line]:
    """Nothing where the system does not tell."""
    host = context.site.host
    seconds = _windows(host) if host.windows else _macos(host) if host.platform == "darwin" else _gnome(host)
    if seconds is None:
        return []
    if seconds == 0:
        return [ok("this computer does not go to sleep by itself", _BY_HAND)]
    after = f"this computer goes to sleep after {time_text(max(60, round(seconds / 60) * 60))} without a user"
    if host.windows or host.which(helper_words(host.platform)[0]):
        return [ok(f"{after}, but not while a pipeline runs", _BY_HAND)]
    return [warning(after, "Let it stay awake during a long run (settings, power): nothing here can hold it awake.")]


def _windows(host: Host) -> int | None:
    """With mains power, as the current plan says. The words around the numbers are in the language of Windows."""
    own = host.path(host.environ.get("SYSTEMROOT") or "C:/Windows") / "System32" / "powercfg.exe"
    program = str(own) if is_file(own) else host.which("powercfg.exe") or host.which("powercfg")
    if program is None:
        return None
    answer = host.capture([program, *_POWERCFG]).stdout.decode("ascii", "replace")
    # ..., the least, the greatest, the step, with mains power, with a battery
    numbers = re.findall(r":\s*0x([0-9a-fA-F]+)\s*$", answer, re.MULTILINE)
    return int(numbers[-2], 16) if len(numbers) >= 2 else None


def _macos(host: Host) -> int | None:
    program = host.which("pmset")
    if program is None:
        return None
    found = re.search(
        r"^\s*sleep\s+(\d+)", host.capture([program, "-g"]).stdout.decode("utf-8", "replace"), re.MULTILINE
    )
    return int(found[1]) * 60 if found else None


def _gnome(host: Host) -> int | None:
    """Only where somebody has a desktop: a server has its own rules, and sleeps never."""
    program = host.which("gsettings")
    if program is None or not (host.environ.get("DISPLAY") or host.environ.get("WAYLAND_DISPLAY")):
        return None
    what = host.capture([program, *_GNOME, "sleep-inactive-ac-type"]).stdout.decode("utf-8", "replace").strip()
    after = host.capture([program, *_GNOME, "sleep-inactive-ac-timeout"]).stdout.decode("utf-8", "replace").split()
    if not what or not after or not after[-1].isdigit():
        return None
    return int(after[-1]) if "nothing" not in what else 0
