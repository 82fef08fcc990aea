"""What is asked of a run, whoever asks: the command line, compare, a cluster's job, a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from pathlib import Path

from runner.environments import Site
from runner.frozen import frozen
from runner.model import Pipeline
from runner.plan import Selection
from runner.process.stop import StopRequest
from runner.records.journal import Journal
from runner.records.layout import records_root
from runner.tasks import Task

WaitForEnter = Callable[[], bool]


@frozen
class RunRequest:
    """A pipeline and what of it is to run."""

    pipeline: Pipeline
    site: Site
    journal: Journal
    stop: StopRequest
    selection: Selection = field(default_factory=Selection)
    records: Path | None = None  # the folder of its runs, where it is not beside the file
    status_file: Path | None = None  # where it is not beside the file
    wait_for_enter: WaitForEnter | None = None  # None: nobody is there to answer
    prepare_ahead: bool = True
    jobs: int | None = None  # how much runs at once; None: as much as the machine has room for
    canary: bool = False  # one item through all segments first
    rest: bool = True  # what follows the canary, too
    executor: str = ""  # the name of a cluster's, where it runs there: what this machine has does not count
    change: Callable[[Task], Task] | None = None  # compare puts outputs elsewhere

    @property
    def path(self) -> Path:
        return Path(self.pipeline.path)

    @property
    def root(self) -> Path:
        """Of its run records."""
        return self.records or records_root(self.path, None)

    def again(self, *words: str) -> str:
        """What somebody types to run it once more in the same place."""
        from runner.environments.quoting import quote_cmd, quote_posix

        typed = [str(self.path), *words]
        if self.executor:
            typed += ["--executor", self.executor]
        if self.root != records_root(self.path, None):
            typed += ["--records", str(self.root.parent)]
        return " ".join(["run-pipeline", *map(quote_cmd if self.site.host.windows else quote_posix, typed)])
