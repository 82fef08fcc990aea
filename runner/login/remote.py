"""A command of the runner on a cluster: what the pipeline needs goes up, it runs there, what it made comes back."""

from __future__ import annotations

import glob
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runner.environments import Site
from runner.errors import Busy, EnvironmentMissing, RunnerError
from runner.ground.words import size_text
from runner.login.download import Download, There, listed
from runner.login.last_known import last_known, make_own, own_folder
from runner.login.line import NotLoggedIn, Remote, connect
from runner.login.places import Places, find_folder, make_folder
from runner.login.sent import Known
from runner.login.settled import Settled
from runner.login.store import Store, this_computer
from runner.login.upload import upload
from runner.login.wanted import coming_back, going_up
from runner.model import Pipeline
from runner.pipeline.reader import read_pipeline
from runner.records.layout import FOLDER
from runner.site_file import ClusterSettings
from runner.state.locks import LockFile
from runner.state.status import status_path

_LONG = 50_000_000  # bytes whose way is told beforehand
_NOT_HALF = ("submit", "cancel")  # go on there where the line breaks; what only follows jobs is ended
_EVERY = 10.0  # seconds between two looks for what came meanwhile


def run_there(
    cluster: ClusterSettings,
    command: Sequence[str],
    pipeline: Path,
    options: Sequence[str],
    site: Site,
    *,
    say: Callable[[str], None],
    output: Callable[[int, bytes], None] | None = None,
    up: bool = False,
    outputs: bool = True,
) -> int:
    """`run-pipeline COMMAND FILE OPTIONS` on the cluster, with its output here; the exit code is the command's.

    `pipeline` is the file here, absolute; `up` sends first what it needs. Receipts and logs come back while it runs
    and at its end, with `outputs` the declared outputs too. `say` gets lines for a person.
    Raises NotLoggedIn, Lost (jobs there go on), Refusal, UsageError.
    """
    try:
        connection = connect(cluster, site.host)
    except NotLoggedIn:
        if command[0] == "status":
            for line in last_known(pipeline, cluster.name):
                say(line)
        raise
    with connection as remote:
        work = Work(remote, read_pipeline(pipeline), site, say, writes=up)
        if up:
            work.send()
        return work.run(command, options, output or _show, outputs=outputs)


class Work:
    """One pipeline on one cluster, over an open login."""

    def __init__(
        self, remote: Remote, pipeline: Pipeline, site: Site, say: Callable[[str], None], *, writes: bool
    ) -> None:
        self.remote, self.pipeline, self.site, self.say = remote, pipeline, site, say
        self.base = make_folder(remote) if writes else find_folder(remote)
        self.places = Places(site.repo, pipeline.folder, this_computer(), self.base)
        self._outputs, self._remarks = coming_back(pipeline, site, self.places)
        self._own = own_folder(Path(pipeline.path), remote.cluster.name)
        self._told: set[str] = set()
        self._looked = False

    def send(self) -> None:
        """Everything that is needed there and is not there yet."""
        files, remarks = going_up(self.pipeline, self.site, self.places)
        for remark in (*remarks, *self._remarks):
            self.say(f"note: {remark}")
        name = self.remote.cluster.name
        known = Known(Store(self.site.host, name).sent(self.base))

        def tell(count: int, size: int) -> None:
            if size > _LONG:
                self.say(f"{name}: {count:,} files go up ({size_text(size)})")

        sent = upload(self.remote, self.base, files, known, tell)
        if sent.files:
            self.say(f"{name}: {sent.files:,} files went up ({size_text(sent.bytes)}), {sent.there:,} were there")
        for one in sent.kept:
            self.say(f"note: it was different on {name}; what was there is now {self.base}/{one}")

    def run(
        self, command: Sequence[str], options: Sequence[str], output: Callable[[int, bytes], None], *, outputs: bool
    ) -> int:
        """The command there. What it makes comes back meanwhile, and once more at its end."""
        file = self.places.absolute(self.pipeline.path)
        argv = [*self.remote.cluster.program, *command, file, *options]
        environ = {"RUN_PIPELINE_REPO": self.base, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
        if sys.stdout.isatty():
            environ["FORCE_COLOR"] = "1"
        ended = threading.Event()
        follower = threading.Thread(target=self._follow, args=(ended, outputs), daemon=True)
        follower.start()
        last = _Last(output)
        try:
            code = self.remote.run(argv, cwd=self.base, env=environ, output=last, keep=command[0] in _NOT_HALF)
        finally:
            ended.set()
        if code and "No module named runner" in last.text:
            raise EnvironmentMissing(
                f"{self.remote.cluster.name}: there is no runner in {self.base}",
                f"Put the lab's checkout there (git clone, or copy it), or write how it is started as `program` in"
                f" [clusters.{self.remote.cluster.name}] of the site file.",
            )
        follower.join()
        self.bring(outputs=outputs)
        return code

    def _follow(self, ended: threading.Event, outputs: bool) -> None:
        while not ended.wait(_EVERY):
            try:
                self.bring(outputs=outputs)
            except RunnerError:
                return  # the command itself will meet it, and say so

    def bring(self, *, outputs: bool = True) -> None:
        """Receipts and logs that are new there, and declared outputs that are whole.

        Raises Lost, Refusal, StateError.
        """
        made = {number: self._made(globs) for number, globs in self._outputs.items()} if outputs else {}
        records = self._records()  # afterwards: what they do not know of was not there yet
        if not records and not self._own.exists():
            return
        make_own(self._own)
        try:
            with LockFile(self._own / "brought.lock", f"results of {self.remote.cluster.name}").acquire(wait=0):
                self._bring(records, made)
        except Busy:
            return  # another command of this computer does so at this moment

    def _bring(self, records: Sequence[There], made: Mapping[int, Sequence[There]]) -> None:
        known = Known(self._own / "brought.json")
        told = self._there(FOLDER, self.pipeline.path.name) + "/"

        def here(path: str) -> Path | None:
            return self._own / (path[len(told) :] if path.startswith(told) else path.rpartition("/")[2])

        Download(self.remote, self.base, (self._own,), here, known, theirs=True).bring(records)
        settled = Settled(self._own)
        whole = {
            one.path: one
            for number, files in made.items()
            for one in files
            if settled.is_whole(number, f"{self.base}/{one.path}", one.size)
        }
        roots = (Path(self.site.repo), Path(self.pipeline.folder))
        brought = Download(self.remote, self.base, roots, self.places.here, known).bring(list(whole.values()))
        if brought.files:
            name = self.remote.cluster.name
            self.say(f"{name}: {brought.files:,} files came back ({size_text(brought.bytes)})")
        for one in (*brought.kept, *(f"{one}; it stays on the cluster" for one in brought.refused)):
            self._note(one)

    def _made(self, globs: Sequence[str]) -> list[There]:
        return listed(self.remote, self.base, globs, lambda folder: self._note(f"{folder} may not be read there"))

    def _note(self, text: str) -> None:
        """Once."""
        if text not in self._told:
            self._told.add(text)
            self.say(f"note: {text}")

    def _there(self, *parts: str) -> str:
        """Below the pipeline's folder there."""
        return "/".join(part for part in (self.places.there(self.pipeline.folder), *parts) if part)

    def _records(self) -> list[There]:
        """All runs the first time, then the newest alone: a shared disk is slow with names."""
        status = glob.escape(self._there(status_path(Path(self.pipeline.path)).name))
        records = glob.escape(self._there(FOLDER, self.pipeline.path.name))
        if not self._looked:
            self._looked = True
            return listed(self.remote, self.base, [f"{records}/**", status])
        runs = listed(self.remote, self.base, [f"{records}/0*/run.json"])
        newest = max((one.path.split("/")[-2] for one in runs), default="0")
        return listed(self.remote, self.base, [f"{records}/{newest}/**", f"{records}/*.jsonl", status])


class _Last:
    """Passes output on, and keeps its end."""

    def __init__(self, output: Callable[[int, bytes], None]) -> None:
        self._output = output
        self.text = ""

    def __call__(self, which: int, data: bytes) -> None:
        self._output(which, data)
        self.text = (self.text + data.decode("utf-8", "replace"))[-2000:]


def _show(which: int, data: bytes) -> None:
    stream = sys.stdout if which == 1 else sys.stderr
    stream.flush()
    stream.buffer.write(data)
    stream.buffer.flush()
