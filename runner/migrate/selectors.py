"""Platform selectors (`# [win]`, `# [not osx and py<312]`, `sel(unix)`) as markers of PEP 508.

conda itself takes them for comments; conda-build, conda-lock and others read them.
"""

from __future__ import annotations

import re

COMMENT = re.compile(r"#\s*\[(?P<words>[^\]]+)\]")
KEY = re.compile(r"sel\((?P<words>[\w\s]+)\)")
_PYTHON = re.compile(r"py\s*(?P<operator>==|!=|<=|>=|<|>)\s*(?P<major>[23])(?P<minor>\d{1,2})")
_WORDS = {
    "win": "sys_platform == 'win32'",
    "win32": "sys_platform == 'win32'",
    "win64": "sys_platform == 'win32'",
    "linux": "sys_platform == 'linux'",
    "linux32": "sys_platform == 'linux'",
    "linux64": "sys_platform == 'linux'",
    "osx": "sys_platform == 'darwin'",
    "osx64": "sys_platform == 'darwin' and platform_machine == 'x86_64'",
    "arm64": "platform_machine == 'arm64'",
    "aarch64": "platform_machine == 'aarch64'",
    "x86_64": "(platform_machine == 'x86_64' or platform_machine == 'AMD64')",
    "unix": "sys_platform != 'win32'",
}


def marker_of(words: str) -> tuple[str, str]:
    """The marker, and what is to be said about it; no marker where a word is not understood."""
    alternatives = []
    for part in re.split(r"\s+or\s+", words.strip()):
        terms = [_term(word.strip()) for word in re.split(r"\s+and\s+", part)]
        if not all(terms):
            return "", f"the selector [{words}] is not understood: taken for every platform"
        alternatives.append(" and ".join(terms))
    return " or ".join(alternatives), f"only for [{words}]"


def _term(word: str) -> str:
    """One condition, or its opposite; "" when it is not known."""
    if found := _PYTHON.fullmatch(word):
        return f"python_version {found['operator']} '{found['major']}.{found['minor']}'"
    if not word.startswith("not "):
        return _WORDS.get(word, "")
    known = _WORDS.get(word.removeprefix("not ").strip(), "")
    if " and " in known or " or " in known:
        return ""
    return known.replace("==", "\0").replace("!=", "==").replace("\0", "!=")
