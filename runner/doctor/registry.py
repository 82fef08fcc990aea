"""The few looks at the Windows registry, as a value: tests hand in another one."""

from __future__ import annotations

import sys
from typing import Protocol


class Registry(Protocol):
    def value(self, key: str, name: str) -> object:
        """A value below HKEY_LOCAL_MACHINE, None when it is not there."""
        ...

    def has_key(self, key: str) -> bool:
        """Whether there is such a key below HKEY_LOCAL_MACHINE."""
        ...

    def names(self, key: str) -> list[str] | None:
        """The names of a key's values; None when it is not there or may not be read."""
        ...


class NoRegistry:
    """Of a machine without Windows."""

    def value(self, key: str, name: str) -> object:
        return None

    def has_key(self, key: str) -> bool:
        return False

    def names(self, key: str) -> list[str] | None:
        return None


class WindowsRegistry:
    """That of this machine; the 64-bit view."""

    def value(self, key: str, name: str) -> object:
        if sys.platform == "win32":
            import winreg

            try:
                with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key, 0, winreg.KEY_READ | winreg.KEY_WOW64_64KEY) as at:
                    found: object = winreg.QueryValueEx(at, name)[0]
                    return found
            except OSError:
                return None
        return None

    def has_key(self, key: str) -> bool:
        return self.names(key) is not None

    def names(self, key: str) -> list[str] | None:
        if sys.platform == "win32":
            import winreg

            try:
                with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key, 0, winreg.KEY_READ | winreg.KEY_WOW64_64KEY) as at:
                    return [winreg.EnumValue(at, number)[0] for number in range(winreg.QueryInfoKey(at)[1])]
            except OSError:
                return None
        return None


def this_registry(platform: str) -> Registry:
    """Of this machine."""
    return WindowsRegistry() if platform == "win32" else NoRegistry()
