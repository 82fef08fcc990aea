"""Does one piece of work per file: in parallel, with a progress bar, and past a file that fails."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from _program.cores import cores, share
from _program.files import Job, UserError, absolute, part_of, plan

STOPPED = 130
Process = Callable[[Job, argparse.Namespace], str]  # returns what to say about the file


@dataclass
class Result:
    """What became of one file."""

    job: Job
    said: list[tuple[int, str]] = field(default_factory=list)  # (level of logging, line)
    error: str = ""
    left_out: bool = False  # another file's result has its planes too


Results = Generator[Result, None, None]  # as they come


def run(
    args: argparse.Namespace,
    process: Process,
    *,
    ending: str,
    before: Callable[[], object] | None = None,
    finish: Callable[[list[Path]], None] | None = None,
) -> int:
    """Does `process` for each file that matches; gives the exit code.

    `before` is called when there is something to do, and may raise UserError. `finish` gets the results that were
    written.
    """
    jobs: list[Job] = []

    def work() -> int:
        collapse = getattr(args, "collapse_delimiter", None)
        jobs.extend(plan(patterns_of(args), args.output_folder, args.output_suffix, ending, collapse))
        if args.dry_run:
            return _dry_run(jobs, args)
        if before:
            before()
        return _report(args, _with_progress(jobs, args, process), finish)

    code = in_lines(work)
    if code == STOPPED:
        for job in jobs:
            part_of(job.target).unlink(missing_ok=True)
    return code


def patterns_of(args: argparse.Namespace) -> list[str]:
    """What to take: one pattern, or several."""
    given = args.input_search_pattern
    return [given] if isinstance(given, str) else list(given)


def in_lines(work: Callable[[], int]) -> int:
    """The exit code of `work`; an error that the user can mend, and a wish to stop, are told in a line."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a name that the console cannot show
    stop_kindly()
    try:
        return work()
    except (UserError, OSError) as error:
        logging.debug("where it arose:", exc_info=True)
        sys.stdout.flush()
        print(f"error: {reason(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. Files that were finished stay.", file=sys.stderr)
        return STOPPED


def _dry_run(jobs: list[Job], args: argparse.Namespace) -> int:
    """Shows the results that there would be."""
    from _tiff.sets import represented_by

    count = 0
    for job in jobs:
        first = represented_by(job.source, patterns_of(args))
        count += not first
        print(f"{job.source} -> " + (f"in the result of {first.name}" if first else str(job.target)))
    print(f"{_files(count)} would be processed; nothing was written.")
    return 0


def stop_kindly() -> None:
    """A request to end is taken like Ctrl-C, so that workers end and no half-written file stays."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):  # the last is of Windows alone
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is signal.SIG_DFL:  # nohup's wish counts
            signal.signal(number, stop)


def _report(args: argparse.Namespace, results: list[Result], finish: Callable[[list[Path]], None] | None) -> int:
    failed = [result for result in results if result.error]
    done = sorted(result.job.target for result in results if not result.error and not result.left_out)
    if done:
        print(f"{_files(len(done))} done, results in {absolute(args.output_folder)}")
    if finish and done:
        finish(done)
    if failed:
        sys.stdout.flush()
        print(f"error: {_files(len(failed))} of {len(results)} failed:", file=sys.stderr)
        for result in sorted(failed, key=lambda one: one.job.source):
            print(f"  {result.job.source}: {result.error}", file=sys.stderr)
    return 1 if failed else 0


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _with_progress(jobs: list[Job], args: argparse.Namespace, process: Process) -> list[Result]:
    from tqdm import tqdm

    workers = 1 if args.no_parallel else min(args.maxcores or cores(), len(jobs), 60)  # Windows waits for 60 at most
    share(workers)
    level = logging.getLevelName(args.log_level)
    results = []
    bar = tqdm(total=len(jobs), unit="file", file=sys.stderr, dynamic_ncols=True)
    with bar, closing(_results(jobs, args, process, workers)) as arriving:
        for result in arriving:
            for line_level, line in result.said:
                if line_level >= level:
                    tqdm.write(line, file=sys.stderr)
            results.append(result)
            bar.update()
    return results


def _results(jobs: list[Job], args: argparse.Namespace, process: Process, workers: int) -> Results:
    if workers == 1:
        for job in jobs:
            yield _do(process, job, args)
        return
    # One lost worker takes the whole pool with it. So its files are tried once more, and then each alone, which
    # shows whether it was the cause.
    for _ in range(2):
        lost = []
        for result in _in_pool(jobs, args, process, workers):
            if result.error == _LOST:
                lost.append(result.job)
            else:
                yield result
        jobs = lost
    for job in jobs:
        yield from _in_pool([job], args, process, 1)


_LOST = (
    "its process was ended from outside, often because memory ran out. "
    "Try a smaller --maxcores, or close other programs."
)


def _in_pool(jobs: list[Job], args: argparse.Namespace, process: Process, workers: int) -> Results:
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import active_children, get_context

    # spawn everywhere: what works on Windows is what runs on Linux
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker)
    running = {}
    try:
        for job in jobs:
            try:
                running[pool.submit(_do, process, job, args)] = job
            except BrokenProcessPool:
                yield Result(job, error=_LOST)
        for future in as_completed(running):
            broken = isinstance(future.exception(), BrokenProcessPool)
            yield Result(running[future], error=_LOST) if broken else future.result()
    except BaseException:  # Ctrl-C, here or in the code that takes the results
        for worker in active_children():
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Ctrl-C reaches the parent, which stops; a worker ends when its parent is gone, however that came about."""
    from multiprocessing import parent_process

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent, "only ever called in a worker"

    def end_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


class _Collect(logging.Handler):
    """Keeps what is logged, so that lines of parallel files do not mix."""

    def __init__(self, said: list[tuple[int, str]], name: str) -> None:
        super().__init__()
        self.said, self.name_of_file = said, name

    def emit(self, record: logging.LogRecord) -> None:
        word = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        line = (record.levelno, f"{word}{self.name_of_file}: {record.getMessage()}")
        if line not in self.said[-20:]:  # the same of each time point
            self.said.append(line)


def _do(process: Process, job: Job, args: argparse.Namespace) -> Result:
    result = Result(job)
    handler = _Collect(result.said, job.source.name)
    logger = logging.getLogger()
    logger.setLevel(args.log_level)
    logger.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _pass_on
            message = _elsewhere(result, args) or process(job, args)
        result.said.append((logging.INFO, f"{job.source.name}: {message}"))
    except Exception as error:
        result.error = reason(error)
        result.said.append((logging.ERROR, f"error: {job.source.name}: {result.error}"))
        result.said.append((logging.DEBUG, traceback.format_exc()))
    finally:
        logger.removeHandler(handler)
    return result


def _elsewhere(result: Result, args: argparse.Namespace) -> str:
    """Of an image that lies in several files, the first stands for all; gives what to say about another one."""
    from _tiff.sets import represented_by

    first = represented_by(result.job.source, patterns_of(args))
    result.left_out = bool(first)
    return f"its planes belong to the image that starts in {first.name}, and are in its result" if first else ""


def _pass_on(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A library's warning in its own words; where in the code it arose is for those who ask."""
    logging.warning("%s", message)
    logging.debug("this %s arose in %s, line %d", category.__name__, filename, lineno)


def reason(error: Exception) -> str:
    """An error in words for the user."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MemoryError):
        return "there is not enough memory for this image. Try a smaller --maxcores, or --no-parallel."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
