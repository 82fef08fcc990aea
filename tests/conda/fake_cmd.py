"""Behaves like cmd.exe for the batch files that activation needs: echo, set, call, exit, a program with arguments.

fake_cmd.py /d /c FILE.bat
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path


def expand(text: str) -> str:
    return re.sub(r"%(\w+)%", lambda found: os.environ.get(found[1].upper(), ""), text)


def run(file: Path) -> None:
    for line in file.read_text(encoding="utf-8").splitlines():
        text = expand(line.lstrip("@").strip())
        word, _, rest = text.partition(" ")
        if word.lower() == "echo":
            print("" if rest == "off" else rest, end="\n" if rest != "off" else "", flush=True)
        elif word.lower() == "set":
            name, _, value = rest.strip('"').partition("=")
            os.environ.pop(name.upper(), None)
            if value:
                os.environ[name.upper()] = value
        elif word.lower() == "call":
            out = os.dup(1)
            if rest.endswith("1>&2"):
                os.dup2(2, 1)
            run(Path(rest.removesuffix("1>&2").strip().strip('"').replace("\\", "/")))
            os.dup2(out, 1)
        elif word.lower() == "exit":
            sys.exit(int(rest or 0))
        elif text:
            done = subprocess.run(shlex.split(text, posix=True), check=False)
            os.environ["ERRORLEVEL"] = str(done.returncode)


if __name__ == "__main__":
    if sys.argv[1:3] != ["/d", "/c"]:
        sys.exit("the activation is to run without AutoRun (/d)")
    run(Path(sys.argv[3].replace("\\", "/")))
