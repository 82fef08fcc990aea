"""A pipeline frozen to a record, as `submit` leaves it, and workers as real processes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.cli.common import make_site
from runner.cli.options import request_for
from runner.cluster.freeze import Submitted, freeze_segment, write_submitted
from runner.cluster.jobs import Chunk, Chunking
from runner.cluster.plans import frozen_segment
from runner.cluster.receipts import ended, plain_receipt
from runner.graph import make_graph
from runner.pipeline.reader import read_pipeline
from runner.records.layout import SUBMITTED, Record, new_run
from runner.runs.look import look_at
from runner.site_file import ExecutorSettings
from tests.support.lab import Lab

# a worker that waits less long for what a shared disk may show late
IMPATIENT = "from runner.cluster import element; element._LAG = 1.5\nfrom runner.cli.main import start; start()"
IN_A_JOB = {"SLURM_JOB_ID": "1", "SLURM_CPUS_ON_NODE": "1"}


class Frozen:
    """One run of a lab's pipeline that was submitted, and is carried out by the worker processes that a test starts."""

    def __init__(self, lab: Lab, file: Path, size: int = 2, records: Path | None = None) -> None:
        self.lab = lab
        self._program: tuple[str, ...] = ("-m", "runner")
        site = make_site(str(lab.repo), interactive=False)
        self.look = look = look_at(request_for(read_pipeline(file), site, records=str(records) if records else None))
        self.record: Record = new_run(look.root, {"state": SUBMITTED})
        (self.record.folder / "pipeline.yaml").write_bytes(look.pipeline.source)
        settings = ExecutorSettings("slurm", "slurm")
        write_submitted(self.record.folder, Submitted(settings, str(lab.repo), "python3", str(file)))
        graph = make_graph(look.pipeline.segments)
        for number, task in look.jobs.items():
            job, items = frozen_segment(look, graph, task.segment, look.many.get(number), settings)
            places = [tuple(range(at, min(at + size, len(items)))) for at in range(0, len(items), size)]
            job = replace(job, chunking=Chunking(tuple(Chunk(n, mine) for n, mine in enumerate(places))))
            folder = self.folder(number)
            folder.mkdir()
            freeze_segment(folder, job, items)

    def folder(self, segment: int) -> Path:
        return self.record.segment_folder(segment, self.look.jobs[segment].segment.name)

    def argv(self, segment: int, index: int = 0, generation: int = 0) -> list[str]:
        words = (
            "worker",
            str(self.record.folder),
            str(segment),
            "--index",
            str(index),
            "--generation",
            str(generation),
        )
        return self.lab.argv(*words)

    def impatient(self) -> Frozen:
        """The same, whose workers wait less long for what is not there."""
        found = copy(self)
        found._program = ("-c", IMPATIENT)
        return found

    def probe(self, check: int = 0, **extra: str) -> str:
        """The probe to its end; what it said."""
        return self._run(self.lab.argv("worker", str(self.record.folder), "--probe"), check, extra)

    def work(self, segment: int, index: int = 0, generation: int = 0, check: int = 0, **extra: str) -> str:
        """A worker to its end; what it said."""
        return self._run(self.argv(segment, index, generation), check, extra)

    def _run(self, argv: list[str], check: int, extra: Mapping[str, str]) -> str:
        done = subprocess.run(
            [argv[0], *self._program, *argv[3:]],
            cwd="/",
            env=self.lab.environ(**{**IN_A_JOB, **extra}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
            timeout=120,
        )
        assert "Traceback" not in done.stdout, done.stdout
        assert done.returncode == check, f"exit {done.returncode}\n{done.stdout}"
        return done.stdout

    def start(self, segment: int, index: int = 0, generation: int = 0, **extra: str) -> subprocess.Popen[bytes]:
        return self.started(self.argv(segment, index, generation), **extra)

    def started(self, argv: list[str], **extra: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            argv,
            cwd="/",
            env=self.lab.environ(**{**IN_A_JOB, **extra}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def states(self, segment: int) -> dict[str, str]:
        """How each item ended by now; of a segment without items, itself."""
        tasks = self.look.many.get(segment)
        if tasks is None:
            receipt = plain_receipt(self.folder(segment))
            return {} if receipt is None else {"": receipt.state}
        return {key: state.value for key, state in ended(self.folder(segment), tasks.hash).items()}

    def notes(self, segment: int) -> Mapping[str, dict[str, Any]]:
        found = sorted((self.folder(segment) / "jobs").glob("*.json"))
        return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in found}
