"""Who works in a virtual environment: changed or removed under a running program, it fails at its next import.

Programs of this machine are seen by themselves. Of other computers of the share a note tells, beside the environment: a
file of the kind that a lock is, with the same heartbeat, so that a dead one counts no longer. A note of jobs that wait
in a queue beats not: it holds for as long as the record of their run says that it goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from runner.errors import Busy, StateError
from runner.ground.disk import entries, on_disk
from runner.ground.files import write_atomic
from runner.ground.told import read_json, text
from runner.state.holder import Holder, is_this_process, read_holder, this_process
from runner.state.locks import Lock, LockFile, look_anew

if TYPE_CHECKING:
    import psutil

NOTES = ".in-use"  # no group's name begins with a dot
_JOBS = "jobs"  # the key of a note that tells of jobs in a queue: the record of their run
_GOES_ON = ("running", "submitted")  # states of a record


def users_of(folder: Path, own: Path | None = None) -> list[str]:
    """Who runs from the environment, here and elsewhere; what dead ones left is removed. Raises StateError.

    `own`: the record of a run whose jobs do not count.
    """
    look_anew(folder.parent / NOTES / folder.name)
    return programs_in(folder) + [told for note in _notes(folder) if (told := _living(note, own))]


def noted_in(folder: Path) -> list[str]:
    """Who runs from the environment on other computers, and which jobs need it; only looks. Raises StateError."""
    return [told for note in _notes(folder) if (told := _living(note, None, tidy=False))]


def programs_in(folder: Path) -> list[str]:
    """The processes of this machine that run from an environment, as `name (process 4711)`."""
    import psutil

    found = []
    for process in psutil.process_iter(["name", "exe", "cmdline"]):
        if process.pid != os.getpid() and _runs_from(process, folder):
            found.append(f"{process.info['name']} (process {process.pid})")
    return found


def in_use(what: str, users: Sequence[str]) -> Busy:
    """That `what` cannot be changed while these run from it."""
    return Busy(f"{what} is in use by {', '.join(users[:3])}", "Wait until that has ended, or end it first.")


def note_use(folder: PurePath | None) -> Lock | None:
    """Tell other computers that something of this one runs from an environment of ours, until the note is released.

    None where it is none of ours, or where nobody may write. Raises Busy where somebody changes it right now.
    """
    if (ours := _ours(folder)) is None:
        return None
    try:
        note = LockFile(_notes_folder(ours) / f"{ours.name}.{os.urandom(8).hex()}", "").acquire(0)
    except (OSError, StateError):
        return None
    # whoever changes it takes the lock and looks for notes then; so one of the two sees the other
    lock = ours.with_name(f"{ours.name}.lock")
    look_anew(lock)
    with contextlib.suppress(StateError):
        if not LockFile(lock, "").is_free():
            note.release()
            raise Busy(f"the environment {ours.name} is being changed", "Try again once that has ended.")
    return note


def note_jobs(folder: PurePath | None, record: Path) -> None:
    """Tell that jobs of the run with this record will run from an environment, until that has ended."""
    if (ours := _ours(folder)) is None:
        return
    with contextlib.suppress(OSError, StateError):
        path = _notes_folder(ours) / _name_of_jobs(ours, record)
        told = {**asdict(this_process(record.parent.name)), _JOBS: str(record)}
        write_atomic(path, json.dumps(told).encode(), durable=False)


def forget_jobs(folder: PurePath | None, record: Path) -> None:
    if (ours := _ours(folder)) is not None:
        with contextlib.suppress(OSError):
            (ours.parent / NOTES / _name_of_jobs(ours, record)).unlink(missing_ok=True)


def _ours(folder: PurePath | None) -> Path | None:
    """Where it is, if a stamp beside it says that the runner made it."""
    if folder is None or not folder.name:
        return None
    here = on_disk(folder)
    return here if here.with_name(f"{here.name}.json").exists() else None


def _name_of_jobs(folder: Path, record: Path) -> str:
    return f"{folder.name}.{hashlib.sha256(os.fsencode(record)).hexdigest()[:16]}"


def _notes_folder(environment: Path) -> Path:
    """Raises OSError. Who may make environments there may write notes there."""
    folder = environment.parent / NOTES
    if not folder.is_dir():
        folder.mkdir(exist_ok=True)
        with contextlib.suppress(OSError):
            folder.chmod(environment.parent.stat().st_mode & 0o7777)
    return folder


def _notes(folder: Path) -> Iterator[Path]:
    form = re.compile(re.escape(folder.name) + r"\.[0-9a-f]{16}")
    yield from (on_disk(path) for path in entries(folder.parent / NOTES) if form.fullmatch(path.name))


def _living(path: Path, own: Path | None, *, tidy: bool = True) -> str:
    """Of whom the note tells, "" where that is nobody any more, or this process. `tidy`: then the note is removed."""
    told = read_json(path) or {}
    holder = read_holder(json.dumps(told).encode())
    if record := text(told.get(_JOBS)):
        if own is not None and Path(record) == own:
            return ""
        return _jobs(path, Path(record), holder, tidy=tidy)
    note = LockFile(path, "")
    if note.is_free() if tidy else note.held() is None:
        return ""
    if holder is None:
        return f"somebody who wrote {path}"
    if is_this_process(holder):
        return ""
    return f"{holder.who} (process {holder.pid}, since {holder.when})"


def _jobs(note: Path, record: Path, holder: Holder | None, *, tidy: bool) -> str:
    state = (read_json(record / "run.json") or {}).get("state")
    is_gone = not state and record.parent.is_dir() and not record.exists()
    if is_gone or (state and state not in _GOES_ON):
        if tidy:
            with contextlib.suppress(OSError):
                note.unlink()
        return ""
    by = f" of {holder.who}, submitted {holder.when}" if holder else ""
    unsure = "" if state else f"; if {record} is gone for good, delete {note}"
    return f"jobs{by} ({record.parent.name}{unsure})"


def _runs_from(process: psutil.Process, folder: Path) -> bool:
    import psutil

    start = os.path.normcase(str(folder) + os.sep)
    words = [process.info["exe"] or "", *(process.info["cmdline"] or [])[:1]]
    if any(os.path.normcase(word).startswith(start) for word in words):
        return True
    if "python" not in Path(words[0] or process.info["name"] or "").name.lower():
        return False  # an editor, say, that was started where the environment was active
    try:
        own = process.environ().get("VIRTUAL_ENV", "")
    except (psutil.Error, OSError):
        return False  # another user's: its program tells, or nothing does
    return bool(own) and os.path.normcase(own) == os.path.normcase(str(folder))
