"""What `read_pipeline` makes of a file: values, places, warnings, speed."""

import gc
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner.errors import PipelineError
from runner.model import FlagMap, Mark, Pipeline, SegmentType
from runner.pipeline.reader import parse_pipeline, read_pipeline

EXAMPLES = Path(__file__).parent.parent / "examples"


def read(text: str) -> Pipeline:
    return parse_pipeline(text.encode(), Path("/lab/x.yaml"))


def warnings(text: str) -> list[tuple[int, int, str, str]]:
    return [(w.mark.line, w.mark.column, w.message, w.cure) for w in read(text).warnings if w.mark]


def test_every_key_of_a_segment_is_read() -> None:
    pipeline = read_pipeline(EXAMPLES / "valid" / "every_key.yaml")
    assert not pipeline.warnings
    first, pause, stop = pipeline.segments
    assert first.name == "Segment: müller's cells"
    assert first.environment == "uv@3.12:segment_threshold"
    assert (first.distro, first.cwd, first.timeout, first.retries) == ("default", "%YAML%", 5400.0, 2)
    assert (first.retry_delay, first.keep_going, first.env) == (30.0, True, (("OMP_NUM_THREADS", 4),))
    assert first.outputs == ("%YAML%/masks/*.tif", "%YAML%/table.csv")
    assert first.commands[2] == FlagMap((("--input-search-pattern", "%YAML%/input data/**/*.tif"),))
    assert (pause.type, pause.message, stop.type) == (SegmentType.PAUSE, "Look at the masks.", SegmentType.STOP)
    assert [one.number for one in pipeline.segments] == [1, 2, 3]


def test_the_path_is_absolute_and_the_bytes_have_their_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = b"run:\r\n- name: \xc3\xbc\r\n  environment: cmd\r\n  commands: [echo]\r\n"
    Path("müller's file.yaml").write_bytes(data)
    pipeline = read_pipeline(Path("müller's file.yaml"))
    assert pipeline.path == tmp_path / "müller's file.yaml"
    assert pipeline.folder == tmp_path
    assert pipeline.sha256 == hashlib.sha256(data).hexdigest()
    assert pipeline.lines[1] == "- name: ü"


def test_every_value_has_its_place() -> None:
    text = "run:\n- name: 'a b'\n  env: {A: 1}\n  outputs: [x, yy]\n  commands:\n  - python\n  - --x: 1\n"
    marks = read(text).segments[0].marks
    assert marks[""] == Mark(2, 3)
    assert marks["name"] == Mark(2, 9, 5)
    assert marks["env.A"] == Mark(3, 12)
    assert marks["outputs.1"] == Mark(4, 16, 2)
    assert marks["commands"] == Mark(6, 3)
    assert marks["commands.0"] == Mark(6, 5, 6)
    assert marks["commands.1"] == Mark(7, 5)
    assert marks.get("timeout") is None


def test_places_count_characters_and_not_bytes_and_ignore_the_bom() -> None:
    text = "\ufeffrun:\n- name: 中文\n  environment: cmd\n  commands: ['ü', 5]\n"
    with pytest.raises(PipelineError) as caught:
        read(text)
    assert caught.value.diagnostics[0].mark == Mark(4, 19)


def test_a_merge_brings_keys_and_the_variables_of_both_maps() -> None:
    one, two = read_pipeline(EXAMPLES / "valid" / "defaults_through_merge.yaml").segments
    assert (one.environment, dict(one.env)) == ("uv:default", {"A": 1, "B": 3})
    assert (two.environment, two.message) == ("uv:default", "later")


def test_keys_before_a_merge_lose_with_a_warning() -> None:
    text = "d: &d {name: other, environment: cmd, commands: [echo]}\nrun:\n- name: mine\n  <<: *d\n"
    assert read(text).segments[0].name == "other"
    ((line, column, message, _),) = warnings(text)
    assert (line, column) == (3, 3)
    assert "`<<`" in message


def test_keys_behind_a_merge_win_without_a_warning() -> None:
    text = "d: &d {name: other, environment: cmd, commands: [echo]}\nrun:\n- <<: *d\n  name: mine\n"
    assert read(text).segments[0].name == "mine"
    assert not warnings(text)


def test_an_anchor_may_be_defined_again() -> None:
    text = "a: &a one\nb: &a two\nrun:\n- name: *a\n  environment: cmd\n  commands: [*a, &a three, *a]\n"
    (segment,) = read(text).segments
    assert (segment.name, segment.commands) == ("two", ("two", "three", "three"))


def test_true_and_one_are_different_keys_of_a_flag_map() -> None:
    (segment,) = read("run:\n- commands: [{1: a, true: b, 1.0: c}]\n").segments
    assert segment.commands == (FlagMap((("1", "a"), ("true", "b"), ("1.0", "c"))),)


def test_of_a_key_given_twice_the_last_counts_and_both_places_are_named() -> None:
    text = "run:\n- name: x\n  commands: [a, {--x: 1, --x: 2}]\n  name: y\n"
    (segment,) = read(text).segments
    assert segment.name == "y"
    assert segment.commands[1] == FlagMap((("--x", 2),))
    (in_map, in_segment) = warnings(text)
    assert in_map[:2] == (3, 26)
    assert in_segment[:2] == (4, 3)
    assert "line 2, column 3" in in_segment[2]


def test_run_given_twice_counts_the_last_time() -> None:
    text = "run: [{name: a, commands: [a]}]\nrun: [{name: b, commands: [b]}]\n"
    assert [one.name for one in read(text).segments] == ["b"]
    assert warnings(text)[0][:2] == (2, 1)


@pytest.mark.parametrize(
    ("line", "phrase"),
    [
        ("type: paus", "Did you mean `pause`?"),
        ("type: breakfast", "The types are"),
        ("environmet: cmd", "Did you mean `environment`?"),
        ("keep_going: true", "Did you mean `keep-going`?"),
        ("colour: red", "Known keys"),
        ("environment: ' cmd '", "Write `cmd` without"),
        ("commands: [a, {--x: [1, 'b c']}]", "- --x\n- '1'\n- 'b c'"),
        ("commands: [a, {--x: {a: 1}}]", "as text, in quotes"),
        ("commands: [./a.py, ./b.py]", "'%REPO%/...'"),
    ],
)
def test_what_the_go_runner_took_in_silence_is_taken_with_a_warning(line: str, phrase: str) -> None:
    text = f"run:\n- name: x\n  {line}\n" + ("" if line.startswith("commands") else "  commands: [a]\n")
    pipeline = read(text)
    assert len(pipeline.segments) == 1
    (warning,) = pipeline.warnings
    assert phrase in warning.cure
    assert warning.mark
    assert warning.mark.line == 3


def test_unknown_keys_at_the_top_warn_unless_they_hold_an_anchor() -> None:
    text = "version: 3\nruns: []\ncommon:\n  env: &env {A: 1}\ncompare: ~\nrun:\n- env: *env\n  commands: [a]\n"
    found = warnings(text)
    assert [one[:2] for one in found] == [(1, 1), (2, 1)]
    assert found[1][3] == "Did you mean `run`?"


def test_a_mistake_under_compare_is_told_with_its_place_and_stops_no_run() -> None:
    text = (
        "compare:\n  lables: {pq: 0.9}\n  image: {max: -1}\n  labels:\n    pq: 98\n"
        "  table: {columns: [area], keys: {a: 1}}\n  ignore: {a: b}\nrun:\n- commands: [a]\n  environment: cmd\n"
    )
    found = [one for one in warnings(text) if one[0] < 8]
    assert [one[:2] for one in found] == [(2, 3), (3, 16), (5, 9), (6, 20), (6, 34), (7, 11)]
    assert found[0][2:] == ("`lables` is no key of `compare`", "Did you mean `labels`?")
    assert found[2][2] == "`pq` is 98; it must be a number from 0 to 1"


def test_status_keys_of_old_files_are_no_news() -> None:
    pipeline = read_pipeline(EXAMPLES / "go_runner" / "cases" / "old_style_status_keys_in_yaml.yaml")
    assert not pipeline.warnings


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "run:\n", "run: []\n", "run: ~\n", "other: 1\n"])
def test_a_file_with_nothing_to_run_is_read_with_a_warning(text: str) -> None:
    pipeline = read(text)
    assert pipeline.segments == ()
    assert pipeline.warnings


def test_new_keys_for_care_do_not_change_the_hash_and_cwd_does() -> None:
    plain = "run:\n- name: x\n  environment: cmd\n  commands: [a]\n"
    care = plain + "  timeout: 3h\n  retries: 2\n  retry-delay: 1\n  keep-going: true\n  outputs: x\n"
    assert read(plain).segments[0].content_hash == read(care).segments[0].content_hash
    elsewhere = plain + "  cwd: '%YAML%'\n"
    assert read(plain).segments[0].content_hash != read(elsewhere).segments[0].content_hash
    text = "name:x|type:|msg:|env:cmd|cmds:a||cwd:%YAML%"
    assert read(elsewhere).segments[0].content_hash in {
        hashlib.sha256(text.replace("|type:|", f"|type:{kind}|").encode()).hexdigest() for kind in ("", "normal")
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1.5", 1.5), ("90s", 90), ("15m", 900), ("3h", 10800), ("1d", 86400), ("'90'", 90), ("500ms", 0.5),
     ("1h30m", 5400), ("1h 30m", 5400), ("1.5h", 5400), ("1_000", 1000)],
)  # fmt: skip
def test_a_time_out_is_seconds_or_a_text(text: str, seconds: float) -> None:
    assert read(f"run:\n- timeout: {text}\n  commands: [a]\n").segments[0].timeout == seconds


@pytest.mark.parametrize("text", ["soon", "3 weeks", "-1", "1h30", "true", "[1]", ".nan", ".inf", "0", "0s", "1:30"])
def test_a_time_out_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(PipelineError) as caught:
        read(f"run:\n- timeout: {text}\n  commands: [a]\n")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.mark
    assert (diagnostic.mark.line, diagnostic.mark.column, diagnostic.segment) == (2, 12, 1)


def test_one_segment_does_not_vouch_for_another_with_an_equal_value_of_another_type() -> None:
    with pytest.raises(PipelineError) as caught:
        read("run:\n- timeout: 1\n  retries: 1\n  commands: [a]\n- timeout: true\n  retries: true\n  commands: [a]\n")
    assert [one.mark.line for one in caught.value.diagnostics if one.mark] == [5, 6]


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"none\.yaml"):
        read_pipeline(tmp_path / "none.yaml")
    with pytest.raises(PipelineError):
        read_pipeline(tmp_path)


def test_the_garbage_collector_is_left_as_it_was() -> None:
    read("run: []\n")
    assert gc.isenabled()
    gc.disable()
    try:
        read("run: []\n")
        assert not gc.isenabled()
    finally:
        gc.enable()


def many(number: int) -> str:
    return "run:\n" + "".join(
        f"- name: Segment {n}\n  environment: uv:group\n  commands:\n  - python\n  - '%REPO%/a.py'\n"
        f"  - --input: '%YAML%/in {n}/**/*.tif'\n  - --tile: {n}\n  - --sigma: 1.5\n  - --no-parallel\n"
        for n in range(number)
    )


def test_reading_takes_time_in_proportion_to_the_number_of_segments() -> None:
    def cost(number: int) -> float:
        text = many(number)
        times = []
        for _ in range(2):
            start = time.process_time()
            read(text)
            times.append(time.process_time() - start)
        return min(times)

    assert cost(2000) < 10 * cost(500) + 0.05


def test_a_valid_file_is_read_without_importing_jsonschema(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(many(3))
    code = (
        "import sys; from pathlib import Path; from runner.pipeline.reader import read_pipeline\n"
        "read_pipeline(Path(sys.argv[1]))\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'jsonschema', 'psutil', 'colorama', 'difflib'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x.yaml")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "key", ["y", "n", "on", "No", "1.0", "010", "1_000", "1e21", "~", "2024-01-01", "'y'", "!!str off"]
)
def test_a_flag_is_passed_as_written_and_hashed_as_go_read_it(key: str) -> None:
    (segment,) = read(f"run:\n- environment: imagej\n  commands: [a.ijm, {{{key}: 20}}]\n").segments
    entry = segment.commands[1]
    assert isinstance(entry, FlagMap)
    assert entry.items == ((key.removeprefix("!!str ").strip("'"), 20),)


def test_the_hash_of_a_flag_named_y_stays_that_of_go() -> None:
    (segment,) = read("run:\n- environment: imagej\n  commands: [a.ijm, {y: 20}]\n").segments
    text = "name:|type:|msg:|env:imagej|cmds:a.ijm|true=20;|"
    assert segment.content_hash == hashlib.sha256(text.encode()).hexdigest()
