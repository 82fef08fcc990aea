"""A stand-in for OpenPBS 23.06, which no package index has: see stand_in.py for what it does, and how it answers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from runner.host import Host, this_host
from tests.support.programs import stand_in

PROGRAMS = ("qsub", "qstat", "qdel", "qselect")


@dataclass
class Pbs:
    """Its programs, and where it keeps what it knows."""

    folder: Path

    def host(self, **environ: str) -> Host:
        """This machine, as one from which jobs are submitted."""
        path = os.pathsep.join((str(self.folder / "bin"), "/usr/bin", "/bin"))
        given = {"PATH": path, "HOME": str(self.folder), "PBS_CONF_FILE": str(self.folder / "pbs.conf"), **environ}
        return replace(this_host(interactive=False), environ=given, which=lambda name: shutil.which(name, path=path))

    def settings(self, **more: object) -> None:
        """down, history, version, most: what tests want otherwise."""
        path = self.folder / "pbs.conf"
        path.write_text(json.dumps({**json.loads(path.read_text()), **more}))

    def kill(self, index: int) -> None:
        """The worker of an element of the newest array, as the kernel kills it."""
        newest = max((self.folder / "jobs").glob("*/e1.json"), key=lambda path: int(path.parent.name)).parent
        os.killpg(json.loads((newest / f"e{index}.json").read_text())["pid"], signal.SIGKILL)


@contextmanager
def running_pbs(folder: Path) -> Iterator[Pbs]:
    if sys.platform == "win32":
        pytest.skip("PBS runs on Linux only")
    (folder / "jobs").mkdir(parents=True)
    for name in PROGRAMS:
        stand_in(folder / "bin" / name, Path(__file__).with_name("stand_in.py"), name)
    (folder / "pbs.conf").write_text("{}")
    try:
        yield Pbs(folder)
    finally:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.environ().get("PBS_CONF_FILE") == str(folder / "pbs.conf"):
                    found.append(process)
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, 10)
