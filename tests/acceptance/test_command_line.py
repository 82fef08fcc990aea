"""The command line as its users type it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.lab import Lab, segment


def note(lab: Lab, name: str, **keys: object) -> dict[str, object]:
    """A segment that adds its name to `ran.txt` in the data folder."""
    script = lab.repo / "scripts" / "note.py"
    if not script.exists():
        lab.script("note.py", "import sys\nopen(sys.argv[1], 'a', encoding='utf-8').write(sys.argv[2] + '\\n')\n")
    return segment(name, "python", "%REPO%/scripts/note.py", "%YAML%/ran.txt", name, **keys)


def ran(lab: Lab) -> list[str]:
    path = lab.data / "ran.txt"
    names = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return names


@pytest.mark.parametrize("start", [["-m", "runner"], ["-c", "from runner.__main__ import main; main()"]])
def test_it_starts_as_a_module_and_as_a_program_and_says_its_version(start: list[str]) -> None:
    done = subprocess.run([sys.executable, *start, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("run-pipeline ")


def test_the_version_is_that_of_the_project() -> None:
    import tomllib

    from runner import __version__

    repo = Path(__file__).resolve().parents[2]
    assert tomllib.loads((repo / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"] == __version__


def test_segments_run_in_order_and_a_second_run_has_nothing_to_do(lab: Lab) -> None:
    pipeline = lab.pipeline([note(lab, "Zellen zählen"), note(lab, 'it\'s "two"')])
    first = lab.run(pipeline)
    assert ran(lab) == ["Zellen zählen", 'it\'s "two"']
    assert "1/2 Zellen zählen" in first.stdout
    assert "Nothing to run" in lab.run(pipeline).stdout
    assert ran(lab) == []


def test_two_pipelines_whose_names_differ_in_the_ending_alone_do_not_undo_each_other(lab: Lab) -> None:
    files = [lab.data / name for name in ("cells.yml", "cells.txt", "cells.yaml")]
    for path in files:
        lab.pipeline([note(lab, path.name)]).rename(path)
        lab.run(path)
    assert ran(lab) == [path.name for path in files]
    for path in files:
        assert "Nothing to run" in lab.run(path).stdout
    assert ran(lab) == []


def test_what_a_yml_file_had_finished_stays_finished_when_a_yaml_file_appears_and_goes(lab: Lab) -> None:
    yml, yaml = lab.data / "cells.yml", lab.data / "cells.yaml"
    lab.pipeline([note(lab, "a"), note(lab, "b")]).rename(yml)
    lab.run(yml)
    assert (lab.data / "cells_status.yaml").is_file()
    lab.pipeline([note(lab, "c")]).rename(yaml)
    assert "Nothing to run" in lab.run(yml).stdout
    lab.run(yaml, "--force")
    yaml.unlink()
    assert ran(lab) == ["a", "b", "c"]
    assert lab.run("status", yml).stdout.count("✓ done") == 2


@pytest.mark.parametrize(
    ("pipeline", "status"),
    [("cells.yml", "cells_status.yaml"), ("cells.yaml", "cells_status.yaml"), ("cells.txt", "cells.txt_status.yaml")],
)
def test_a_status_file_is_no_pipeline_whatever_the_ending_of_its_pipeline(lab: Lab, pipeline: str, status: str) -> None:
    lab.pipeline([note(lab, "a")]).rename(lab.data / pipeline)
    lab.run(lab.data / pipeline)
    done = lab.run(lab.data / status, check=2)
    assert f"Name {pipeline}." in done.stderr


def test_from_runs_a_segment_and_all_that_follow(lab: Lab) -> None:
    pipeline = lab.pipeline([note(lab, n) for n in ("a", "b", "c")])
    lab.run(pipeline)
    ran(lab)
    lab.run(pipeline, "--from", "b")
    assert ran(lab) == ["b", "c"]
    lab.run(pipeline, "--from", "3")
    assert ran(lab) == ["c"]


def test_only_runs_one_segment_and_keeps_the_others_done(lab: Lab) -> None:
    pipeline = lab.pipeline([note(lab, n) for n in ("a", "b", "c")])
    lab.run(pipeline)
    ran(lab)
    done = lab.run(pipeline, "--only", "2")
    assert ran(lab) == ["b"]
    assert [e["name"] for e in lab.status(pipeline)] == ["a", "b", "c"]
    assert "--from 2" in done.stdout


def test_a_segment_that_is_not_there_is_refused_with_the_near_name(lab: Lab) -> None:
    pipeline = lab.pipeline([note(lab, "convert"), note(lab, "measure")])
    done = lab.run(pipeline, "--from", "mesure", check=2)
    assert "Did you mean 'measure'?" in done.stderr
    assert "1. convert; 2. measure" in done.stderr
    assert "--from" in lab.run(pipeline, "--from", "1", "--only", "2", check=2).stderr


def test_accept_marks_as_done_without_running(lab: Lab) -> None:
    pipeline = lab.pipeline([note(lab, n) for n in ("a", "b")])
    lab.run(pipeline, "--accept")
    assert ran(lab) == []
    assert [e["name"] for e in lab.status(pipeline)] == ["a", "b"]
    assert "Nothing to run" in lab.run(pipeline).stdout


@pytest.mark.parametrize("flag", ["-f", "--force", "--force_reprocessing"])
def test_force_runs_everything(lab: Lab, flag: str) -> None:
    pipeline = lab.pipeline([note(lab, "a")])
    lab.run(pipeline)
    lab.run(pipeline, flag)
    assert ran(lab) == ["a", "a"]


@pytest.mark.parametrize("flag", ["-ph", "--print-hash"])
def test_print_hash_prints_the_status_file_and_writes_nothing(lab: Lab, flag: str) -> None:
    pipeline = lab.pipeline([segment("x", "python", "missing.py", environment="uv:no-such-group")])
    before = sorted(lab.data.iterdir())
    out = lab.run(pipeline, flag).stdout
    assert out.startswith("segments:\n- name: x\n  content_hash: ")
    assert sorted(lab.data.iterdir()) == before


def test_a_dry_run_shows_plan_and_findings_and_writes_nothing(lab: Lab) -> None:
    pipeline = lab.pipeline(
        [
            note(lab, "good"),
            segment("bad group", "python", "-c", "pass", environment="uv:defualt"),
            segment("bad script", "python", "%REPO%/scripts/note.pyy.py"),
        ]
    )
    before = lab.contents()
    done = lab.run(pipeline, "--dry-run")
    assert "1. run    good – not done yet" in done.stdout
    assert "3. run    bad script" in done.stdout
    assert "did you mean" in done.stdout.lower()
    assert "2 problems would stop this run" in done.stdout
    assert lab.contents() == before
    events = [json.loads(line) for line in lab.run(pipeline, "--dry-run", "--json").stdout.splitlines()]
    assert [e["event"] for e in events] == ["step"] * 3 + ["finding"] * 2
    assert events[0]["argv"][-4:] == ["python", str(lab.repo / "scripts/note.py"), str(lab.data / "ran.txt"), "good"]
    assert events[0]["cwd"] == str(lab.repo)
    assert {"segment", "name", "action", "reason", "argv", "cwd", "env", "event"} == set(events[0])


def test_all_findings_stop_a_run_before_anything_is_written(lab: Lab) -> None:
    pipeline = lab.pipeline(
        [
            note(lab, "good"),
            segment("bad group", "python", "-c", "pass", environment="uv:nothing-like-it"),
            segment("bad script", "python", "%REPO%/scripts/missing.py"),
        ]
    )
    before = lab.contents()
    done = lab.run(pipeline, check=3)
    assert "nothing-like-it" in done.stderr
    assert "missing.py" in done.stderr
    assert "2 problems found; nothing was run" in done.stderr
    assert "pipeline.yaml:10:16: error" in done.stderr
    assert ran(lab) == []
    assert lab.contents() == before


def test_what_is_wrong_in_several_places_is_told_once_with_all_its_lines(lab: Lab) -> None:
    pipeline = lab.pipeline([segment(name, "python", "-c", "pass", environment="uv:no-such") for name in "abc"])
    for words in ((pipeline,), ("check", pipeline), (pipeline, "--dry-run")):
        done = lab.run(*words, check=None)
        said = done.stdout + done.stderr
        assert said.count("no dependency group `no-such`") == 1, words
        assert "The same in lines 9, 15." in said


def test_a_failing_segment_ends_the_run_with_1_and_its_own_code_is_shown(lab: Lab) -> None:
    pipeline = lab.pipeline([segment("fails", "python", "-c", "import sys; sys.exit(7)"), note(lab, "later")])
    done = lab.run(pipeline, check=1)
    assert "exit code 7" in done.stdout
    assert ran(lab) == []
    assert lab.receipts(pipeline)[0]["exit_code"] == 7


def test_keep_going_lets_the_others_run_and_still_ends_with_1(lab: Lab) -> None:
    pipeline = lab.pipeline(
        [segment("fails", "python", "-c", "raise SystemExit(2)", **{"keep-going": True}), note(lab, "later")]
    )
    lab.run(pipeline, check=1)
    assert ran(lab) == ["later"]


def test_retries_run_a_segment_again_until_it_succeeds(lab: Lab) -> None:
    script = lab.script(
        "flaky.py",
        "import pathlib, sys\np = pathlib.Path(sys.argv[1])\nn = len(p.read_text()) if p.exists() else 0\n"
        "p.write_text('x' * (n + 1))\nprint('try', n)\nsys.exit(n < 2)\n",
    )
    count = lab.root / "count"
    flaky = segment("flaky", "python", str(script), str(count), **{"retries": 2, "retry-delay": 0.01})
    pipeline = lab.pipeline([flaky])
    lab.run(pipeline)
    assert count.read_text() == "xxx"
    receipt = lab.receipts(pipeline)[0]
    assert [t["state"] for t in receipt["attempts"]] == ["failed", "failed", "succeeded"]
    assert receipt["log"] == "log.3.txt"


def test_a_timeout_ends_the_segment_and_says_so(lab: Lab) -> None:
    pipeline = lab.pipeline([segment("slow", "python", "-c", "import time; time.sleep(60)", timeout=0.5)])
    done = lab.run(pipeline, check=1)
    assert "timed out" in done.stdout
    assert "longer than its `timeout`" in done.stdout


def test_declared_outputs_decide_about_success(lab: Lab) -> None:
    make = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"
    out = lab.data / "[out] 1.txt"
    empty = segment("makes", "python", "-c", make, str(out), "", outputs=["%YAML%/*.txt"])
    pipeline = lab.pipeline([empty])
    done = lab.run(pipeline, check=1)
    assert "is empty" in done.stdout
    full = segment("makes", "python", "-c", make, str(out), "text", outputs="%YAML%/*.txt")
    pipeline = lab.pipeline([full])
    lab.run(pipeline)
    assert lab.receipts(pipeline)[0]["outputs"][0]["path"] == str(out)
    out.unlink()
    assert "its output is gone" in lab.run("status", pipeline).stdout
    lab.run(pipeline)
    assert out.read_text() == "text"


def test_cwd_changes_the_working_directory_and_env_is_set(lab: Lab) -> None:
    code = "import os; print(os.getcwd(), os.environ['GREETING'], os.environ['FOLDER'], sep='|')"
    pipeline = lab.pipeline(
        [segment("here", "python", "-c", code, cwd="%YAML%", env={"GREETING": "grüß dich", "FOLDER": "%YAML%/x"})]
    )
    assert f"{lab.data}|grüß dich|{lab.data / 'x'}" in lab.run(pipeline).stdout


def test_the_default_working_directory_is_the_repository(lab: Lab) -> None:
    pipeline = lab.pipeline([segment("here", "python", "-c", "import os; print('cwd', os.getcwd())")])
    assert f"cwd {lab.repo}" in lab.run(pipeline).stdout


def test_records_can_be_kept_elsewhere(lab: Lab) -> None:
    pipeline = lab.pipeline([note(lab, "a")])
    lab.run(pipeline, "--records", lab.root / "records")
    assert not (lab.data / ".run-pipeline").exists()
    assert len(list((lab.root / "records").glob("pipeline.yaml-*/000001-*/01-a/log.txt"))) == 1


def test_the_log_holds_what_the_segment_printed_byte_for_byte(lab: Lab) -> None:
    code = "import sys; sys.stdout.buffer.write(b'a\\rb\\xff\\n'); sys.stdout.flush(); sys.stderr.write('err')"
    pipeline = lab.pipeline([segment("prints", "python", "-c", code)])
    process = lab.popen(pipeline)
    assert b"a\rb\xff\nerr" in process.communicate()[0]
    assert (lab.runs(pipeline)[0] / "01-prints/log.txt").read_bytes() == b"a\rb\xff\nerr"


def test_a_receipt_names_the_environment_and_what_was_used(lab: Lab) -> None:
    pipeline = lab.pipeline([segment("works", "python", "-c", "x = bytearray(80_000_000); print(len(x))")])
    lab.run(pipeline)
    receipt = lab.receipts(pipeline)[0]
    assert receipt["state"] == "succeeded"
    assert receipt["environment"]["kind"] == "uv"
    assert receipt["environment"]["group"] == "default"
    assert receipt["peak_memory"] > 80_000_000
    assert receipt["command"]["argv"][-3:] == ["python", "-c", "x = bytearray(80_000_000); print(len(x))"]
    assert receipt["host"]


def test_events_are_one_json_object_a_line_and_output_goes_to_stderr(lab: Lab) -> None:
    pipeline = lab.pipeline([segment("prints", "python", "-c", "print('from the segment')"), note(lab, "b")])
    done = lab.run(pipeline, "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    names = [e["event"] for e in events if e["event"] not in ("preparing", "prepared")]
    assert names == ["begin", "start", "end", "start", "end", "summary"]
    assert "from the segment" in done.stderr


def test_a_pause_without_a_terminal_stops_with_0_and_says_how_to_go_on(lab: Lab) -> None:
    pipeline = lab.pipeline(
        [note(lab, "a"), {"name": "look", "type": "pause", "message": "Look at it."}, note(lab, "b")]
    )
    done = lab.run(pipeline)
    assert ran(lab) == ["a"]
    assert "Look at it." in done.stdout
    assert "--from 3" in done.stdout
    lab.run(pipeline, "--from", "3")
    assert ran(lab) == ["b"]


def test_stop_ends_the_run_with_0(lab: Lab) -> None:
    pipeline = lab.pipeline([note(lab, "a"), {"type": "stop", "message": "Enough."}, note(lab, "b")])
    assert "Enough." in lab.run(pipeline).stdout
    assert ran(lab) == ["a"]


def test_status_shows_what_is_done_and_what_would_run(lab: Lab) -> None:
    pipeline = lab.pipeline([note(lab, "a"), segment("fails", "python", "-c", "raise SystemExit(1)"), note(lab, "c")])
    lab.run(pipeline, check=1)
    shown = lab.run("status", pipeline).stdout
    assert "1. a" in shown and "done" in shown
    assert "would run  not done yet" in shown
    assert "follows segment 2" in shown
    assert "failed; record:" in shown
    rows = [json.loads(line) for line in lab.run("status", pipeline, "--json").stdout.splitlines()]
    assert [r["done"] for r in rows] == [True, False, False]


def test_check_says_whether_a_pipeline_could_run(lab: Lab) -> None:
    good = lab.pipeline([note(lab, "a")], "good.yaml")
    bad = lab.pipeline([segment("x", "python", "nothing.py", environment="uv:none")], "bad.yaml")
    assert "could run as it is" in lab.run("check", good).stdout
    done = lab.run("check", good, bad, check=3)
    assert "2 problems" in done.stdout
    broken = lab.data / "broken.yaml"
    broken.write_text("run:\n- name: x\n\tenvironment: y\n")
    assert "broken.yaml:3:1: error" in lab.run("check", broken, check=2).stdout


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing.yaml", "there is no file"),
        ("pipelne.yaml", "Did you mean pipeline.yaml?"),
        (".", "is a folder"),
        ("pipeline_status.yaml", "is a status file"),
        ("no such folder/x.yaml", "There is no folder"),
    ],
)
def test_a_name_that_is_no_pipeline_file_is_explained(lab: Lab, name: str, said: str) -> None:
    lab.pipeline([])
    (lab.data / "pipeline_status.yaml").write_text("segments: []\n")
    assert said in lab.run(lab.data / name, check=2).stderr


def test_a_relative_file_is_relative_to_where_the_user_stands(lab: Lab) -> None:
    lab.pipeline([note(lab, "a")])
    done = subprocess.run(
        lab.argv("pipeline.yaml"), cwd=lab.data, env=lab.environ(), stdin=subprocess.DEVNULL, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert ran(lab) == ["a"]


def test_the_repository_is_named_by_option_or_variable(lab: Lab) -> None:
    pipeline = lab.pipeline([note(lab, "a")])
    lab.run(pipeline, "--repo", lab.repo, RUN_PIPELINE_REPO="")
    assert ran(lab) == ["a"]
    done = lab.run(pipeline, "--repo", lab.data, check=2)
    assert "pyproject.toml" in done.stderr


def test_colour_is_for_terminals_and_no_color_wins(lab: Lab) -> None:
    pipeline = lab.pipeline([note(lab, "a")])
    assert "\x1b[" not in lab.run(pipeline, "--force").stdout
    assert "\x1b[" in lab.run(pipeline, "--force", FORCE_COLOR="1").stdout
    assert "\x1b[" not in lab.run(pipeline, "--force", FORCE_COLOR="1", NO_COLOR="1").stdout


def test_a_screen_that_cannot_show_utf8_gets_ascii(lab: Lab) -> None:
    pipeline = lab.pipeline([note(lab, "µm")])
    done = lab.run(pipeline, PYTHONIOENCODING="ascii")
    assert done.stdout.isascii()
    assert "ok succeeded" in done.stdout


def test_a_screen_that_is_closed_does_not_end_the_run(lab: Lab) -> None:
    talks = segment("talks", "python", "-c", "print('x' * 500_000)")
    pipeline = lab.pipeline([talks, note(lab, "later")])
    process = lab.popen(pipeline, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(60) == 0
    assert ran(lab) == ["later"]
    assert (lab.runs(pipeline)[0] / "01-talks/log.txt").stat().st_size >= 500_000


def test_old_records_are_pruned_but_never_the_last_success(lab: Lab) -> None:
    script = lab.script("may fail.py", "import pathlib, sys\nsys.exit(pathlib.Path(sys.argv[1]).exists())\n")
    flag = lab.root / "fail"
    pipeline = lab.pipeline([segment("x", "python", str(script), str(flag))])
    lab.run(pipeline, "--force", RUN_PIPELINE_KEEP_RUNS="2")
    flag.touch()
    for _ in range(4):
        lab.run(pipeline, "--force", check=1, RUN_PIPELINE_KEEP_RUNS="2")
    assert [p.name[:6] for p in lab.runs(pipeline)] == ["000001", "000004", "000005"]


def test_a_warning_shows_its_position_and_does_not_fail(lab: Lab) -> None:
    pipeline = lab.data / "w.yaml"
    pipeline.write_text("run:\n- name: x\n  name: y\n  enviroment: cmd\n  environment: cmd\n  commands: ['echo hi']\n")
    done = lab.run(pipeline, "--dry-run")
    assert "w.yaml:3:" in done.stderr
    assert "did you mean `environment`?" in done.stderr.lower()


def test_a_bug_of_ours_writes_a_report_and_ends_with_4(lab: Lab) -> None:
    pipeline = lab.pipeline([note(lab, "a")])
    code = (
        "import runner.plan\n"
        "def broken(*a, **k): raise ZeroDivisionError('planted')\n"
        "runner.plan.make_plan = broken\n"
        "from runner.__main__ import main; main()"
    )
    environ = lab.environ(TMPDIR=str(lab.home), TEMP=str(lab.home), TMP=str(lab.home))
    done = subprocess.run([sys.executable, "-c", code, str(pipeline)], env=environ, capture_output=True, text=True)
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    report = next(lab.home.glob("run-pipeline-*.txt"))
    assert str(report) in done.stderr
    assert "planted" in report.read_text(encoding="utf-8")


def test_an_old_file_does_not_satisfy_outputs_unless_the_segment_says_so(lab: Lab) -> None:
    table = lab.data / "exp[1]" / "table.csv"
    table.parent.mkdir()
    table.write_text("of 2020", encoding="utf-8")
    os.utime(table, (1.58e9, 1.58e9))
    (lab.data / "exp1").mkdir()
    (lab.data / "exp1" / "table.csv").write_text("of another experiment", encoding="utf-8")
    pipeline = lab.pipeline([segment("idle", "python", "-c", "", outputs="*.csv", cwd="%YAML%/exp[1]")])
    done = lab.run(pipeline, check=1)
    assert f"{table} was there before it started and was not written since" in done.stdout
    assert "outputs-may-be-old: true" in done.stdout
    assert "would run" in lab.run("status", pipeline).stdout
    keys = {"outputs": "*.csv", "cwd": "%YAML%/exp[1]", "retries": 1, "retry-delay": 0}
    code = (
        "import sys, pathlib; p = pathlib.Path('table.csv'); b = p.stat().st_size == 7; b and p.write_text('written')"
    )
    # the first try writes and fails, the second has nothing left to do
    code += "; sys.exit(b and p.write_text('by try 1') and 1)"
    lab.run(lab.pipeline([segment("resumes", "python", "-c", code, **keys)]))
    assert table.read_text() == "by try 1"
    lab.run(lab.pipeline([segment("idle", "python", "-c", "", **keys, **{"outputs-may-be-old": True})]))


def test_ctrl_c_before_a_command_hears_it_gives_no_traceback() -> None:
    code = (
        "import sys, types\n"
        "early = types.ModuleType('runner.cli.main')\n"
        "def start(): raise KeyboardInterrupt\n"
        "early.start = start\n"
        "sys.modules['runner.cli.main'] = early\n"
        "from runner.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (130, "")
