"""What Windows does to a long run: virus scanners and a pending restart."""

from __future__ import annotations

import json
from pathlib import PureWindowsPath

from runner.doctor import Context, Line, check, ok, warning
from runner.ground.disk import is_file

_RESTARTS = (
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired",
)
_DEFENDER = r"SOFTWARE\Microsoft\Windows Defender"
# Windows' list of virus scanners; the third hexadecimal digit from the left of productState is 1 for one that is on
_SCANNERS = (
    "Get-CimInstance -Namespace root/SecurityCenter2 -ClassName AntiVirusProduct | "
    "Select-Object displayName, productState | ConvertTo-Json -Compress"
)
_EXCLUDE = "Ask the administrator to except the environments' folder and uv's cache from the scan"


@check("restart", "Windows restarts by itself after an update, and a run ends with it.")
def restart_pending(context: Context) -> list[Line]:
    """Windows restarts by itself some hours after an update."""
    if not context.site.host.windows:
        return []
    if any(context.registry(key) is not None for key in _RESTARTS):
        return [
            warning(
                "Windows waits for a restart, and may do it by itself in the middle of a run",
                "Restart the computer before a long run.",
            )
        ]
    return [ok("Windows does not wait for a restart")]


@check("virus scanner", "A virus scanner slows the making of an environment down, and may lock its files.")
def virus_scanner(context: Context) -> list[Line]:
    """Which scanner is on, and whether it leaves the environments alone."""
    if not context.site.host.windows:
        return []
    active = _active(context)
    if active is None:
        return [ok("Windows does not tell which virus scanner is on (servers do not)")]
    others = [name for name in active if "defender" not in name.lower()]
    folder = str(context.site.environments)
    if others:
        return [
            warning(
                f"{', '.join(others)} looks at every file that is written, and may lock it: preparing an environment "
                "is slow, and may fail with `Access is denied`",
                f"{_EXCLUDE}: {folder}",
            )
        ]
    protection = context.registry(rf"{_DEFENDER}\Real-Time Protection") or {}
    if not active or protection.get("DisableRealtimeMonitoring") == 1:
        return [ok("no virus scanner looks at files as they are written")]
    if any(
        PureWindowsPath(folder).is_relative_to(path)
        for path in context.registry(rf"{_DEFENDER}\Exclusions\Paths") or ()
    ):
        return [ok("Microsoft Defender leaves the environments' folder alone")]
    return [ok("Microsoft Defender is on; preparing an environment takes longer", f"{_EXCLUDE}: {folder}")]


def _active(context: Context) -> list[str] | None:
    """The virus scanners that are on; None where Windows keeps no list."""
    host = context.site.host
    root = host.path(host.environ.get("SYSTEMROOT") or "C:/Windows")
    own = root / "System32" / "WindowsPowerShell" / "v1.0" / "powershell.exe"
    program = str(own) if is_file(own) else host.which("powershell.exe") or host.which("powershell")
    if program is None:
        return None
    got = host.capture([program, "-NoLogo", "-NoProfile", "-NonInteractive", "-Command", _SCANNERS])
    try:
        data = json.loads(got.stdout.decode("utf-8", "replace"))
        found = data if isinstance(data, list) else [data]
        return [str(one["displayName"]) for one in found if int(one["productState"]) >> 12 & 0xF == 1]
    except (ValueError, KeyError, TypeError):
        return None
