"""Computers of a share, as namespaces of Linux: each with its name, its processes and its own /tmp."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
# the share, and this checkout wherever it lies, stay where they are, in a /tmp that is empty otherwise
_SET_UP = """
set -e
hostname "$1"; share=$2; repo=$3; shift 3
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir /mnt/share /mnt/repo
mount --bind "$share" /mnt/share
mount --bind "$repo" /mnt/repo
mount -t tmpfs tmpfs /tmp
mkdir -p "$repo" "$share"
mount --bind /mnt/repo "$repo"
mount --bind /mnt/share "$share"
"""


def on_host(name: str, share: Path, argv: Sequence[str], *, first: str = "") -> list[str]:
    """The words that start `argv` on the computer `name`; `first`: lines of a shell before it."""
    if not hasattr(os, "geteuid") or os.geteuid() or _refused():
        pytest.skip("another computer, of which a namespace takes the place, needs root on Linux")
    line = f'{_SET_UP}\ncd "$share"\n{first}\nexec "$@"'
    words = ["unshare", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", line, "sh"]
    return [*words, name, str(share), str(REPO), *argv]


def _refused() -> bool:
    try:
        return subprocess.run(["unshare", "--uts", "--mount", "--pid", "--fork", "true"], check=False).returncode != 0
    except OSError:
        return True
