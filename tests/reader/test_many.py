"""`foreach`, `matrix`, what goes with them, and `resources`: what is read, and every mistake with its place."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from yaml import safe_load

from runner.errors import PipelineError
from runner.model import Diagnostic, Foreach, Many, Pipeline, Resources
from runner.pipeline.reader import parse_pipeline
from runner.pipeline.remarks import OWN_KEYS
from runner.pipeline.schema import schema


def text_of(keys: str, commands: str = "[a, '%ITEM%', '%MATRIX%']") -> str:
    lines = "".join(f"  {line}\n" for line in keys.splitlines())
    return f"run:\n- name: x\n  environment: cmd\n{lines}  commands: {commands}\n"


def read(keys: str, commands: str = "[a, '%ITEM%']", *, hashes_only: bool = False) -> Pipeline:
    return parse_pipeline(text_of(keys, commands).encode(), Path("/lab/x.yaml"), hashes_only=hashes_only)


def many(keys: str, commands: str = "[a, '%ITEM%']") -> Many | None:
    return read(keys, commands).segments[0].many


def said(keys: str, commands: str = "[a, '%ITEM%']") -> list[Diagnostic]:
    with pytest.raises(PipelineError) as caught:
        read(keys, commands)
    return list(caught.value.diagnostics)


def the_schema_takes(keys: str) -> bool:
    return Draft202012Validator(schema()).is_valid(safe_load(text_of(keys)))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("'%YAML%/in/**/*.nd2'", Foreach(pattern="%YAML%/in/**/*.nd2")),
        ("[A1, 7, 1.0, 010, yes, 'a b']", Foreach(values=("A1", "7", "1", "8", "true", "a b"))),
        ("{csv: plates.csv}", Foreach(csv="plates.csv")),
        ("{csv: '%YAML%/müller.csv'}", Foreach(csv="%YAML%/müller.csv")),
        ("{range: 3}", Foreach(count=3)),
        ("\n- a\n- b", Foreach(values=("a", "b"))),
    ],
)
def test_what_a_segment_goes_over_is_read(written: str, meant: Foreach) -> None:
    assert many(f"foreach: {written}") == Many(meant)
    assert the_schema_takes(f"foreach: {written}")


@pytest.mark.parametrize(
    ("written", "place", "phrase", "cure"),
    [
        ("10", (4, 12), "the number 10 alone", "{range: 10}"),
        ("", (4, 11), "this is empty", "a pattern such as"),
        ("~", (4, 12), "this is `~`", "a pattern such as"),
        ("''", (4, 12), "must say what to go over", "a pattern such as"),
        ("true", (4, 12), "this is `true`", "a pattern such as"),
        ("1.5", (4, 12), "this is `1.5`", "a pattern such as"),
        ("'10'", (4, 12), "this is `10`", "{range: 10}"),
        ("[]", (4, 12), "an empty list", "Write its values"),
        ("{}", (4, 12), "an empty map", "Write one of them"),
        ("{csv: a.csv, range: 3}", (4, 12), "both `csv` and `range`", "Write one of them"),
        ("{range: -1}", (4, 20), "this is `-1`", "{range: 10}"),
        ("{range: 0}", (4, 20), "this is `0`", "{range: 10}"),
        ("{range: '3'}", (4, 20), "a whole number", "{range: 10}"),
        ("{range: 1.5}", (4, 20), "this is `1.5`", "{range: 10}"),
        ("{range: [1, 5]}", (4, 20), "this is a list", "{range: 10}"),
        ("{csv: 3}", (4, 18), "the name of a file", "{csv: plates.csv}"),
        ("{csv: ''}", (4, 18), "the name of a file", "{csv: plates.csv}"),
        ("{CSV: a.csv}", (4, 13), "`CSV` is no key", "Did you mean `csv`?"),
        ("{glob: '*.tif'}", (4, 13), "`glob` is no key", "a pattern such as"),
        ("[a, a]", (4, 16), "`a` is given twice", "Delete one"),
        ("[1, '1']", (4, 16), "`1` is given twice", "Delete one"),
        ("[a, ~]", (4, 16), "must be a text or a number", "in quotes"),
        ("[a, '']", (4, 16), "must be a text or a number", "in quotes"),
        ("[{plate: 1, well: A1}]", (4, 13), "this is a map", "{csv: plates.csv}"),
        ("|\n  a.tif\n  b.tif", (4, 12), "several lines", "['a.tif', 'b.tif', …]"),
    ],
)
def test_a_wrong_foreach_is_told_at_its_place_with_its_cure(
    written: str, place: tuple[int, int], phrase: str, cure: str
) -> None:
    (one,) = said(f"foreach: {written}")
    assert one.mark is not None
    assert (one.mark.line, one.mark.column) == place
    assert phrase in one.message
    assert cure in one.cure
    assert one.excerpt.strip()


@pytest.mark.parametrize(
    ("written", "phrase", "cure"),
    [
        ("plates.csv", "one file, plates.csv itself", "{csv: 'plates.csv'}"),
        ("'in/{sample}.tif'", "`{sample}` means nothing in a pattern", "'in/*.tif'"),
        ("'in/*.{tif,png}'", "`{tif,png}` means nothing", "'in/*.*'"),
        ("['%YAML%/*.tif']", "no patterns", "the pattern alone"),
    ],
)
def test_a_pattern_that_is_probably_none_is_warned_of(written: str, phrase: str, cure: str) -> None:
    (one,) = read(f"foreach: {written}").warnings
    assert phrase in one.message
    assert cure in one.cure


def test_everything_that_goes_with_foreach_is_read() -> None:
    keys = "foreach: in/*\nbatch: 50\nmax-failures: 2.5%\nidentity: content\ncanary: true"
    found = many(keys, "[a, '%ITEMS%']")
    assert found == Many(Foreach("in/*"), (), 50, 2.5, True, True, True)
    assert the_schema_takes(keys)
    assert many("foreach: in/*\nmax-failures: 0\nidentity: stat\nbatch:\ncanary:") == Many(
        Foreach("in/*"), most_failures=0.0
    )


@pytest.mark.parametrize(
    ("key", "phrase", "cure"),
    [
        ("batch: 0", "this is `0`", "batch: 50"),
        ("batch: '50'", "a whole number", "batch: 50"),
        ("batch: true", "this is `true`", "batch: 50"),
        ("max-failures: -1", "this is `-1`", "max-failures: 5%"),
        ("max-failures: 0.1", "this is `0.1`", "max-failures: 5%"),
        ("max-failures: 150%", "0% to 100%", "max-failures: 5%"),
        ("max-failures: some", "this is `some`", "max-failures: 5%"),
        ("max-failures: [1]", "this is a list", "max-failures: 5%"),
        ("identity: contents", "this is `contents`", "Did you mean `content`?"),
        ("identity: sha256", "this is `sha256`", "`stat`"),
        ("canary: 1", "this is `1`", "canary: true"),
        ("canary: 'true'", "true or false", "canary: true"),
    ],
)
def test_wrong_values_beside_foreach_are_told(key: str, phrase: str, cure: str) -> None:
    (one,) = said(f"foreach: in/*\n{key}")
    assert one.mark is not None
    assert one.mark.line == 5
    assert phrase in one.message
    assert cure in one.cure
    assert not the_schema_takes(f"foreach: in/*\n{key}") or "'50'" in key


@pytest.mark.parametrize("key", ["batch: 5", "max-failures: 5%", "identity: content", "canary: true", "batch: [1]"])
def test_a_key_that_needs_foreach_is_refused_without_it(key: str) -> None:
    (one,) = said(key)
    assert "only with `foreach` or `matrix`" in one.message
    assert one.mark is not None
    assert one.mark.line == 4


def test_a_matrix_is_read_with_values_as_in_commands() -> None:
    keys = "matrix: {sigma: [1, 2.50, yes], method: [otsu, 'a b']}"
    found = many(keys, "[a, '%MATRIX%']")
    assert found == Many(matrix=(("sigma", ("1", "2.5", "true")), ("method", ("otsu", "a b"))))
    assert the_schema_takes(keys)


@pytest.mark.parametrize(
    ("written", "place", "phrase", "cure"),
    [
        ("[1, 2]", (4, 11), "this is a list", "{sigma: [1, 2], method: [otsu, li]}"),
        ("", (4, 10), "this is empty", "{sigma: [1, 2]"),
        ("{}", (4, 11), "an empty map", "{sigma: [1, 2]"),
        ("{sigma: 1}", (4, 19), "must be a list", "sigma: [1]"),
        ("{sigma: }", (4, 19), "this is empty", "sigma: [1, 2]"),
        ("{sigma: []}", (4, 19), "an empty list", "Write its values"),
        ("{sigma: [1, 1.0]}", (4, 23), "`1` is given twice", "Delete one"),
        ("{sigma: [1, ~]}", (4, 23), "must be a text or a number", "in quotes"),
        ("{sigma: [1, [2]]}", (4, 23), "this is a list", "in quotes"),
        ("{a/b: [1]}", (4, 12), "cannot be the name", "letters, digits"),
        ("{include: [{os: a}]}", (4, 12), "no `include`", "runs.csv"),
        ("{exclude: [{os: a}]}", (4, 12), "no `exclude`", "runs.csv"),
    ],
)
def test_a_wrong_matrix_is_told_at_its_place(written: str, place: tuple[int, int], phrase: str, cure: str) -> None:
    (one,) = said(f"matrix: {written}", "[a, '%MATRIX%']")
    assert one.mark is not None
    assert (one.mark.line, one.mark.column) == place
    assert phrase in one.message
    assert cure in one.cure
    assert not the_schema_takes(f"matrix: {written}") or "1.0" in written


def test_resources_are_read() -> None:
    keys = "resources: {cpus: 4, memory: 16 GB, gpus: 1, disk: 0.5 TB}\nretries: 1\nretry-memory: x1.5"
    segment = read(keys).segments[0]
    assert (segment.resources, segment.retry_memory) == (Resources(4, 16_000_000_000, 1, 500_000_000_000), 1.5)
    assert the_schema_takes(keys)
    assert read("resources:").segments[0].resources == Resources()
    assert read("resources: {memory: 8 GB}\nretries: 1\nretry-memory: 2").segments[0].retry_memory == 2.0


@pytest.mark.parametrize(
    ("key", "phrase", "cure"),
    [
        ("resources: 4", "must be a map", "{cpus: 4, memory"),
        ("resources: [cpus]", "must be a map", "{cpus: 4, memory"),
        ("resources: {cpu: 4}", "`cpu` is no key", "Did you mean `cpus`?"),
        ("resources: {threads: 4}", "`threads` is no key", "Did you mean `cpus`?"),
        ("resources: {mem_mb: 4000}", "`mem_mb` is no key", "Did you mean `memory`?"),
        ("resources: {hours: 4}", "`hours` is no key", "Known: cpus, memory"),
        ("resources: {cpus: 0}", "at least 1", "cpus: 4"),
        ("resources: {cpus: 0.5}", "this is `0.5`", "cpus: 4"),
        ("resources: {cpus: '4'}", "a whole number", "cpus: 4"),
        ("resources: {gpus: all}", "this is `all`", "gpus: 1"),
        ("resources: {gpus: true}", "this is `true`", "gpus: 1"),
        ("resources: {memory: 16}", "with its unit", "memory: 16 GB"),
        ("resources: {memory: '16'}", "with its unit", "memory: 16 GB"),
        ("resources: {memory: 80%}", "this is `80%`", "memory: 16 GB"),
        ("resources: {disk: -5 GB}", "this is `-5 GB`", "disk: 16 GB"),
        ("retry-memory: 2x\nretries: 1", "a factor of more than 1", "retry-memory: x2"),
        ("retry-memory: x1\nretries: 1", "a factor of more than 1", "retry-memory: x2"),
        ("retry-memory: true\nretries: 1", "a factor of more than 1", "retry-memory: x2"),
        ("retry-memory: x2\nresources: {memory: 1 GB}", "only with `retries`", "retries: 1"),
    ],
)
def test_wrong_resources_are_told(key: str, phrase: str, cure: str) -> None:
    (one,) = said(key)
    assert phrase in one.message
    assert cure in one.cure


def test_more_memory_at_a_retry_without_memory_is_warned_of() -> None:
    (one,) = read("retries: 1\nretry-memory: x2").warnings
    assert "says how much `memory`" in one.message


def test_inputs_are_read_like_outputs() -> None:
    assert read("inputs: in/*").segments[0].inputs == ("in/*",)
    assert read("inputs: [in/*, b]").segments[0].inputs == ("in/*", "b")
    (one,) = said("inputs: 5")
    assert "`inputs` must be a text or a list of texts" in one.message
    (one,) = said("inputs: ['']")
    assert "an entry of `inputs` is an empty text" in one.message


def test_all_mistakes_of_a_segment_are_told_at_once() -> None:
    found = said("foreach: 3\nbatch: 0\nresources: {cpu: 1}\nretries: many\nneeds: [y]\nmatrix: [1]")
    assert [one.mark.line for one in found if one.mark] == [4, 5, 6, 7, 8, 9]


def test_the_new_keys_are_not_in_the_hash_and_the_go_runner_s_hashes_can_be_printed_whatever_they_hold() -> None:
    plain = read("").segments[0].content_hash
    keys = "foreach: in/*\nmatrix: {a: [1]}\nresources: {cpus: 1}\nneeds: []\ninputs: x\ncanary: true"
    assert read(keys).segments[0].content_hash == plain
    wrong = "foreach: 3\nbatch: x\nneeds: [nobody]\nresources: 4\nretry-memory: x\ninputs: 5\nmatrix: 4"
    assert read(wrong, hashes_only=True).segments[0].content_hash == plain


@pytest.mark.parametrize("kind", ["pause", "stop", "Force"])
def test_a_segment_that_runs_nothing_goes_over_nothing(kind: str) -> None:
    (one,) = said(f"type: {kind}\nforeach: a/*")
    assert "`foreach` means nothing in a pause, stop or force" in one.message


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("for-each", "foreach"), ("for_each", "foreach"), ("forEach", "foreach"), ("need", "needs")),
        *(("max_failures", "max-failures"), ("depends_on", "needs"), ("depends-on", "needs"), ("input", "inputs")),
        *(("resource", "resources"), ("cpus", "resources"), ("memory", "resources"), ("gpus", "resources")),
        *(("threads", "resources"), ("retry_memory", "retry-memory"), ("scatter", "foreach"), ("items", "foreach")),
        *(("strategy", "matrix"), ("fail-fast", "max-failures")),
    ],
)
def test_another_name_of_a_key_is_known(written: str, meant: str) -> None:
    (one,) = read(f"{written}: 3").warnings
    assert f"`{meant}`" in one.cure


WORDS = ["", "x", "a/*.tif", "%ITEM%", "%YAML%/a", "5", "x2", "5%", "16 GB", "content", "{}", "\n", "a\nb", "~", "ä"]
SCALARS = st.none() | st.booleans() | st.integers(-2, 3) | st.floats(-2, 3) | st.sampled_from(WORDS)
NAMES = st.sampled_from(["csv", "range", "items", "cpus", "memory", "gpus", "disk", "sigma", "a b", "include", "x"])
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=2), max_leaves=5
)


@settings(max_examples=400)
@given(keys=st.dictionaries(st.sampled_from([*sorted(OWN_KEYS), "inputs", "retries", "type"]), ANYTHING, max_size=3))
def test_whatever_stands_there_is_read_or_told_and_the_schema_refuses_nothing_that_is_read(
    keys: dict[str, Any],
) -> None:
    words = ["a", *(["%ITEM%"] if "foreach" in keys else []), *(["%MATRIX%"] if "matrix" in keys else [])]
    data = {"run": [{"name": "x", "commands": ["a"]}, {"name": "y", "environment": "cmd", "commands": words, **keys}]}
    try:
        parse_pipeline(json.dumps(data).encode(), Path("/lab/x.yaml"))  # JSON is YAML
    except PipelineError as error:
        assert all(one.mark and one.message for one in error.diagnostics)
        assert len({(one.mark, one.message) for one in error.diagnostics}) == len(error.diagnostics)
    else:
        assert Draft202012Validator(schema()).is_valid(data)


@pytest.mark.parametrize(
    "keys", ["foreach: {csv: a, csv: b}", "resources: {cpus: 1, cpus: 2}\nretries: 1", "matrix: {a: [1], a: [2]}"]
)
def test_what_is_given_twice_is_told_once(keys: str) -> None:
    (one,) = read(keys, "[a, '%ITEM%']" if "matrix" not in keys else "[a, '%COL:a%']").warnings
    assert "is given twice" in one.message


@pytest.mark.parametrize("keys", ["foreach: [!!int a]", "batch: !!int a\nforeach: a", "resources: {cpus: !!int a}"])
def test_a_tag_that_does_not_fit_is_told_at_its_place(keys: str) -> None:
    assert any("!!int" in one.message or "int" in one.message for one in said(keys))


def test_the_reader_takes_nothing_that_the_schema_refuses() -> None:
    tried: list[Any] = [
        *("foreach: in/*", "foreach: [1, a]", "foreach: {range: 5}", "needs: []", "retry-memory: ~"),
        *("resources: {gpus: 0}", "resources: {disk: 4 GiB}", "foreach: a\nmax-failures: '7'", "inputs:"),
        "retries: 1\nresources: {memory: 500MB}\nretry-memory: '2'",
    ]
    for keys in tried:
        read(keys)
        assert the_schema_takes(keys), keys
