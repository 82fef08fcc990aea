"""Notes beside the environments that segments run from, for other computers of the share: see environments/users.py."""

from __future__ import annotations

import threading
from pathlib import PurePath

from runner.environments import Site, kind
from runner.environments.users import note_use
from runner.state.locks import Lock
from runner.tasks import Task


class Uses:
    """One note for each environment, from the start of its first segment that runs to the end of its last.

    No longer: another run that is to change an environment waits for us, and we may wait for it elsewhere.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._notes: dict[PurePath, Lock | None] = {}
        self._segments: dict[int, PurePath] = {}  # those that run, and from which environment

    def begin(self, job: Task) -> None:
        """Something of this segment starts. Raises Busy where its environment is being changed right now."""
        with self._lock:
            if job.segment.number in self._segments:
                return
            folder = kind(job.spec).folder(job.spec, job.entries, self._site)
            if folder is None:
                return
            if folder not in self._notes:
                self._notes[folder] = note_use(folder)
            self._segments[job.segment.number] = folder

    def end(self, number: int) -> None:
        with self._lock:
            folder = self._segments.pop(number, None)
            if folder is not None and folder not in self._segments.values() and (note := self._notes.pop(folder)):
                note.release()

    def close(self) -> None:
        for number in list(self._segments):
            self.end(number)
