"""Whatever stands in a pipeline file, reading it gives a pipeline or a PipelineError: no other error, and no write."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.errors import PipelineError
from runner.pipeline.diagnostics import render
from runner.pipeline.reader import read_pipeline
from runner.pipeline.text import lines_of

CASES = [path.read_bytes() for path in sorted((Path(__file__).parent.parent / "examples").rglob("*.yaml"))]

Read = Callable[[bytes], None]

_written: list[str] = []
_watching = False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        _written.append(str(arguments[0]))
    elif event in ("os.mkdir", "os.rename", "os.remove", "subprocess.Popen", "os.system"):
        _written.append(event)


@pytest.fixture(scope="module", autouse=True)
def _hook() -> None:
    sys.addaudithook(_watch)  # there is no way to take it away again; it rests unless it is watching


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Read]:
    path = tmp_path / "any.yaml"

    def once(data: bytes) -> None:
        global _watching
        path.write_bytes(data)
        _watching = True
        try:
            assert read_pipeline(path).segments is not None
        except PipelineError as error:
            _watching = False
            check(error, path)
        finally:
            _watching = False

    yield once
    assert not _written
    assert [one.name for one in tmp_path.iterdir()] == ["any.yaml"]


def check(error: PipelineError, path: Path) -> None:
    """Each refusal says something, at a place that the file has."""
    assert error.diagnostics
    for diagnostic in error.diagnostics:
        assert diagnostic.message
        assert diagnostic.file == path
        assert render(diagnostic)
        if diagnostic.mark:
            assert diagnostic.mark.line >= 1
            assert 1 <= diagnostic.mark.column <= len(diagnostic.excerpt) + 2


def fuzz(examples: int) -> settings:
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, deadline=None, suppress_health_check=quiet)


@fuzz(1500)
@given(data=st.binary(max_size=60))
def test_any_bytes(read: Read, data: bytes) -> None:
    read(data)


@fuzz(1500)
@given(text=st.text(max_size=60))
def test_any_text(read: Read, text: str) -> None:
    read(text.encode("utf-8", "surrogatepass"))


LINES = st.sampled_from(
    [
        *r"""run:
- name: x
  name: y
  environment: uv:a
  environment: uv:
  commands:
  - python
  - --a: 1
  - %REPO%/x
  - 'it's'
  - "a\x"
  - --m: 'a' 'b'
  - [a, b]
  - {a: b, c}
  timeout: 3h
  timeout: x
  retries: -1
  <<: *a
a: &a
  b: &b {c: *b}
  env: {A: 1}
  env: [A]
  - |-
  - ?
  - : x
  - !!int x
  - *c
  - &c d
---
...
# c
  - ''
  - ~
%YAML 1.1
! x
  - >
     folded
  outputs: *x
  keep-going: maybe
  - "open
  - 'open
  ]
  }
  type: paus
  cwd: [
  - .nan: .inf
  - 1e400
- - - -
  ? [a]
  : b
  - "\0"
  - "\ud800"
  commands: [a, {b: [c]}]""".splitlines(),
        "\t- tab",
        "\tname: x",
    ]
)


@fuzz(4000)
@given(lines=st.lists(LINES, max_size=12), end=st.sampled_from(["\n", "\r\n", "\r", "\u2028"]))
def test_any_lines_that_look_like_yaml(read: Read, lines: list[str], end: str) -> None:
    read(end.join(lines).encode())


@fuzz(2500)
@given(data=st.data())
def test_any_file_with_something_broken_in_it(read: Read, data: st.DataObject) -> None:
    text = bytearray(data.draw(st.sampled_from(CASES))[:2000])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 3))
        text[place : place + cut] = data.draw(st.sampled_from(PIECES))
    read(bytes(text))


PIECES = [
    b"",
    b" ",
    b"\n",
    b"\t",
    b":",
    b"- ",
    b"'",
    b'"',
    b"%",
    b"*a",
    b"&a ",
    b"[",
    b"}",
    b"!!int ",
    b"#",
    b"\\",
    b"\xff",
]

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3))
KEYS = ["name", "type", "message", "environment", "env", "commands", "cwd", "timeout", "retries", "retry-delay"]
SEGMENTS = st.dictionaries(st.sampled_from([*KEYS, "keep-going", "outputs", "use-linux-distro", "other"]), VALUES)


@fuzz(500)
@given(run=st.lists(SEGMENTS, max_size=2))
def test_any_data(read: Read, run: list[Any]) -> None:
    read(yaml.safe_dump({"run": run}, allow_unicode=True).encode("utf-8", "surrogatepass"))


def test_lines_are_counted_as_yaml_counts_them() -> None:
    assert lines_of("a\r\nb\nc\rd\u2028e\x85f") == ["a", "b", "c", "d", "e", "f"]
