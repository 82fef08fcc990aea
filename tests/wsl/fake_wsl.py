"""Behaves like wsl.exe with one distribution, Ubuntu, whose processes run on this machine.

    fake_wsl.py ROOT [arguments of wsl.exe]

ROOT/home is the Linux home folder, ROOT/c is drive C: (/mnt/c), ROOT/bin holds programs of the distribution.
The share in ROOT/mounts (as /proc/mounts has it) is mounted. What wsl.exe says itself is UTF-16 unless WSL_UTF8 is set.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path


def say(text: str) -> None:
    sys.stdout.buffer.write(text.encode("utf-8" if os.environ.get("WSL_UTF8") == "1" else "utf-16-le"))


def main(root: Path, words: list[str]) -> int:
    folder = "/"
    while words:
        option = words.pop(0)
        if option == "--distribution":
            name = words.pop(0)
            if name != "Ubuntu":
                say("There is no distribution with the supplied name.\r\n")
                return 255
        elif option == "--cd":
            folder = words.pop(0)
        elif option == "--list":
            say("Ubuntu\r\ndocker-desktop\r\n")
            return 0
        elif option == "--exec":
            break
        else:
            say(f"Invalid command line option: {option}\r\n")
            return 255
    run(root, folder, words)
    return 0


def run(root: Path, folder: str, words: list[str]) -> None:
    if words == ["cat", "/proc/mounts"]:
        words = ["cat", str(root / "mounts")]
    if os.name == "nt":  # there is no program of Linux: only what the runner asks of every distribution is answered
        uv = next((str(path) for path in (root / "bin").glob("uv*")), "")
        print("run-pipeline", root / "home", "/usr/bin:/bin", uv, sep="\n")
        return
    drive = re.compile(r"(^|=)/mnt/c(?=/|$)")
    words = [drive.sub(lambda found: f"{found[1]}{root / 'c'}", word) for word in words]
    os.chdir(drive.sub(str(root / "c"), folder))
    # nothing of the Windows side is handed on, as without WSLENV
    environ = {"HOME": str(root / "home"), "PATH": f"{root / 'bin'}:/usr/bin:/bin", "LANG": "C.UTF-8"}
    os.execvpe(words[0], words, environ)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
