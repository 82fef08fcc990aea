"""pipeline.schema.json: good for editors, and the same whether jsonschema or the quick look reads it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runner.pipeline.reader import read_pipeline
from runner.pipeline.remarks import KEYS
from runner.pipeline.schema import SCHEMA_PATH, conforms, faults, schema, segment_schema
from runner.pipeline.unknown_keys import TOP_KEYS

EXAMPLES = Path(__file__).parent.parent / "examples"

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "uv:", "uv:a", "uv@3.11:a", "uv@:a", "uv@3", "3h", "1h30m", "soon", " 90 ", "cmd"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "run"]), inner, max_size=2),
    max_leaves=4,
)


def test_it_is_a_valid_schema() -> None:
    Draft202012Validator.check_schema(schema())


def test_it_describes_the_keys_that_the_reader_knows() -> None:
    assert set(segment_schema()["properties"]) == set(KEYS)
    assert set(schema()["properties"]) == set(TOP_KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_has_a_title_a_description_and_valid_examples(key: str) -> None:
    part = segment_schema()["properties"][key]
    assert part["title"]
    assert part["description"].endswith(".")
    assert part["examples"]
    for example in part["examples"]:
        assert not faults({key: example}, segment_schema())


def test_its_own_example_is_a_pipeline(tmp_path: Path) -> None:
    for example in schema()["examples"]:
        path = tmp_path / "example.yaml"
        path.write_text(json.dumps(example), encoding="utf-8")  # JSON is YAML
        pipeline = read_pipeline(path)
        assert pipeline.segments
        assert not pipeline.warnings


def test_it_lies_in_the_package_where_the_wheel_takes_it_from() -> None:
    assert SCHEMA_PATH.parent.name == "schema"
    assert SCHEMA_PATH.parent.parent.name == "runner"


@settings(max_examples=400)
@given(data=st.dictionaries(st.sampled_from([*KEYS, "other"]), VALUES, max_size=4) | VALUES)
def test_the_quick_look_never_passes_what_jsonschema_refuses(data: Any) -> None:
    full = {**segment_schema(), "$defs": schema()["$defs"]}
    valid = Draft202012Validator(full).is_valid(data)
    assert not conforms(data, segment_schema()) or valid
    assert bool(faults(data, segment_schema())) is not valid


@settings(max_examples=100)
@given(data=st.dictionaries(st.sampled_from(["run", "compare", "x"]), VALUES, max_size=3) | VALUES)
def test_the_quick_look_at_a_whole_file_agrees_as_well(data: Any) -> None:
    assert bool(faults(data, schema())) is not Draft202012Validator(schema()).is_valid(data)


def test_a_keyword_that_the_quick_look_does_not_know_leaves_the_answer_to_jsonschema() -> None:
    assert not conforms("a", {"const": "a"})
    assert not faults("a", {"const": "a"})


def test_the_schema_has_an_identity_that_no_network_is_asked_for() -> None:
    identity = schema()["$id"]
    assert identity.startswith("urn:")
    validator = Draft202012Validator(schema())
    validator.check_schema(schema())
    assert not list(validator.iter_errors({"run": [{"environment": "uv:x", "commands": ["python"]}]}))
    assert list(validator.iter_errors({"run": [{"timeout": []}]}))
