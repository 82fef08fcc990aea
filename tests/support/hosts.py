"""Computers of a share, as namespaces of Linux: each with its name, its processes and its own /tmp."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

# the share stays where it is, in a /tmp that is empty otherwise
_SET_UP = """
set -e
hostname "$1"; share=$2; shift 2
mount --make-rprivate /
mount --bind "$share" /mnt
mount -t tmpfs tmpfs /tmp
mkdir -p "$share"
mount --bind /mnt "$share"
"""


def on_host(name: str, share: Path, argv: Sequence[str], *, first: str = "") -> list[str]:
    """The words that start `argv` on the computer `name`; `first`: lines of a shell before it."""
    if not hasattr(os, "geteuid") or os.geteuid() or _refused():
        pytest.skip("another computer, of which a namespace takes the place, needs root on Linux")
    line = f'{_SET_UP}\ncd "$share"\n{first}\nexec "$@"'
    words = ["unshare", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", line, "sh"]
    return [*words, name, str(share), *argv]


def _refused() -> bool:
    try:
        return subprocess.run(["unshare", "--uts", "--mount", "--pid", "--fork", "true"], check=False).returncode != 0
    except OSError:
        return True
