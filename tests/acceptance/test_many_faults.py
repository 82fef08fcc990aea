"""What a weekend with many items brings: a killed runner, crashing items, a full disk, odd names, Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.going import words_of
from tests.support.killed import kill_often
from tests.support.lab import Lab, shell

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and file names of POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="whose a process is, Linux tells")
PYTHON = f'exec "{sys.executable}" -S -E'


def over(lab: Lab, code: str, *args: str, foreach: Any, **keys: Any) -> dict[str, Any]:
    """A segment that runs `code` for each item with `args`."""
    script = lab.script("item.py", code)
    return {"name": "many", "environment": "cmd", "foreach": foreach, **keys, "commands": [PYTHON, str(script), *args]}


def receipts(lab: Lab, pipeline: Path) -> dict[str, dict[str, Any]]:
    """Of the newest run's items, by key."""
    found = {}
    for path in lab.runs(pipeline)[-1].glob("*/receipts-*.jsonl"):
        for line in path.read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError):
                told = json.loads(line.rpartition(b"\t")[0])
                found[told["key"]] = told
    return found


def counts(lab: Lab, pipeline: Path) -> dict[str, int]:
    return dict(lab.receipts(pipeline)[-1]["items"])


def none_with(word: str, seconds: float = 10) -> bool:
    """No process has `word` on its command line, or soon none."""
    deadline = time.monotonic() + seconds
    while any(word in one for process in psutil.process_iter() for one in words_of(process)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@linux
def test_a_runner_killed_with_items_in_flight_loses_none_and_runs_none_twice_that_has_a_receipt(lab: Lab) -> None:
    seen = kill_often(lab, 4, 40, random.Random(7), longest=1.0)
    assert (seen.kills, seen.twice, seen.lost, seen.left) == (4, [], [], 0)


@posix
def test_a_name_with_a_shell_s_signs_is_a_text_in_a_shell_s_line(lab: Lab) -> None:
    names = [
        'a"; touch x; ".tif',
        "b$(touch x).tif",
        "c'; touch x; '.tif",
        "d\n&.tif",
        "-rf .tif",
        "ü ß.tif",
        "%STEM%.tif",
    ]
    folder = lab.data / "in"
    folder.mkdir()
    for name in names:
        (folder / name).write_text(name)
    (lab.data / "out").mkdir()
    line = "cp -- %ITEM% \"out/%STEM%.txt\" && cmp '%ITEM%' out/%STEM%.txt"
    pipeline = lab.pipeline([shell("copies", line, foreach="in/*.tif", cwd="%YAML%")])
    lab.run(pipeline)
    assert sorted(p.read_text() for p in (lab.data / "out").iterdir()) == sorted(names)
    assert not list(lab.root.rglob("x"))


@posix
def test_a_name_that_would_run_as_code_fails_alone_with_what_to_write_instead(lab: Lab) -> None:
    line = "bash -c 'echo got:%ITEM%'"
    pipeline = lab.pipeline([shell("nested", line, foreach=["plain", "a; touch x"])])
    lab.run(pipeline, check=1)
    note = receipts(lab, pipeline)["a; touch x"]["note"]
    assert "could run as a command" in note and "`env: {FILE: '%ITEM%'}`" in note
    assert counts(lab, pipeline)["done"] == 1
    assert not list(lab.root.rglob("x"))


@posix
def test_a_value_that_is_an_operator_of_the_shell_s_is_an_argument(lab: Lab) -> None:
    commands = ["printf '<%s>\\n'", "%ITEM%", "touched"]
    pipeline = lab.pipeline([{**shell("echoes", ""), "foreach": [">", "&&", ";", "|"], "commands": commands}])
    lab.run(pipeline)
    logs = b"".join(p.read_bytes() for p in lab.runs(pipeline)[-1].glob("*/log-*.txt")).decode()
    assert sorted(logs.split()) == sorted(["<>>", "<&&>", "<;>", "<|>", *["<touched>"] * 4])


BAD = """\
import os, pathlib, signal, sys
number, out = int(sys.argv[1]), sys.argv[2]
if number % 30 == 9: os.kill(os.getpid(), signal.SIGSEGV)
if number % 30 == 19: os.kill(os.getpid(), signal.SIGKILL)
if number % 30 != 29: pathlib.Path(out).write_text("done")
"""


@posix
@pytest.mark.parametrize("count", [30])
def test_every_tenth_item_that_crashes_is_killed_or_writes_nothing_fails_alone_with_its_reason(
    lab: Lab, count: int
) -> None:
    count = int(os.environ.get("ITEMS_OF_A_TEST", count))
    out = lab.data / "out"
    out.mkdir()
    item = over(lab, BAD, "%ITEM%", "%YAML%/out/%ITEM%", foreach={"range": count}, outputs="%YAML%/out/%ITEM%")
    pipeline = lab.pipeline([item])
    lab.run(pipeline, check=1)
    told = receipts(lab, pipeline)
    bad = {n for n in range(count) if n % 10 == 9}
    assert {int(key) for key, one in told.items() if one["state"] == "failed"} == bad
    assert {int(key) for key, one in told.items() if one["state"] == "succeeded"} == set(range(count)) - bad
    assert "SIGSEGV" in told["9"]["note"] and "SIGKILL" in told["19"]["note"]
    assert "exit code 0" in told["29"]["note"] and "declared in `outputs:`" in told["29"]["note"]
    lab.run(pipeline, "--retry-failed", check=1)
    assert {int(key) for key in receipts(lab, pipeline)} == bad
    (lab.repo / "scripts" / "item.py").write_text(
        BAD.replace("if number % 30 == 19", "if False").replace("== 9", "< 0")
    )
    lab.run(pipeline, check=1)
    assert {int(key) for key, one in receipts(lab, pipeline).items() if one["state"] == "failed"} == {
        n for n in bad if n % 30 == 29
    }


@posix
def test_a_forced_run_that_breaks_off_goes_on_with_what_it_had_not_made_anew(lab: Lab) -> None:
    stop = lab.root / "stop"
    code = (
        "import os, pathlib, sys\n"
        "if sys.argv[1] == '3' and pathlib.Path(sys.argv[2]).exists(): os.kill(os.getppid(), 9)\n"
    )
    pipeline = lab.pipeline([over(lab, code, "%ITEM%", str(stop), foreach={"range": 6})])
    lab.run(pipeline, "--jobs", "1")
    stop.touch()
    assert lab.run(pipeline, "--force", "--jobs", "1", check=None).returncode == -9
    stop.unlink()
    lab.run(pipeline)
    assert set(receipts(lab, pipeline)) == {"3", "4", "5"}


@posix
def test_ctrl_c_with_eight_items_in_flight_ends_all_and_the_next_start_goes_on_with_the_rest(lab: Lab) -> None:
    here = lab.root / "here"
    here.mkdir()
    code = (
        "import os, pathlib, subprocess, sys, time\n"
        "number, here = int(sys.argv[1]), pathlib.Path(sys.argv[2])\n"
        "(here / str(number)).touch()\n"
        "if number >= 4 and not (here / 'quick').exists():\n"
        "    subprocess.Popen(['env', '-i', 'setsid', 'sleep', sys.argv[3]])\n"
        "    time.sleep(300)\n"
    )
    seconds = f"{random.randrange(10**5, 10**6)}.{os.getpid()}"
    pipeline = lab.pipeline([over(lab, code, "%ITEM%", str(here), seconds, foreach={"range": 20})])
    for number in (signal.SIGINT, signal.SIGHUP):  # Ctrl-C, a closed terminal
        process = lab.popen(pipeline, "--jobs", "8", stdout=subprocess.DEVNULL)
        wait_for(lambda: len(list(here.iterdir())) == 12)
        begin = time.monotonic()
        process.send_signal(number)
        assert process.wait(30) == 130
        assert time.monotonic() - begin < 10
        assert none_with(seconds)
        told = receipts(lab, pipeline)
        assert sum(one["state"] == "stopped" for one in told.values()) == 8
        for key in range(4, 12):
            (here / str(key)).unlink()
    (here / "quick").touch()
    lab.run(pipeline)
    assert set(receipts(lab, pipeline)) == {str(number) for number in range(4, 20)}


def wait_for(true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@posix
def test_ctrl_c_twice_ends_eight_stubborn_items_at_once(lab: Lab) -> None:
    here = lab.root / "here"
    here.mkdir()
    code = (
        "import pathlib, signal, sys, time\n"
        "for name in (signal.SIGINT, signal.SIGTERM): signal.signal(name, signal.SIG_IGN)\n"
        "(pathlib.Path(sys.argv[2]) / sys.argv[1]).touch()\ntime.sleep(300)\n"
    )
    pipeline = lab.pipeline([over(lab, code, "%ITEM%", str(here), foreach={"range": 20})])
    process = lab.popen(pipeline, "--jobs", "8", stdout=subprocess.DEVNULL)
    wait_for(lambda: len(list(here.iterdir())) == 8)
    process.send_signal(signal.SIGINT)
    time.sleep(0.4)
    assert process.poll() is None
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert time.monotonic() - begin < 8, "the grace of the first Ctrl-C was waited for"
    assert none_with(str(here), 1)


@posix
def test_an_input_that_goes_or_changes_while_its_item_waits_or_is_read_is_never_taken_for_done(lab: Lab) -> None:
    folder = lab.data / "in"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.tif").write_text("a")
    code = (
        "import os, pathlib, sys\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "if path.stem == '0':\n"
        "    path.with_name('1.tif').unlink()\n"
        "    path.with_name('2.tif').write_text('another')\n"
        "if path.stem == '3': path.write_text('grows')\n"
        "if path.stem == '4': path.unlink()\n"
        "print('read', path.read_text() if path.exists() else '')\n"
    )
    pipeline = lab.pipeline([over(lab, code, "%ITEM%", foreach="in/*.tif")])
    lab.run(pipeline, "--jobs", "1", check=1)
    told = receipts(lab, pipeline)
    states = [told[f"{number}.tif"]["state"] for number in range(5)]
    assert states == ["succeeded", "failed", "succeeded", "failed", "failed"]
    assert "not there any more" in told["1.tif"]["note"]
    assert "changed while it was read" in told["3.tif"]["note"]
    assert "removed while it was read" in told["4.tif"]["note"]
    (lab.repo / "scripts" / "item.py").write_text("print('read')\n")
    lab.run(pipeline)
    assert set(receipts(lab, pipeline)) == {"3.tif"}


@posix
def test_files_with_odd_names_are_one_item_each_and_each_its_own(lab: Lab) -> None:
    names = [
        "a b.tif", "A B.tif", 'q"uote.tif', "apo'strophe.tif", "ümläut ß.tif", "line\nend.tif", "-rf.tif", "%STEM%.tif",
        "%ITEM%.tif", "bad\udcff\udcfe.tif", "tab\t.tif", "  .tif", "[a].tif", "~.tif", "$HOME.tif", "%41.tif",
        "star*.tif", "e\u0301.tif", "back\\slash.tif", "/".join(["d" * 60] * 5) + "/deep.tif",
    ]  # fmt: skip
    for name in names:
        path = lab.data / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(path.name))
    code = (
        "import os, sys\n"
        "path, out = sys.argv[1:]\n"
        "os.makedirs(os.path.dirname(out), exist_ok=True)\n"
        "text = open(path, 'rb').read()\n"
        "assert text == os.fsencode(os.path.basename(path))\n"
        "open(out, 'xb').write(text)\n"
    )
    given = {"foreach": "in/**/*.tif", "outputs": "%YAML%/out/%RELATIVE%", "max-failures": 0}
    pipeline = lab.pipeline([over(lab, code, "%ITEM%", "%YAML%/out/%RELATIVE%", **given)])
    lab.run(pipeline)
    out = lab.data / "out"
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()) == sorted(names)
    assert "Nothing to run" in lab.run(pipeline).stdout
    (lab.data / "in" / "bad\udcff\udcfe.tif").unlink()
    for folder in ("in", "out"):
        (lab.data / folder / "line\nend.tif").unlink()
    (lab.data / "in" / "line\nend.tif").write_text("line\nend.tif")
    lab.run(pipeline)
    assert list(receipts(lab, pipeline)) == ["line\nend.tif"]


@posix
def test_a_name_with_a_line_end_fails_alone_where_a_file_names_the_items(lab: Lab) -> None:
    (lab.data / "in").mkdir()
    for name in ("a", "b\n", "c d", "e"):
        (lab.data / "in" / name).touch()
    code = "import sys\nfor line in open(sys.argv[1]): open(line.rstrip('\\n'))\n"
    pipeline = lab.pipeline([over(lab, code, "%ITEMS_FILE%", foreach="in/*", batch=4)])
    lab.run(pipeline, check=1)
    told = receipts(lab, pipeline)
    assert [key for key, one in told.items() if one["state"] == "failed"] == ["b\n"]
    assert "line end" in told["b\n"]["note"] and len(told) == 4


@posix
def test_where_too_many_failed_those_under_way_come_to_their_end_and_none_starts(lab: Lab) -> None:
    code = "import sys, time\nnumber = int(sys.argv[1])\nif number < 3: time.sleep(0.2); sys.exit(5)\ntime.sleep(0.7)\n"
    pipeline = lab.pipeline(
        [over(lab, code, "%ITEM%", foreach={"range": 30}, **{"max-failures": 2}), shell("later", "true")]
    )
    done = lab.run(pipeline, "--jobs", "5", check=1)
    assert "error" not in done.stderr
    told = receipts(lab, pipeline)
    assert [told[str(n)]["state"] for n in range(3)] == ["failed"] * 3
    good = {key for key, one in told.items() if one["state"] == "succeeded"}
    assert {"3", "4"} <= good and len(told) < 12
    assert counts(lab, pipeline)["failed"] == 3 and counts(lab, pipeline)["done"] == len(good)
    assert [one["name"] for one in lab.receipts(pipeline)] == ["many"]
    assert "more than `max-failures` allows: no other was started" in done.stdout
    lab.run(pipeline, "--jobs", "5", check=1)
    assert not good & set(receipts(lab, pipeline))


@posix
def test_a_segment_that_keeps_going_hands_on_what_was_good_when_too_many_failed(lab: Lab) -> None:
    given = {"foreach": {"range": 9}, "max-failures": 0, "keep-going": True, "needs": []}
    first = over(lab, "import sys; sys.exit(sys.argv[1] == '3')", "%ITEM%", **given)
    then = {**shell("then", "echo %ITEM%", foreach={"range": 9}, needs=[{"items": "many"}])}
    pipeline = lab.pipeline([first, then, shell("last", "echo last", needs=["many"])])
    lab.run(pipeline, "--jobs", "1", check=1)
    assert [(one["name"], one["state"]) for one in lab.receipts(pipeline)] == [
        ("many", "failed"),
        ("then", "failed"),
        ("last", "succeeded"),
    ]
    assert lab.receipts(pipeline)[1]["items"]["done"] == 3


@posix
def test_an_environment_that_cannot_be_made_ends_the_run_once_the_other_segment_s_items_ended(lab: Lab) -> None:
    code = "import time; time.sleep(0.3)"
    no = {"name": "no", "environment": "uv:wrong", "needs": [], "commands": ["python", "-c", "pass"]}
    (lab.repo / "pyproject.toml").write_text(
        (lab.repo / "pyproject.toml")
        .read_text()
        .replace("default = []", 'default = []\nwrong = ["no-such-package-here"]')
    )
    pipeline = lab.pipeline([over(lab, code, foreach={"range": 40}, needs=[]), no])
    nowhere = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}
    done = lab.run(pipeline, "--jobs", "3", check=3, **nowhere)
    assert "what runs now comes to its end" in done.stdout
    told = receipts(lab, pipeline)
    assert told and all(one["state"] == "succeeded" for one in told.values())
    assert f"{len(told)} of 40 items ended" in done.stdout


@linux
def test_daemons_and_held_pipes_of_items_end_with_them_and_a_slow_one_at_its_timeout(lab: Lab) -> None:
    code = (
        "import os, subprocess, sys, time\n"
        "what, seconds = sys.argv[1:]\n"
        "nothing = {'stdin': subprocess.DEVNULL, 'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}\n"
        "if what == 'daemon': subprocess.Popen(['env', '-i', 'setsid', 'sleep', seconds], **nothing)\n"
        "if what == 'holds': subprocess.Popen(['setsid', 'sleep', seconds])\n"
        "if what == 'prints':\n"
        "    for _ in range(200): os.write(1, b'x' * 99_999 + b'\\n')\n"
        "if what == 'slow': subprocess.Popen(['sleep', seconds]); time.sleep(300)\n"
    )
    seconds = f"{random.randrange(10**5, 10**6)}.{os.getpid()}"
    kinds = ["daemon", "holds", "prints", "slow", "quick"]
    pipeline = lab.pipeline([over(lab, code, "%ITEM%", seconds, foreach=kinds, timeout="1s")])
    begin = time.monotonic()
    lab.run(pipeline, "--jobs", "5", check=1)
    assert time.monotonic() - begin < 12
    assert none_with(seconds, 1)
    told = receipts(lab, pipeline)
    assert {key: one["state"] for key, one in told.items()} == {
        **dict.fromkeys(kinds, "succeeded"),
        "slow": "timed out",
    }
    assert "`timeout` of 1 s" in told["slow"]["note"]
    name, offset, length = told["prints"]["log"]
    (log,) = lab.runs(pipeline)[-1].glob(f"*/{name}")
    assert log.read_bytes()[offset : offset + length] == (b"x" * 99_999 + b"\n") * 200


@posix
def test_an_item_is_tried_again_after_its_delay_and_each_try_is_counted(lab: Lab) -> None:
    tries = lab.root / "tries"
    tries.mkdir()
    code = (
        "import pathlib, sys, time\n"
        "file = pathlib.Path(sys.argv[2]) / sys.argv[1]\n"
        "with file.open('a') as lines: lines.write(f'{time.time()}\\n')\n"
        "count = len(file.read_text().split())\n"
        "print('try', count)\n"
        "sys.exit(count <= int(sys.argv[1]))\n"
    )
    given = {"foreach": {"range": 4}, "retries": 2, "retry-delay": "300ms"}
    pipeline = lab.pipeline([over(lab, code, "%ITEM%", str(tries), **given)])
    lab.run(pipeline, "--jobs", "4", check=1)
    told = receipts(lab, pipeline)
    assert {key: (one["state"], one.get("attempts", 1)) for key, one in told.items()} == {
        "0": ("succeeded", 1),
        "1": ("succeeded", 2),
        "2": ("succeeded", 3),
        "3": ("failed", 3),
    }
    first, second, third = (float(line) for line in (tries / "2").read_text().split())
    assert second - first >= 0.3 and third - second >= 0.6
    (log,) = lab.runs(pipeline)[-1].glob("*/failed/00004.log")
    assert log.read_text().splitlines() == ["try 1", "try 2", "try 3"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=300", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@linux
@pytest.mark.parametrize("prints", [0, 4000], ids=["receipts", "logs"])
def test_a_disk_that_fills_in_the_middle_loses_nothing_done_and_goes_on_once_there_is_space(
    lab: Lab, small_disk: Path, prints: int
) -> None:
    done = lab.root / "done"
    done.mkdir()
    code = (
        "import os, pathlib, subprocess, sys\n"
        "number, disk, done = int(sys.argv[1].split()[0]), *map(pathlib.Path, sys.argv[2:4])\n"
        "print('x' * int(sys.argv[4]), flush=True)\n"
        "if number == 10 and not (done / 'full').exists():\n"
        "    (done / 'full').touch()\n"
        "    subprocess.run(['sh', '-c', 'head -c 10M /dev/zero > \"$0\" 2>/dev/null', disk / 'filling'])\n"
        "with (done / str(number)).open('a') as lines: lines.write('ran\\n')\n"
    )
    names = [f"{number} {'long' * 90}" for number in range(30)]  # few receipts fill a block
    item = over(lab, code, "%ITEM%", str(small_disk), str(done), str(prints), foreach=names)
    pipeline = lab.pipeline([item])
    records = ("--records", small_disk, "--jobs", "2")
    said = lab.run(pipeline, *records, check=4)
    assert "is full" in said.stderr and "Free some space" in said.stderr
    assert "Traceback" not in said.stdout + said.stderr
    ran = {file.name for file in done.iterdir()} - {"full"}
    assert len(ran) < 30
    assert "is full" in lab.run(pipeline, *records, check=4).stderr
    (small_disk / "filling").unlink()
    lab.run(pipeline, *records)
    twice = [f.name for f in done.iterdir() if f.name != "full" and len(f.read_text().split()) > 1]
    assert len(twice) <= 6, "only what had no receipt"
    assert {str(number) for number in range(30)} <= {file.name for file in done.iterdir()}
    assert "Nothing to run" in lab.run(pipeline, *records).stdout


@posix
def test_what_is_known_of_items_may_be_torn_or_gone_and_nothing_is_taken_for_done_that_is_not(lab: Lab) -> None:
    pipeline = lab.pipeline([shell("many", "echo %ITEM%", foreach={"range": 8})])
    lab.run(pipeline, "--jobs", "1")
    (known,) = (lab.data / ".run-pipeline" / pipeline.name / "done").iterdir()
    whole = known.read_bytes()
    lines = whole.split(b"\n")
    torn = b"\n".join([*lines[:3], lines[3][:20], lines[4][10:], *lines[5:]])
    lost = {json.loads(line.rpartition(b"\t")[0])["key"] for line in lines[3:5]}
    for damaged, again in [
        (torn, lost),
        (whole.replace(b'"key":"5"', b'"key":"6"'), {"5"}),  # its check sum is wrong now
        (b"", {str(n) for n in range(8)}),
    ]:
        known.write_bytes(damaged)
        lab.run(pipeline)
        assert set(receipts(lab, pipeline)) == again
    runs = lab.runs(pipeline)
    assert "Nothing to run" in lab.run(pipeline).stdout
    known.unlink()
    os.mkfifo(known)
    said = lab.run(pipeline, check=None)
    assert str(known) in said.stderr and "it is a pipe" in said.stderr
    known.unlink()
    known.mkdir()
    assert "there is a folder of that name" in lab.run(pipeline, check=4).stderr
    assert lab.runs(pipeline) == runs


@posix
def test_a_second_run_is_refused_while_items_are_under_way_and_two_pipelines_share_inputs(lab: Lab) -> None:
    here, go = lab.root / "here", lab.root / "go"
    here.mkdir()
    code = (
        "import pathlib, sys, time\n"
        "(pathlib.Path(sys.argv[2]) / (sys.argv[3] + sys.argv[1])).touch()\n"
        "while not pathlib.Path(sys.argv[4]).exists(): time.sleep(0.02)\n"
    )
    first = lab.pipeline([over(lab, code, "%ITEM%", str(here), "one-", str(go), foreach={"range": 6})])
    text = first.read_text().replace("one-", "two-")
    second = lab.data / "second.yaml"
    second.write_text(text)
    both = [lab.popen(one, "--jobs", "2", stdout=subprocess.DEVNULL) for one in (first, second)]
    wait_for(lambda: len(list(here.iterdir())) == 4)
    said = lab.run(first, check=2)
    assert "since" in said.stderr and "process" in said.stderr
    go.touch()
    assert [one.wait(30) for one in both] == [0, 0]
    assert len(list(here.iterdir())) == 12
    for pipeline in (first, second):
        assert "Nothing to run" in lab.run(pipeline).stdout


@posix
def test_a_file_that_is_still_being_written_while_its_item_runs_is_run_again(lab: Lab) -> None:
    file = lab.data / "growing.tif"
    file.write_text("a")
    code = "import sys, time; open(sys.argv[1]).read(); time.sleep(0.8)"
    pipeline = lab.pipeline([over(lab, code, "%ITEM%", foreach="*.tif")])
    process = lab.popen(pipeline, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        with file.open("a") as more:
            more.write("a")
        time.sleep(0.02)
    assert process.returncode == 1
    assert "changed while it was read" in receipts(lab, pipeline)["growing.tif"]["note"]
    lab.run(pipeline)
    assert receipts(lab, pipeline)["growing.tif"]["state"] == "succeeded"
