"""`run-pipeline status FILE` while jobs of it wait or run on a cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runner.cluster.jobs import ClusterError
from runner.cluster.scheduler import Scheduler, scheduler_of
from runner.cluster.session import submitted_run
from runner.cluster.told import look as look_at_jobs
from runner.records.layout import SUBMITTED
from runner.runs.look import Look


def add_jobs(rows: list[dict[str, Any]], look: Look) -> list[dict[str, Any]]:
    """`rows`, those that were submitted as the receipts and the scheduler tell. Raises StateError."""
    record, submitted, pipeline = submitted_run(look.root, look.path.name)
    scheduler: Scheduler | None = None
    why = ""
    try:
        scheduler = scheduler_of(submitted.settings, look.request.site.host)
    except ClusterError as error:  # another host of the share, without the scheduler's programs
        why = f"unknown: {error.message}"
    found = {told.number: told for told in look_at_jobs(record, pipeline.segments, scheduler)}
    out = []
    for row in rows:
        told = found.get(row["segment"])
        if row["done"] or told is None:
            out.append(row)
            continue
        if why and told.is_open:
            told = replace(told, unknown=why)
        out.append({**row, "action": SUBMITTED, "reason": told.sentence, "jobs": told.as_values()})
    return out
