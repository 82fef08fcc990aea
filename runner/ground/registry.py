"""The Windows registry, as a value: tests hand in another one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

# of a key below HKEY_LOCAL_MACHINE its values by name; None where it is not there or may not be read
Registry = Callable[[str], Mapping[str, object] | None]


def read_registry(key: str) -> Mapping[str, object] | None:
    """That of this machine, in the 64-bit view."""
    if sys.platform == "win32":
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key, 0, winreg.KEY_READ | winreg.KEY_WOW64_64KEY) as at:
                values = (winreg.EnumValue(at, number) for number in range(winreg.QueryInfoKey(at)[1]))
                return {name: value for name, value, _ in values}
        except OSError:
            pass
    return None
