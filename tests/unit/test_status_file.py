from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from runner.state.status import Entry, StatusBook, entry_text, read_status, scalar, status_path, status_text

HASH = "0f3c" * 16


def entry(name: str = "A", content_hash: str = HASH) -> Entry:
    return Entry(name, content_hash, "2025-09-19", "0.0.18", "1m23.456s")


def test_an_entry_is_written_byte_for_byte_as_go_writes_it(tmp_path: Path) -> None:
    book = StatusBook(tmp_path / "x_status.yaml", [entry("Segment ER with ERnet-v2")], {})
    book.save()
    assert (tmp_path / "x_status.yaml").read_text(encoding="utf-8") == (
        "segments:\n"
        "- name: Segment ER with ERnet-v2\n"
        f"  content_hash: {HASH}\n"
        '  last_processed: "2025-09-19"\n'
        "  code_version: 0.0.18\n"
        "  run_duration: 1m23.456s\n"
    )
    assert [p.name for p in tmp_path.iterdir()] == ["x_status.yaml"]


@given(st.text(max_size=30))
def test_any_name_is_read_back_as_it_was_by_a_yaml_parser_and_by_us(name: str) -> None:
    name = name.encode("utf-8", "ignore").decode("utf-8")
    text = status_text([entry_text(entry(name))], {})
    assert yaml.safe_load(text)["segments"][0]["name"] == name


@pytest.mark.parametrize(
    "name", ["12", "true", "1e5", "2025-09-19", "1:30", "0x1f", "~", "", "y", "=", "a: b", "#x", "- a"]
)
def test_a_name_that_yaml_would_take_for_something_else_is_quoted(name: str) -> None:
    assert scalar(name)[0] in "'\""
    assert yaml.safe_load(scalar(name)) == name


@example(["NULL", "~", "null"])
@given(st.lists(st.text(min_size=1, max_size=12), max_size=6))
def test_the_quick_reader_and_the_yaml_reader_agree(names: list[str]) -> None:
    import tempfile

    from runner.state.status import _read_canonical, _read_yaml

    entries = [entry(name, f"{i:064x}") for i, name in enumerate(n.encode("utf-8", "ignore").decode() for n in names)]
    text = status_text([entry_text(e) for e in entries], {})
    quick = _read_canonical(text)
    assert quick is None or tuple(quick) == _read_yaml(text).entries
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.yaml"
        path.write_bytes(text.encode())
        assert read_status(path).entries == tuple(entries)


def test_keys_that_we_do_not_know_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "p_status.yaml"
    path.write_text(f"segments:\n- name: A\n  content_hash: {HASH}\n  last_processed: x\n  host: PC-7\nx: 1\n")
    status = read_status(path)
    StatusBook(path, status.entries, status.extra).save()
    again = read_status(path)
    assert again.entries[0].extra == {"host": "PC-7"}
    assert again.extra == {"x": "1"}


@pytest.mark.parametrize(
    "text", ["", "segments:\n", "segments: []\n", "segments: null\n", "{}\n", "segments:\n- name: A\n"]
)
def test_a_file_without_finished_segments_counts_as_empty(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p_status.yaml"
    path.write_text(text)
    status = read_status(path)
    assert not status.broken
    assert not any(e.done for e in status.entries)


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\xff", b"segments: [", b"- a\n- b\n", b"segments:\n- 1\n", b"segments: x\n", b"a: *b"]
)
def test_a_file_that_cannot_be_read_says_so_and_counts_as_empty(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "p_status.yaml"
    path.write_bytes(data)
    status = read_status(path)
    assert status.broken
    assert status.entries == ()


@given(st.binary(max_size=200))
def test_no_content_of_a_status_file_raises(data: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.yaml"
        path.write_bytes(b"segments:\n- " + data)
        read_status(path)


def test_a_truncated_file_never_calls_the_torn_segment_done(tmp_path: Path) -> None:
    whole = status_text([entry_text(entry("A", "a" * 64)), entry_text(entry("B", "b" * 64))], {})
    path = tmp_path / "p_status.yaml"
    for length in range(len(whole)):
        path.write_text(whole[:length])
        done = [e.content_hash for e in read_status(path).entries if e.done]
        assert done in ([], ["a" * 64], ["a" * 64, "b" * 64])
        if "b" * 64 in done:
            assert 'last_processed: "2025-09-19"' in whole[:length].split("name: B")[1] or "2025" in whole[:length]


def test_the_status_file_stands_beside_the_pipeline() -> None:
    assert status_path(Path("/data/my run.yaml")) == Path("/data/my run_status.yaml")
    assert status_path(Path("/data/x.yml")) == Path("/data/x_status.yaml")


def test_recording_a_segment_twice_keeps_one_entry(tmp_path: Path) -> None:
    book = StatusBook(tmp_path / "s.yaml", [entry("A", "a" * 64)], {})
    book.record(entry("A", "a" * 64))
    book.record(entry("B", "b" * 64))
    assert [e.name for e in book.entries] == ["A", "B"]


def test_a_segment_recorded_alone_goes_before_later_ones(tmp_path: Path) -> None:
    book = StatusBook(tmp_path / "s.yaml", [entry("A", "a" * 64), entry("C", "c" * 64)], {})
    book.record(entry("B", "b" * 64), later=frozenset({"c" * 64}))
    assert [e.name for e in book.entries] == ["A", "B", "C"]
