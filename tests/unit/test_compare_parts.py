"""The parts of compare that start nothing: pairs, places, moved outputs, settings, verdict."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.compare.isolation import CannotIsolate, Moves, moves_for
from runner.compare.pairing import Item, core, join, stem
from runner.compare.pipelines import match_segments
from runner.compare.places import fixed_part, items_of, places_of
from runner.compare.results import Comparison, Pair, Part, Rung
from runner.compare.settings import read_settings
from runner.compare.sign_off import record, signed_off
from runner.compare.verdict import conclude, forgive_noise, noise_of, unstable
from runner.environments import Site
from runner.errors import PipelineError, UsageError
from runner.host import this_host
from runner.model import Pipeline
from runner.pipeline.reader import parse_pipeline
from runner.tasks import Tasks


def read(folder: Path, *segments: dict[str, Any]) -> tuple[Pipeline, Tasks]:
    pipeline = parse_pipeline(yaml.safe_dump({"run": list(segments)}, width=1000).encode(), folder / "p.yaml")
    site = Site(this_host(interactive=False), folder, {}, folder / ".venvs")
    return pipeline, Tasks(pipeline, site)


def step(name: str, *commands: Any, **keys: Any) -> dict[str, Any]:
    return {"name": name, "environment": "uv:g", "commands": ["python", *commands], **keys}


def test_a_pattern_starts_where_its_first_wildcard_is_and_quoted_brackets_are_none() -> None:
    assert fixed_part("/data [[]1]/out/**/*.tif") == (Path("/data [1]/out"), str(Path("**/*.tif")))
    assert fixed_part("/data/out/t.csv") == (Path("/data/out"), "")


def test_outputs_are_those_declared_else_those_that_flags_name(tmp_path: Path) -> None:
    flags = {"--output-folder": "%YAML%/out", "--output-suffix": "_x", "--input-folder": "%YAML%/raw"}
    _, jobs = read(tmp_path, step("a", flags), step("b", flags, outputs=["%YAML%/declared/**/*.csv"]))
    assert [place.root for place in places_of(jobs[1])] == [tmp_path / "out"]
    assert [place.root for place in places_of(jobs[2])] == [tmp_path / "declared"]


@pytest.mark.parametrize(
    ("outputs", "keys", "root", "files"),
    [
        ("%YAML%/out/%STEM%_mask.tif", {}, "out", ["a_mask.tif"]),
        ("%YAML%/out/%RELATIVE%", {}, "out", ["x.nd2", "d1/x.nd2", "d1/d2/x.nd2"]),
        ("%YAML%/out/%STEM%%INDEX%/r.csv", {}, "out", ["a1/r.csv"]),
        ("%PARENT%/%STEM%.csv", {}, "raw", ["d1/a.csv", "a.csv"]),
        ("%ITEM%.csv", {}, "raw", ["d1/a.nd2.csv", "a.nd2.csv"]),
        ("%STEM%.csv", {"cwd": "%PARENT%"}, "raw", ["d1/a.csv", "a.csv"]),
        ("%YAML%/out/%COL:well%.csv", {"foreach": {"csv": "plates.csv"}}, "out", ["A1.csv", "p/A1.csv"]),
        ("%COL:to%/x.csv", {"foreach": {"csv": "plates.csv"}}, "one", ["x.csv"]),
        ("%YAML%/out/%MATRIX%/*.csv", {"foreach": None, "matrix": {"sigma": [1, 2]}}, "out", ["sigma=1/t.csv"]),
    ],
)
def test_the_outputs_of_all_items_are_one_place(
    tmp_path: Path, outputs: str, keys: dict[str, Any], root: str, files: list[str]
) -> None:
    (tmp_path / "plates.csv").write_text(f"id,well,to\n1,A1,{tmp_path}/one\n")
    word = "%MATRIX%" if "matrix" in keys else "%ITEM%"
    keys = {key: value for key, value in {"foreach": "%YAML%/raw/**/*.nd2", **keys}.items() if value is not None}
    _, jobs = read(tmp_path, step("a", "%YAML%/p.py", word, outputs=[outputs], **keys))
    (place,) = places_of(jobs[1])
    assert place.root == tmp_path / root
    for name in files:
        (place.root / name).parent.mkdir(parents=True, exist_ok=True)
        (place.root / name).write_text("x")
    (place.root / "beside.txt").write_text("x")
    found = [item.name for item in items_of(place, ())]
    assert sorted(found) == sorted([*files, *(["beside.txt"] if "RELATIVE" in outputs else [])])


def test_an_output_folder_for_each_item_is_told_by_a_flag_too(tmp_path: Path) -> None:
    _, jobs = read(tmp_path, step("a", {"--output-folder": "%YAML%/o [1]/%STEM%"}, foreach="%YAML%/raw/*.nd2"))
    (place,) = places_of(jobs[1])
    assert place.root == tmp_path / "o [1]"
    (place.root / "a").mkdir(parents=True)
    (place.root / "a" / "t.csv").write_text("x")
    assert [item.name for item in items_of(place, ())] == ["a/t.csv"]


def test_items_are_moved_with_the_outputs_in_which_they_lie(tmp_path: Path) -> None:
    pipeline, jobs = read(
        tmp_path,
        step("a", {"--input": "%ITEM%", "--output-folder": "%YAML%/out/%STEM%"}, foreach="%YAML%/raw/*.nd2"),
        step("b", "%ITEM%", {"--output-folder": "%YAML%/t"}, foreach="%YAML%/out/**/*.csv", inputs=["%YAML%/out/*"]),
    )
    job = moves_for(pipeline, jobs, tmp_path / "elsewhere").job(jobs[2])
    assert job.many is not None
    assert job.many.foreach is not None
    assert job.many.foreach.pattern == str(tmp_path / "elsewhere/out/**/*.csv")
    assert job.inputs == (str(tmp_path / "elsewhere/out/*"),)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"foreach": "%YAML%/**/*.nd2"}, "in which the output folder"),
        ({"foreach": "%YAML%/out/*.nd2"}, "which no earlier segment has written"),
        ({"foreach": ["%YAML%/out/a.nd2"]}, "which no earlier segment has written"),
        ({"foreach": {"csv": "%YAML%/t.csv"}}, "line 2 of .*t.csv names the output folder"),
        ({"foreach": "%YAML%/raw/*.nd2", "cwd": "%YAML%/out/%STEM%"}, "works in"),
    ],
)
def test_items_that_could_not_be_moved_are_refused(tmp_path: Path, keys: dict[str, Any], why: str) -> None:
    (tmp_path / "t.csv").write_text(f"image\n{tmp_path}/out/a.nd2\n")
    pipeline, jobs = read(tmp_path, step("a", "%ITEM%", {"--output-folder": "%YAML%/out"}, **keys))
    with pytest.raises(CannotIsolate, match=why):
        moves_for(pipeline, jobs, tmp_path / "elsewhere")


def test_moved_outputs_are_moved_wherever_they_are_written_and_nothing_else_is(tmp_path: Path) -> None:
    pipeline, jobs = read(
        tmp_path,
        step("a", {"--input": "%YAML%/raw/**/*.tif", "--output-folder": "%YAML%/out"}),
        step("b", {"--input": "%YAML%/out/**/*.tif", "--model": "%YAML%/out_model/m", "--output-folder": "%YAML%/t"}),
    )
    moves = moves_for(pipeline, jobs, tmp_path / "elsewhere")
    job = moves.job(jobs[2])
    values = dict(pair for entry in job.entries if not isinstance(entry, str) for pair in entry.items)
    assert values == {
        "--input": str(tmp_path / "elsewhere/out/**/*.tif"),
        "--model": str(tmp_path / "out_model/m"),
        "--output-folder": str(tmp_path / "elsewhere/t"),
    }


def test_a_windows_path_is_moved_with_either_separator() -> None:
    moves = Moves({Path("D:/lab/out"): Path("E:/x")})
    there = Path("E:/x")
    assert moves.text("D:\\lab\\out\\a.tif;D:/lab/out") == f"{there}\\a.tif;{there}"
    assert moves.text("D:/lab/outer/a.tif") == "D:/lab/outer/a.tif"


@pytest.mark.parametrize(
    ("segments", "said"),
    [
        ([step("a", "x.py")], "tells no output folder"),
        (
            [step("a", {"--input": "%YAML%/out/old.csv", "--output-folder": "%YAML%/out"})],
            "no earlier segment has written",
        ),
        (
            [step("a", {"--input": "%YAML%/lab/**/*.tif", "--output-folder": "%YAML%/lab/out"})],
            "in which the output folder",
        ),
        ([step("a", {"--output-folder": "%YAML%"})], "beside other files"),
        # what would write into the results that are there: the folder is spelled otherwise, or not named at all
        ([step("a", {"--output-folder": "%YAML%/out"}, outputs=["%YAML%/more/*.csv"])], "does not name"),
        ([step("a", "x.py", "settings.toml", outputs=["%YAML%/out/*.csv"])], "does not name"),
        ([step("a", "x.py", cwd="%YAML%/out", outputs=["*.csv"])], "works in"),
        pytest.param(
            [
                step("a", {"--output-folder": "%YAML%/out"}),
                step("b", {"--input": "%YAML%/link/a.csv", "--output-folder": "%YAML%/b"}),
            ],
            "in another spelling",
            marks=pytest.mark.skipif(os.name == "nt", reason="links need a right that users of Windows lack"),
        ),
    ],
)
def test_what_cannot_be_moved_safely_is_told(tmp_path: Path, segments: list[dict[str, Any]], said: str) -> None:
    pipeline, jobs = read(tmp_path, *segments)
    (tmp_path / "out").mkdir()
    if os.name != "nt":
        (tmp_path / "link").symlink_to(tmp_path / "out")
    with pytest.raises(CannotIsolate, match=said):
        moves_for(pipeline, jobs, tmp_path / "elsewhere")


@pytest.mark.parametrize("spelled", ["{}/x/../out", "{}//out", "{}/./out/", "--output-folder={}/x/../out"])
def test_an_output_folder_in_another_spelling_is_not_taken_for_a_moved_one(tmp_path: Path, spelled: str) -> None:
    text = spelled.format(tmp_path)
    words = [text] if text.startswith("--") else ["--output-folder", text]
    with pytest.raises(CannotIsolate, match="in another spelling"):
        moves_for(*read(tmp_path, step("a", *words)), tmp_path / "elsewhere")


def test_segments_pair_up_by_name_and_else_by_position(tmp_path: Path) -> None:
    one, _ = read(tmp_path, step("a"), step("b"), step("c"))
    two, _ = read(tmp_path, step("b"), step("a"), step("c"))
    assert [(a.name, b.name) for a, b in match_segments(one, two) if a and b] == [("a", "a"), ("b", "b"), ("c", "c")]
    three, _ = read(tmp_path, step("x"), step("y"), step("z"))
    assert [(a.name, b.name) for a, b in match_segments(one, three) if a and b] == [("a", "x"), ("b", "y"), ("c", "z")]
    four, _ = read(tmp_path, step("x"))
    with pytest.raises(UsageError, match="names do not tell"):
        match_segments(one, four)


def test_files_pair_by_name_and_by_stem_only_where_that_is_unmistakable() -> None:
    def items(*names: str) -> list[Item]:
        return [Item(name, Path(name)) for name in names]

    pairs = join(items("a.tif", "b.png", "c.csv", "d.tif", "d.png"), items("a.tif", "b.ome.tif", "c.tif", "d.npy"))
    assert {p.name: (p.a is not None, p.b is not None) for p in pairs} == {
        "a.tif": (True, True), "b.png": (True, True), "c.csv": (True, False), "c.tif": (False, True),
        "d.tif": (True, False), "d.png": (True, False), "d.npy": (False, True),
    }  # fmt: skip


def test_two_names_that_only_look_the_same_find_their_own_partners() -> None:
    composed, apart = "\u00fc.txt", "u\u0308.txt"
    items = [Item(name, Path(name)) for name in (apart, composed)]
    assert [(p.a, p.b) for p in join(items, items)] == [(i.path, i.path) for i in items]
    assert [(p.a, p.b) for p in join(items[:1], items[1:])] == [(items[0].path, items[1].path)]
    assert all(p.a is None or p.b is None or p.a == p.b for p in join(items, items[1:]))


def test_what_a_name_says_of_its_image_is_left_out_of_its_core() -> None:
    assert stem("x/cell.ome.tif") == "x/cell"
    assert core("x/cell_labels.tif") == core("x/cell_objects.csv") == "x/cell"


def test_a_later_file_and_then_the_command_line_win(tmp_path: Path) -> None:
    for name, text in (
        ("a", "compare: {image: {max: 1, ssim: 0.9}, ignore: '*.log'}"),
        ("b", "compare: {image: {max: 2}}"),
    ):
        (tmp_path / f"{name}.yaml").write_text(text)
    settings = read_settings([tmp_path / "a.yaml", tmp_path / "b.yaml"], ["image.p99.9=3", "table.keys=a,b"], ["*.bak"])
    assert settings.image == {"max": 2.0, "ssim": 0.9, "p99.9": 3.0}
    assert settings.table == {"keys": ["a", "b"]}
    assert settings.ignore == ["*.log", "*.bak"]


def test_columns_to_leave_out_add_up_from_files_and_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("compare: {table: {ignore-columns: created}}")
    (tmp_path / "b.yaml").write_text("compare: {table: {ignore-columns: ['*_time'], rtol: 1}}")
    settings = read_settings([tmp_path / "a.yaml", tmp_path / "b.yaml"], ["table.ignore-columns=host"], [], ["v*"])
    assert settings.table == {"ignore-columns": ["created", "*_time", "host", "v*"], "rtol": 1.0}
    assert settings.for_program()["table"] == settings.table
    (tmp_path / "a.yaml").write_text("compare:\n  table: {ignore-columns: [{created: 1}]}\n")
    with pytest.raises(PipelineError) as told:
        read_settings([tmp_path / "a.yaml"], [], [])
    assert "`ignore-columns` must be names of columns" in str(told.value.diagnostics[0].message)


def test_columns_named_y_or_no_keep_their_names(tmp_path: Path) -> None:
    text = (
        "compare: {table: {ignore-columns: [x, y, on], keys: n, columns: {y: {atol: 1}, NO: {rtol: 2}}}, ignore: [n]}"
    )
    (tmp_path / "a.yaml").write_text(text)
    settings = read_settings([tmp_path / "a.yaml"], [], [])
    columns = {"y": {"atol": 1.0}, "NO": {"rtol": 2.0}}
    assert settings.table == {"ignore-columns": ["x", "y", "on"], "keys": ["n"], "columns": columns}
    assert settings.ignore == ["n"]


def test_columns_to_leave_out_are_no_part_of_the_content_hash(tmp_path: Path) -> None:
    text = "run: [{name: a, environment: cmd, commands: [x]}]\n"
    more = text + "compare: {table: {ignore-columns: [created]}}\n"
    hashes = {parse_pipeline(t.encode(), tmp_path / "p.yaml").segments[0].content_hash for t in (text, more)}
    assert len(hashes) == 1


def pair(rung: Rung, distance: float = 0.0, kind: str = "image") -> Pair:
    return Pair(0, "f.tif", Path("a"), Path("b"), rung, kind, "said", distance)


def named(name: str, distance: float, kind: str = "image", rung: Rung = Rung.DIFFERENT, **over: float) -> Pair:
    return Pair(0, name, Path("a"), Path("b"), rung, kind, "said", distance, over=over)


def forgiven(pairs: list[Pair], again: list[Pair]) -> list[str]:
    part = Part("s", pairs, again={one.name: one for one in again})
    forgive_noise(part, 1.5)
    return [one.name for one in part.pairs if one.rung is Rung.NOISE]


def test_noise_forgives_up_to_its_factor_and_only_its_own_kind() -> None:
    pairs = [named("1.tif", 1.4), named("2.tif", 1.6), named("3.csv", 0.1, "table"), named("4.tif", math.inf)]
    assert forgiven(pairs, [named("1.tif", 1.0), named("2.tif", 1.0), named("4.tif", 1.0)]) == ["1.tif"]


def test_an_image_that_varies_excuses_none_that_is_the_same_each_time_or_varies_little() -> None:
    pairs = [named(name, 0.3) for name in ("random.tif", "steady.tif", "nearly.tif")]
    again = [named("random.tif", 0.4), named("steady.tif", 0.0, rung=Rung.SAME), named("nearly.tif", 1e-4)]
    assert forgiven(pairs, again) == ["random.tif"]
    films = [named(f"{n}.tif", d) for n, d in enumerate((0.010, 0.012, 0.011))]
    assert forgiven(films, [named(f"{n}.tif", d) for n, d in enumerate((0.010, 0.004, 0.011))]) == [
        "0.tif",
        "1.tif",
        "2.tif",
    ]


def test_a_column_that_varies_excuses_no_other_column() -> None:
    again = [named("1.csv", 50000, "table", seconds=50000, area=2), named("2.csv", 9, "table", seconds=9)]
    pairs = [named("1.csv", 60000, "table", seconds=60000, area=2.5), named("2.csv", 50000, "table", seconds=50000)]
    assert forgiven(pairs, again) == ["1.csv", "2.csv"]
    pairs = [named("1.csv", 60000, "table", seconds=60000, area=40000), named("2.csv", 300, "table", mean=300)]
    assert forgiven(pairs, again) == []


def test_what_is_no_matter_of_degree_makes_no_noise_floor() -> None:
    again = [pair(Rung.DIFFERENT, math.inf), pair(Rung.DIFFERENT, 0.5), pair(Rung.MISSING)]
    assert noise_of(again) == {"image": 0.5}
    assert [p.rung for p in unstable(again)] == [Rung.DIFFERENT, Rung.MISSING]


def test_a_part_that_was_not_compared_is_never_the_same() -> None:
    comparison = Comparison("a", "b", [Part("one", [pair(Rung.SAME)]), Part("two", note="it tells no outputs")])
    conclude(comparison)
    assert not comparison.good
    assert comparison.sentence.endswith("Not compared: two.")


@pytest.mark.parametrize(
    ("rungs", "sentence"),
    [
        ([Rung.SAME], "same: its only file has the same bytes"),
        ([Rung.WITHIN, Rung.WITHIN], "same: all 2 files are the same within the tolerance"),
        ([Rung.NOISE], "same: its only file is different by no more than A differs from itself"),
        ([Rung.SAME, Rung.WITHIN], "same: of 2 files 1 the same bytes; 1 the same within the tolerance"),
        ([Rung.SAME, Rung.MISSING, Rung.DIFFERENT], "different: of 3 files 1 differs, 1 is missing in B; 1 agree"),
    ],
)
def test_the_sentence_of_a_part(rungs: list[Rung], sentence: str) -> None:
    comparison = Comparison("a", "b", [Part("s", [pair(rung) for rung in rungs])])
    conclude(comparison)
    assert comparison.parts[0].sentence == sentence


@pytest.mark.parametrize("text", ['<<<<<<< ours\n{"signed_by": "Ada"}\n', '{"mine": 1}', "[]", ""])
def test_a_sign_off_is_not_written_over_what_cannot_be_read_as_one(tmp_path: Path, text: str) -> None:
    files = tmp_path / "a.yaml", tmp_path / "b.yaml"
    there = tmp_path / "sign_offs" / "a--b.json"
    there.parent.mkdir()
    there.write_text(text)
    with pytest.raises(UsageError, match="cannot be read as a sign-off and stays"):
        record(Comparison("a", "b", []), *files, tmp_path, "Ada", "looked at it", "user")
    assert there.read_text() == text


def test_a_sign_off_counts_for_its_two_files_as_they_are_and_not_for_others_of_their_names(tmp_path: Path) -> None:
    pairs_of_files = []
    for lab in ("one", "two"):
        (tmp_path / lab).mkdir()
        files = tmp_path / lab / "nuclei.yaml", tmp_path / lab / "nuclei_uv.yaml"
        for path in files:
            path.write_text(f"# {path}")
        pairs_of_files.append(files)
    for files, name in zip(pairs_of_files, ("Ada", "Bob"), strict=True):
        comparison = Comparison(*map(str, files), [Part("s", [pair(Rung.DIFFERENT)])], settings={"image": {"max": 3}})
        record(comparison, *files, tmp_path, name, "looked at it", "user")
    for files, name in zip(pairs_of_files, ("Ada", "Bob"), strict=True):
        found = signed_off(*files, tmp_path)
        assert found is not None
        assert found["signed_by"] == name
        assert found["settings"] == {"image": {"max": 3}}
    pairs_of_files[0][1].write_text("# edited")
    assert signed_off(*pairs_of_files[0], tmp_path) is None
    assert signed_off(*pairs_of_files[1], tmp_path) is not None
