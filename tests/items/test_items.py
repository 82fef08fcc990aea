"""Which items there are, which are done, and the words of their command lines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.errors import UsageError
from runner.items.clashes import clashes
from runner.items.decide import Selection, Why, decide
from runner.items.expand import expand
from runner.items.fill import Filler
from runner.items.identity import marks
from runner.items.item import Item
from runner.items.ledger import Ledger, compact
from runner.items.outputs import Outputs
from runner.model import Foreach, Many, ResolvedFlags
from runner.records.lines import (
    ItemReceipt,
    ItemState,
    append,
    append_files,
    line_of,
    open_lines,
    read_lines,
    write_lines,
)


def of_files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def keys(folder: Path, pattern: str) -> list[str]:
    return [item.key for item in expand(Many(Foreach(pattern=pattern)), str(folder))]


def test_files_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    of_files(tmp_path, "in/b.tif", "in/a/z.tif", "in/a.tif", "in/c.txt", "in/.hidden.tif", "in/.run-pipeline/x.tif")
    assert keys(tmp_path, "in/**/*.tif") == ["a/z.tif", "a.tif", "b.tif"]


def test_a_zarr_is_one_item_and_nothing_in_it_is(tmp_path: Path) -> None:
    of_files(tmp_path, "in/p/a.ome.zarr/0/c.tif", "in/p/a.ome.zarr/b.zarr/x", "in/p/x.tif")
    assert keys(tmp_path, "in/**/*.zarr") == ["p/a.ome.zarr"]
    assert keys(tmp_path, "in/**/*.tif") == ["p/x.tif"]
    assert keys(tmp_path, "in/*/") == ["p"]
    assert keys(tmp_path, "in/*") == []


def test_brackets_in_the_name_of_a_folder_are_no_pattern(tmp_path: Path) -> None:
    of_files(tmp_path, "in [1]/a.tif", "in [1]/b[2].tif")
    assert keys(tmp_path, "in [1]/*.tif") == ["a.tif", "b[2].tif"]
    assert keys(tmp_path, "in [1]/b[2].tif") == ["b[2].tif"]


def test_a_link_to_a_folder_is_gone_through_once_and_a_loop_ends(tmp_path: Path) -> None:
    of_files(tmp_path, "in/b/x.tif", "other/y.tif")
    (tmp_path / "in/b/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/a").symlink_to(tmp_path / "in/b")
    (tmp_path / "in/away").symlink_to(tmp_path / "other")
    assert keys(tmp_path, "in/**/*.tif") == ["away/y.tif", "b/x.tif"]


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_folder_that_cannot_be_read_is_an_error_with_its_path(tmp_path: Path) -> None:
    of_files(tmp_path, "in/a/x.tif")
    (tmp_path / "in/a").chmod(0)
    try:
        with pytest.raises(UsageError, match="in/a"):
            keys(tmp_path, "in/**/*.tif")
    finally:
        (tmp_path / "in/a").chmod(0o755)


def test_names_in_both_spellings_of_umlauts_match(tmp_path: Path) -> None:
    of_files(tmp_path, "in/Zu\u0308rich_1.tif", "in/Z\u00fcrich_2.tif")
    assert len(keys(tmp_path, "in/Z\u00fcrich*.tif")) == 2


NASTY = [
    "a\nb.tif",
    "q\"uo'te.tif",
    "ü.tif",
    "u\u0308.tif",
    "A.tif",
    "a.tif",
    " trailing .tif",
    "-lead.tif",
    "%ITEM%.tif",
]
NASTY += ["x" * 240 + ".tif", "[1].tif", "tab\there.tif", "\udcff.tif", "$(rm).tif", "a;b&c|d.tif"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_nasty_names_go_through_all_of_it(tmp_path: Path) -> None:
    for name in NASTY:
        (tmp_path / name).write_bytes(b"x")
    many = Many(Foreach(pattern="*.tif"))
    items = expand(many, str(tmp_path))
    assert sorted(item.key for item in items) == sorted(NASTY)
    ledger, now = tmp_path / "done.jsonl", marks(items)
    descriptor = open_lines(ledger)
    for item, mark in zip(items, now, strict=True):
        append(descriptor, ItemReceipt(item.key, ItemState.SUCCEEDED, mark))
    os.close(descriptor)
    plan = decide(items, Ledger.read(ledger), now)
    assert (plan.done, plan.to_run) == (len(NASTY), [])
    filler = Filler(many, items, windows=False)
    words = filler.entries(("%NAME%", ResolvedFlags((("--in", "%ITEM%"),))))
    assert [words.fill([item])[0] for item in items] == [item.key for item in items]
    out = tmp_path / "out"
    out.mkdir()
    outputs = Outputs(["out/%STEM%*.csv"], filler, str(tmp_path))
    for item in items:
        assert outputs.gone(item)
        (out / f"{item.key[:-4]}_1.csv").write_bytes(b"x")
    assert not any(Outputs(["out/%STEM%*.csv"], filler, str(tmp_path)).gone(item) for item in items)


def filled(text: str, item: str, *, windows: bool = False) -> str:
    return Filler(Many(Foreach(values=(item,))), [], windows=windows).template(text)(Item(item, item))


@pytest.mark.parametrize(
    ("token", "item", "windows", "wanted"),
    [
        ("%STEM%", "/d/a.ome.tif", False, "a"),
        ("%STEM%", "/d/a.ome.zarr", False, "a"),
        ("%STEM%", "/d/a.nii.gz", False, "a"),
        ("%STEM%", "/d/a.b.tif", False, "a.b"),
        ("%STEM%", "0.5", False, "0.5"),
        ("%STEM%", "/d/scan.001", False, "scan.001"),
        ("%NAME%", r"C:\d\a.tif", True, "a.tif"),
        ("%PARENT%", r"C:\d\a.tif", True, r"C:\d"),
        ("%PARENT%", r"C:\a.tif", True, "C:\\"),
        ("%PARENT%", "/a.tif", False, "/"),
        ("o=%STEM%_%NAME%.csv", "/d/a.tif", False, "o=a_a.tif.csv"),
        ("%ITEM%", "%NAME%", False, "%NAME%"),
        ("100%", "x", False, "100%"),
    ],
)
def test_a_token_stands_anywhere(token: str, item: str, windows: bool, wanted: str) -> None:
    assert filled(token, item, windows=windows) == wanted


def test_a_batch_gets_a_word_for_each_item() -> None:
    many = Many(Foreach(values=("a", "b")), batch=2)
    items = expand(many, "")
    words = Filler(many, items, windows=False).entries(("%ITEMS%", ResolvedFlags((("--in", "%ITEMS%"),))), batch=True)
    assert words.fill(items) == ("a", "b", ResolvedFlags((("--in", "a"),)), "b")
    with pytest.raises(UsageError, match="%ITEM% means one item"):
        Filler(many, items, windows=False).entries(("%ITEM%",), batch=True)


def test_the_reasons_tell_what_changed(tmp_path: Path) -> None:
    of_files(tmp_path, "a.tif", "b.tif", "c.tif", "d.tif")
    many = Many(Foreach(pattern="*.tif"))
    items = expand(many, str(tmp_path))
    known = [ItemReceipt("gone.tif", ItemState.SUCCEEDED, (1, 1))]
    for item, mark in zip(items, marks(items), strict=True):
        if item.key != "d.tif":
            state = ItemState.FAILED if item.key == "c.tif" else ItemState.SUCCEEDED
            known.append(ItemReceipt(item.key, state, mark, note="it ran out of memory"))
    write_lines(tmp_path / "done", iter(known))
    ledger = Ledger.read(tmp_path / "done")
    (tmp_path / "b.tif").write_bytes(b"x" * 2000)
    items = expand(many, str(tmp_path))
    plan = decide(items, ledger, marks(items))
    assert plan.sentence == "4 items: 1 done, 1 new, 1 changed, 1 failed last time; 1 removed"
    reasons = {item.key: (why, reason) for item, why, reason in plan.to_run}
    assert reasons["b.tif"] == (Why.CHANGED, "its size was 1 B, is 2 KiB now")
    assert reasons["c.tif"] == (Why.FAILED, "it ran out of memory")
    only = decide(items, ledger, marks(items), Selection(retry_failed=True))
    assert [one.item.key for one in only.to_run] == ["c.tif"]
    one = decide(items, ledger, marks(items), Selection(force=True, patterns=("a.*", "zz")))
    assert ([p.item.key for p in one.to_run], one.unmatched) == (["a.tif"], ("zz",))


def test_the_same_output_of_two_items_is_told_with_both(tmp_path: Path) -> None:
    of_files(tmp_path, "in/a/x.tif", "in/b/X.tif")
    many = Many(Foreach(pattern="in/**/*.tif"))
    items = expand(many, str(tmp_path))
    outputs = Outputs(["out/%STEM%.csv"], Filler(many, items, windows=False), str(tmp_path))
    assert clashes(items, outputs, platform="linux") == []
    (clash,) = clashes(items, outputs, platform="win32")
    assert "a/x.tif and b/X.tif have the same output" in clash.message
    (own, _) = clashes(items, Outputs(["%ITEM%"], Filler(many, items, windows=False), "/"), platform="linux")
    assert "would overwrite its own input" in own.message


def test_a_torn_or_foreign_line_is_passed_over_and_its_neighbours_count(tmp_path: Path) -> None:
    path = tmp_path / "receipts.jsonl"
    first, second, third = (ItemReceipt(f"{n}.tif", ItemState.SUCCEEDED, (n, n)) for n in range(3))
    path.write_bytes(line_of(first) + line_of(second)[:-5] + line_of(third) + b"\nhello\tdeadbeef\n{}\n\xff\xfe")
    assert list(read_lines(path)) == [first, third]


def test_every_part_of_a_receipt_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "receipts.jsonl"
    outputs, log = (("out/\udcff\n.csv", 12),), ("log-1.txt", 5, 7)
    given = ItemReceipt("a\nb", ItemState.TIMED_OUT, (1, 2, 3), "Zürich", 1.5, 1764.25, -9, 99, outputs, log, 3, "abc")
    descriptor = open_lines(path)
    append(descriptor, given)
    os.close(descriptor)
    assert list(read_lines(path)) == [given]


def test_what_a_killed_worker_left_of_a_line_spoils_no_other_when_files_are_put_together(tmp_path: Path) -> None:
    one, two, three = (ItemReceipt(name, ItemState.SUCCEEDED, (1, 2)) for name in ("1", "2", "3"))
    torn, whole, all_of_them = tmp_path / "torn", tmp_path / "whole", tmp_path / "all"
    torn.write_bytes(line_of(one) + line_of(two)[:-3])
    whole.write_bytes(line_of(three))
    descriptor = open_lines(all_of_them)
    append_files(descriptor, [torn, whole], all_of_them)
    append(descriptor, two)
    os.close(descriptor)
    assert list(read_lines(all_of_them)) == [one, three, two]


def test_a_ledger_is_written_anew_when_most_of_it_is_stale(tmp_path: Path) -> None:
    path = tmp_path / "done.jsonl"
    descriptor = open_lines(path)
    for turn in range(3):
        for n in range(500):
            append(descriptor, ItemReceipt(str(n), ItemState.SUCCEEDED, (n, turn)))
    os.close(descriptor)
    before = Ledger.read(path).done
    assert compact(path)
    assert Ledger.read(path).done == before
    assert len(list(read_lines(path))) == 500


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ("id;größe\n1;2,5\n\n2;3\n".encode("cp1252"), [("1", "2,5"), ("2", "3")]),
        ("id\tn\n1\tx\n".encode("utf-16"), [("1", "x")]),
        ('\ufeffid,note\r\n1,"a, ""b""\nc"\r\n'.encode(), [("1", 'a, "b"\nc')]),
    ],
)
def test_a_table_as_excel_saves_it(tmp_path: Path, data: bytes, wanted: list[tuple[str, ...]]) -> None:
    (tmp_path / "t.csv").write_bytes(data)
    assert [item.cells for item in expand(Many(Foreach(csv="t.csv")), str(tmp_path))] == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,a\n1,2\n3\n", "line 3: it has 1 cells"),
        ("id,a\n1,2\n1,3\n", "line 3: the id `1` stands in line 2 too"),
        ("a,a\n1,2\n", "two columns are called `a`"),
        ("", "is empty"),
    ],
)
def test_a_wrong_table_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(UsageError, match=message):
        expand(Many(Foreach(csv="t.csv")), str(tmp_path))


def test_each_item_meets_each_combination() -> None:
    items = expand(Many(Foreach(values=("a", "b")), (("sigma", ("1", "2")), ("method", ("otsu",)))), "")
    assert [(i.index, i.text, i.label) for i in items][:2] == [
        (1, "a", "sigma-1_method-otsu"),
        (2, "a", "sigma-2_method-otsu"),
    ]
    assert len({item.key for item in items}) == 4
    assert Filler(Many(matrix=(("sigma", ("1",)),)), items, windows=False).template("%COL:sigma%")(items[1]) == "2"
