"""The start and the end of a real run: what a dead run left, the status file, the record."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from runner import __version__
from runner.errors import ExitCode, StateError

if TYPE_CHECKING:
    from runner.cli.options import Loaded
    from runner.engine import Session
    from runner.environments import Site
    from runner.ground.files import Syncer
    from runner.plan import Plan, Selection
    from runner.report import Reporter
    from runner.state.records import Run
    from runner.state.status import StatusBook


def adopt(loaded: Loaded, site: Site, reporter: Reporter) -> None:
    """The last run was killed: end what it left running, and say what its receipts saved. We hold the lock."""
    from runner.state.records import RUNNING, UNFINISHED

    last = loaded.last
    if last is None or last.state not in UNFINISHED:
        return
    child = last.child()
    if child is not None and _same_start_of_this_machine(last, site):
        from runner.process.ending import end_tree
        from runner.process.identity import is_alive

        ended = end_tree(child.pid, child.started, child.marker, 5.0)
        # these may have dropped the marker: nothing but number and time of birth tells them
        for pid, started in child.strays:
            ended += end_tree(pid, started, "", 5.0) if is_alive(pid, started) else []
        if ended:
            reporter.warn(f"ended what an earlier run, which was killed, had left running: {', '.join(ended)}")
    if loaded.recovered:
        many = loaded.recovered > 1
        reporter.note(
            f"{loaded.recovered} segment{'s' if many else ''} that an earlier run finished before it broke off "
            f"{'are' if many else 'is'} taken as done (receipts in {last.folder})"
        )
    last.data["state"] = "killed" if last.state == RUNNING else "failed"


def _same_start_of_this_machine(run: Run, site: Site) -> bool:
    from runner.process.identity import boot_id

    return run.data.get("host") == _host() and run.data.get("boot") == boot_id(site.host)


def _host() -> str:
    import socket

    return socket.gethostname()


def open_book(loaded: Loaded, plan: Plan, reporter: Reporter) -> StatusBook:
    """The status file as it is before anything runs; one that cannot be read is kept under another name."""
    from runner.plan import same_entries
    from runner.state.status import StatusBook, part_from_namesake

    path = loaded.status_file
    part_from_namesake(loaded.path)
    if loaded.status.broken:
        saved = _set_aside(path)
        reporter.warn(
            f"{path.name} could not be read ({loaded.status.broken}), so nothing counts as done; it is kept as "
            f"{saved.name}. --accept marks segments as done without running them"
        )
    book = StatusBook(path, plan.keep, loaded.status.extra)
    if loaded.recovered or not same_entries(plan.keep, loaded.status.entries):
        book.save()
    if loaded.last is not None and loaded.recovered:
        loaded.last.save()
    return book


def _set_aside(path: Path) -> Path:
    from runner.ground.files import state_error

    path = Path(os.path.realpath(path))
    for number in range(1, 1000):
        target = path.with_name(f"{path.name}.broken-{number}")
        if not os.path.lexists(target):
            try:
                path.replace(target)
            except OSError as error:
                raise state_error("rename", path, error) from error
            return target
    raise StateError(f"there are too many {path.name}.broken-* files", "Remove the old ones.")


def open_run(
    loaded: Loaded, plan: Plan, selection: Selection, site: Site, syncer: Syncer
) -> tuple[Run, dict[str, float]]:
    """The new run's record, and how long each segment took last time (seconds by name)."""
    from runner.go.duration import from_go
    from runner.ground.files import write_atomic
    from runner.process.identity import boot_id, process_started
    from runner.state.reading import seconds_by_name
    from runner.state.records import RUNNING, new_run, now_text, write_json

    durations = {e.name: s for e in loaded.status.entries if (s := from_go(e.run_duration))}
    durations.update(seconds_by_name(loaded.last.data.get("durations") if loaded.last else None))
    run = new_run(
        loaded.root,
        {
            "state": RUNNING,
            "runner": __version__,
            "pipeline": str(loaded.path),
            "sha256": loaded.pipeline.sha256,
            "started": now_text(),
            "host": _host(),
            "pid": os.getpid(),
            "process_started": process_started(os.getpid()),
            "boot": boot_id(site.host),
            "command": sys.argv,
            "accept": selection.accept,
        },
        syncer,
    )
    steps = [
        {"segment": s.segment.number, "name": s.segment.name, "action": s.action.value, "reason": s.reason}
        for s in plan.steps
    ]
    write_json(run.folder / "plan.json", {"steps": steps}, syncer)
    write_atomic(run.folder / "pipeline.yaml", loaded.pipeline.source, durable=False)
    return run, durations


def close(session: Session, loaded: Loaded, site: Site, code: ExitCode) -> None:
    """Summary, a word when the file was edited meanwhile, old records pruned."""
    from runner.cli.common import environ_value
    from runner.state.records import KEEP_DAYS, KEEP_RUNS, prune

    if _edited(loaded):
        session.reporter.warn(
            f"{loaded.path.name} was edited while it ran; what ran is kept as {session.run.folder / 'pipeline.yaml'}. "
            "Start it again for the changes."
        )
    rows = session.rows if len(session.rows) <= 40 else [r for r in session.rows if r.state != "skipped"][-40:]
    session.reporter.end(rows, int(code), str(session.run.folder), session.advice)
    environ, dotenv = site.host.environ, site.dotenv
    prune(
        loaded.root,
        runs=environ_value(environ, dotenv, "RUN_PIPELINE_KEEP_RUNS", KEEP_RUNS),
        days=environ_value(environ, dotenv, "RUN_PIPELINE_KEEP_DAYS", KEEP_DAYS),
    )


def _edited(loaded: Loaded) -> bool:
    from runner.ground.plain import read_plain

    try:
        return hashlib.sha256(read_plain(loaded.path)).hexdigest() != loaded.pipeline.sha256
    except OSError:
        return False
