"""What users of clusters report of tools of this kind, tried with workers as real processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from types import SimpleNamespace
from typing import Any

import pytest

from runner.executors.task import Around
from runner.ground.files import Syncer
from runner.process.stop import StopRequest
from runner.process.tag import RunMark
from runner.records.journal import Journal
from tests.support.frozen import IN_A_JOB, Frozen
from tests.support.lab import Lab
from tests.support.plate import Plate

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs of a Unix shell")

# kills for memory are counted in a file, as the kernel counts them
COUNTED = """\
from runner.process import memory_limits
memory_limits.KILLS.count = lambda: int(open("kills").read() or 0)
from runner.cli.main import start
start()
"""
HUNGRY = """\
import os, signal, sys
if os.path.exists("hungry-" + os.path.basename(sys.argv[1])):
    open("kills", "w").write("1")
    os.kill(os.getpid(), signal.SIGKILL)
open(sys.argv[-1], "w").write("x")
"""


@pytest.fixture
def plate(lab: Lab) -> Plate:
    return Plate(lab)


def receipts(run: Frozen, number: int = 0) -> Path:
    (path,) = run.folder(1).glob(f"receipts-*-{number}.jsonl")
    return path


def test_a_line_that_was_torn_is_no_receipt_and_those_around_it_are(plate: Plate) -> None:
    run = plate.freeze(plate.each("mask"), size=3)
    run.work(1)
    path = receipts(run)
    first, second, third = path.read_bytes().strip().splitlines()
    path.write_bytes(b"\n" + first + b"\n" + second[: len(second) // 2] + b"\n" + third + b"\n" + b"\0" * 500)
    assert sorted(run.states(1)) == ["0.tif", "2.tif"]
    run.work(1, generation=1)
    assert plate.calls() == ["0.tif", "1.tif", "2.tif", "1.tif"]
    assert len(run.states(1)) == 3


def test_receipts_of_a_segment_that_was_changed_do_not_count(plate: Plate) -> None:
    run = plate.freeze(plate.each("mask"), size=3)
    run.work(1)
    receipts(run).rename(run.folder(1) / "receipts-0123456789abcdef-0.jsonl")
    run.work(1, generation=1)
    assert len(plate.calls()) == 6


def test_files_that_come_late_to_a_node_are_waited_for(plate: Plate) -> None:
    run = plate.freeze(plate.each("mask"), size=3)
    paths = [run.folder(1) / "job.json", run.folder(1) / "items.jsonl", run.record.folder / "cluster.json"]
    whole = [path.read_bytes() for path in paths]
    paths[0].unlink()
    paths[1].write_bytes(whole[1][:50])
    paths[2].unlink()
    worker = run.start(1)
    time.sleep(1.5)
    assert worker.poll() is None
    for path, data in zip(paths, whole, strict=True):
        path.write_bytes(data)
    said, _ = worker.communicate(timeout=60)
    assert worker.returncode == 0, said
    assert len(run.states(1)) == 3


def test_an_item_that_a_node_sees_late_is_waited_for(plate: Plate) -> None:
    run = plate.freeze(plate.each("mask"), size=3)
    (plate.data / "in" / "1.tif").rename(plate.data / "1.tif")
    worker = run.start(1)
    time.sleep(2.5)
    assert plate.calls() == []
    (plate.data / "1.tif").rename(plate.data / "in" / "1.tif")
    said, _ = worker.communicate(timeout=60)
    assert worker.returncode == 0, said
    assert sorted(run.states(1).values()) == ["succeeded"] * 3


@pytest.mark.parametrize(
    "environ",
    [
        {"PATH": "/usr/bin:/bin"},
        {"PATH": "/usr/bin:/bin", "HOME": "/home/nobody/here", "USER": "", "TMPDIR": "/scratch/of/another/node"},
        {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "LANG": "de_DE.ISO-8859-1"},
    ],
    ids=["nearly none", "no home folder, no temporary folder", "a locale that the node lacks"],
)
def test_a_worker_needs_next_to_no_variables(plate: Plate, environ: dict[str, str]) -> None:
    run = plate.freeze(plate.each("mask"), size=3)
    done = subprocess.run(
        run.argv(1), cwd="/", env={**environ, "PYTHONPATH": str(Path.cwd())}, capture_output=True, check=False
    )
    assert done.returncode == 0, done
    assert sorted(run.states(1).values()) == ["succeeded"] * 3


def test_names_with_line_ends_quotes_and_two_kinds_of_umlauts_are_three_items(plate: Plate) -> None:
    names = ["a\nb.tif", "q\"'$(x) .tif", "u\u0308.tif", "\u00fc.tif"]
    for name in names:
        (plate.data / "in" / name).write_text("x")
    run = plate.freeze(plate.each("mask"), size=9)
    run.work(1, LC_ALL="C")
    assert set(run.states(1)) == {*names, *(f"{number}.tif" for number in range(5))}
    assert set(run.states(1).values()) == {"succeeded"}


def test_a_path_of_300_characters_is_no_trouble(tmp_path: Path) -> None:
    root = tmp_path / ("a" * 100) / ("b" * 100) / ("c ü" * 33)
    root.mkdir(parents=True)
    plate = Plate(Lab(root).make())
    run = plate.freeze(plate.each("mask"))
    assert len(str(run.folder(1))) > 300
    run.work(1)
    run.probe()
    assert len(run.states(1)) == 2


def test_a_record_that_a_node_may_not_write_to_is_told_and_nothing_runs(plate: Plate) -> None:
    run = plate.freeze(plate.each("mask"))
    jobs = run.folder(1) / "jobs"
    jobs.write_text("a file where a folder belongs")
    said = run.work(1, check=4)
    assert f"cannot write {jobs}" in said
    assert plate.calls() == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=300", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_quota_that_is_used_up_ends_the_worker_and_the_next_one_goes_on(plate: Plate, small_disk: Path) -> None:
    full = small_disk / "full"
    plate.program.write_text(
        "import os, subprocess, sys\n"
        f"if '2.tif' in sys.argv[1] and not os.path.exists({str(full)!r}):\n"
        f"    subprocess.run(['sh', '-c', 'head -c 10M /dev/zero > \"$0\" 2>/dev/null', {str(full)!r}])\n"
        "open(sys.argv[2], 'w').write('x')\n"
        "print('p' * 5000)\n"
    )
    file = plate.lab.pipeline([plate.each("mask")])
    run = Frozen(plate.lab, file, 5, records=small_disk)
    assert "is full" in run.work(1, check=4)
    assert len(run.states(1)) < 5
    full.write_bytes(b"")
    run.work(1, generation=1)
    assert sorted(run.states(1).values()) == ["succeeded"] * 5


def test_a_share_that_is_away_for_a_moment_costs_no_receipt(tmp_path: Path) -> None:
    """A stand-in for a share: the folder has another name for a while, and what was open in it is no more."""
    from runner.cluster.chunk import ChunkFiles
    from runner.cluster.receipts import ended
    from runner.records.lines import ItemReceipt, ItemState

    folder, away = tmp_path / "01-mask", tmp_path / "away"
    stop, said = StopRequest(), list[str]()
    reporter: Any = SimpleNamespace(on=lambda event: said.append(event.data["text"]))
    around = Around(None, Journal(reporter), stop, Syncer(), RunMark("", 0), 1)  # type: ignore[arg-type]
    files = ChunkFiles(folder, 0, "a" * 64, around)
    files.put(ItemReceipt("1", ItemState.SUCCEEDED))
    folder.rename(away)
    os.close(files._lines)
    back = Timer(2.0, away.rename, [folder])
    back.start()
    files.put(ItemReceipt("2", ItemState.SUCCEEDED))
    back.join()
    files.close()
    assert set(ended(folder, "a" * 64)) == {"1", "2"}
    assert "trying again" in said[0]


def test_an_item_that_was_killed_for_memory_is_left_for_a_job_with_more(plate: Plate) -> None:
    plate.program.write_text(HUNGRY)
    (plate.data / "kills").write_text("0")
    (plate.data / "hungry-0.tif").touch()
    keys = {"retries": 1, "retry-delay": "0.1s", "retry-memory": "x2", "resources": {"memory": "10 MB"}}
    run = plate.freeze(plate.each("mask", **keys), size=3)
    words = run.argv(1)

    def work(*options: str) -> int:
        (plate.data / "kills").write_text("0")
        argv = [words[0], "-c", COUNTED, *words[3:-1], *options]
        environ = plate.lab.environ(**IN_A_JOB, PYTHONPATH=str(Path.cwd()))
        return subprocess.run(argv, cwd=plate.data, env=environ, capture_output=True, check=False).returncode

    assert work("0") == 77
    assert run.states(1) == {"1.tif": "succeeded", "2.tif": "succeeded"}
    assert run.notes(1)["0.json"]["memory"] == 1
    assert work("1") == 0
    assert run.states(1)["0.tif"] == "failed", "there is a limit to tries"


def test_the_signals_that_a_preemption_sends_leave_a_whole_record(plate: Plate) -> None:
    """CONT and TERM, and TERM once more a moment later."""
    import signal

    (plate.data / "hold").touch()
    run = plate.freeze(plate.each("mask"))
    worker = run.start(1)
    plate.wait_for_calls(1)
    for number in (signal.SIGCONT, signal.SIGTERM, signal.SIGCONT, signal.SIGTERM):
        worker.send_signal(number)
        time.sleep(0.05)
    worker.communicate(timeout=60)
    assert worker.returncode == 143
    assert run.notes(1)["0.json"]["code"] == 143
    (plate.data / "hold").unlink()
    run.work(1)
    assert sorted(run.states(1).values()) == ["succeeded"] * 2


def test_few_open_files_are_enough(plate: Plate) -> None:
    import resource

    run = plate.freeze(plate.each("mask"), size=5)
    done = subprocess.run(
        run.argv(1),
        cwd="/",
        env=plate.lab.environ(**{**IN_A_JOB, "SLURM_CPUS_ON_NODE": "2"}),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done
    assert len(run.states(1)) == 5


def test_what_workers_write_has_the_rights_that_the_umask_gives(plate: Plate) -> None:
    run = plate.freeze(plate.each("mask"))
    done = subprocess.run(
        run.argv(1), cwd="/", env=plate.lab.environ(**IN_A_JOB), umask=0o002, capture_output=True, check=False
    )
    assert done.returncode == 0
    files = [path for path in run.folder(1).rglob("*") if path.name.startswith(("receipts", "log", "0.json"))]
    assert len(files) == 3
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o664"}
