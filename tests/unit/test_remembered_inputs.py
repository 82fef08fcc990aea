"""What a segment read is remembered: new, changed and gone inputs are never met by "all done", and nothing else is."""

from __future__ import annotations

import itertools
import json
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from runner.inputs.ledger import NAME, Ledger
from runner.inputs.looking import Look, same
from runner.inputs.news import news, why_again
from runner.inputs.see import Use, adopt, remember, see, settle
from runner.model import ResolvedEntry, ResolvedFlags
from runner.pipeline.reader import read_pipeline
from runner.pipeline.tokens import resolve, resolve_entries

REPO = Path(__file__).resolve().parents[2]


class Lab:
    """A pipeline's folder, and a runner that does its segments as they are told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.order: list[tuple[int, str]] = []

    def write(self, name: str, text: str = "x") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def use(
        self,
        *entries: ResolvedEntry | tuple[str, str],
        inputs: tuple[str, ...] = (),
        outputs: tuple[str, ...] = (),
        upstream: tuple[str, ...] = (),
        name: str = "",
        env: dict[str, str] | None = None,
    ) -> Use:
        resolved = tuple(ResolvedFlags((one,)) if isinstance(one, tuple) else one for one in entries)
        base = str(self.folder)
        return Use(
            name or f"{len(self.order) + 1:064x}",
            resolved,
            base,
            env or {},
            inputs,
            outputs,
            [(pattern, base) for pattern in upstream],
            [str(self.folder / "p.yaml")],
        )

    def ledger(self) -> Ledger:
        return Ledger.read(self.folder / ".run-pipeline" / "p.yaml", self.folder)

    def run(self, use: Use, does: Callable[[], object] = lambda: None) -> Use:
        ledger = self.ledger()
        before = see(use, ledger)
        does()
        remember(ledger, before)
        if use.content_hash not in [known for _, known in self.order]:
            self.order.append((len(self.order) + 1, use.content_hash))
        return use

    def ended(self) -> None:
        settle(self.ledger(), [known for _, known in self.order])

    def news(self) -> list[str]:
        return news(self.ledger(), self.order)

    def why(self, use: Use) -> str:
        return why_again(self.ledger(), self.order, use)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_images_that_were_added_are_told_with_the_segment_to_start_from(lab: Lab) -> None:
    lab.write("raw/a.tif")
    lab.run(lab.use("python", ("--input-search-pattern", str(lab.folder / "raw/**/*.tif"))))
    assert lab.news() == []
    lab.write("raw/b.tif")
    lab.write("raw/day2/c.tif")
    assert lab.news() == ["2 files in raw/ are new since segment 1 was done: `--from 1` (b.tif, day2/c.tif)"]


@pytest.mark.parametrize(
    "entries",
    [
        ("python", ("--input", "raw")),
        ("python", "go.py", "raw"),
        ("python", "--folder=raw"),
        ("python", "-i", "raw"),
        ("python", "-i", "raw/*.tif"),
        ("python go.py raw > out.txt",),
        ("python go.py 'raw/*.tif'",),
        ("python", "-i", "raw/*.{tif,png}"),
        ("fiji", "macro.ijm", "input=[raw],output=[out]"),
        ("fiji", "macro.ijm", "input='raw', sigma=2"),
        ("python", "--inputs", "other;raw"),
    ],
)
def test_a_folder_is_known_in_whatever_way_it_is_written(lab: Lab, entries: tuple[ResolvedEntry, ...]) -> None:
    lab.write("raw/a.tif")
    lab.run(lab.use(*entries))
    lab.write("raw/b.tif")
    assert lab.news() == ["1 file in raw/ is new since segment 1 was done: `--from 1` (b.tif)"]


def test_a_folder_in_the_environment_is_known(lab: Lab) -> None:
    lab.write("raw/a.tif")
    lab.write("scratch/x")
    lab.run(lab.use("python", env={"IMAGES": "raw", "TMPDIR": "scratch", "OUTPUT_FOLDER": "scratch", "N": "1"}))
    lab.write("raw/b.tif")
    lab.write("scratch/y")
    assert lab.news() == ["1 file in raw/ is new since segment 1 was done: `--from 1` (b.tif)"]


@pytest.mark.parametrize("flag", ["--temporal-stack", "--catalog", "--network", "--biological-images", "--templates"])
def test_a_flag_that_holds_a_word_for_passing_things_names_an_input_all_the_same(lab: Lab, flag: str) -> None:
    for name in ("raw/a.tif", "log/a", "cache/a"):
        lab.write(name)
    lab.run(lab.use("python", (flag, "raw"), ("--log-dir", "log"), "--cachedir=cache"))
    for name in ("raw/b.tif", "log/b", "cache/b"):
        lab.write(name)
    assert lab.news() == ["1 file in raw/ is new since segment 1 was done: `--from 1` (b.tif)"]


def test_many_names_are_shortened_and_each_kind_of_change_is_told(lab: Lab) -> None:
    for name in "abc":
        lab.write(f"raw/{name}.tif")
    lab.run(lab.use("python", ("--input", "raw")))
    for number in range(5):
        lab.write(f"raw/n{number}.tif")
    lab.write("raw/a.tif", "longer")
    (lab.folder / "raw/b.tif").unlink()
    assert lab.news() == [
        "5 files in raw/ are new since segment 1 was done: `--from 1` (n0.tif, n1.tif, n2.tif and 2 more)",
        "1 file in raw/ was changed since segment 1 was done: `--from 1` (a.tif)",
        "1 file in raw/ is gone since segment 1 was done: `--from 1` (b.tif)",
    ]


def test_the_first_image_of_a_folder_that_was_empty_is_news(lab: Lab) -> None:
    (lab.folder / "raw").mkdir()
    lab.run(lab.use("python", ("--input", str(lab.folder / "raw/*.tif")), ("--output-folder", "out")))
    lab.write("raw/a.tif")
    assert len(lab.news()) == 1


def test_a_mended_script_is_news_and_one_that_was_only_touched_is_not(lab: Lab) -> None:
    script = lab.write("segment_x.py", "print(1)")
    lab.run(lab.use("python", str(script)))
    os.utime(script, (1, 1))
    assert lab.news() == []
    script.write_text("print(2)")
    assert lab.news() == ["segment_x.py was changed since segment 1 was done: `--from 1`"]


def test_a_script_that_was_mended_while_it_ran_is_news(lab: Lab) -> None:
    script = lab.write("segment_x.py", "print(1)")
    lab.run(lab.use("python", "segment_x.py"), lambda: script.write_text("print(2)"))
    assert lab.news() == ["segment_x.py was changed since segment 1 was done: `--from 1`"]


def test_an_image_of_the_same_size_and_an_older_time_is_changed(lab: Lab) -> None:
    image = lab.write("raw/a.tif", "abc")
    lab.run(lab.use("python", ("--input", "raw")))
    image.write_text("xyz")
    os.utime(image, ns=(10**18 + 7, 10**18 + 7))
    assert lab.news() == ["1 file in raw/ was changed since segment 1 was done: `--from 1` (a.tif)"]


@pytest.mark.parametrize("folder", ["raw [2024]", "raw (1) äöü", "r*w", "a'b", "100%", "a=b,c;d"])
@pytest.mark.parametrize("rest", ["", "/*.tif", "/**/*.tif"])
def test_folders_of_odd_names_are_known(lab: Lab, folder: str, rest: str) -> None:
    if os.name == "nt" and "*" in folder:
        pytest.skip("no such name here")
    lab.write(f"{folder}/a [1].tif")
    lab.run(lab.use("python", ("--input", str(lab.folder / folder) + rest)))
    lab.write(f"{folder}/b.tif")
    assert lab.news() == [f"1 file in {folder}/ is new since segment 1 was done: `--from 1` (b.tif)"]


@pytest.mark.skipif(os.name == "nt", reason="no such names there")
def test_names_that_no_screen_can_show_are_told_in_one_line(lab: Lab) -> None:
    lab.write("raw/a.tif")
    lab.run(lab.use("python", ("--input", "raw")))
    lab.write("raw/b\nc.tif")
    (Path(os.fsdecode(os.fsencode(lab.folder) + b"/raw/\xff.tif"))).write_text("x")
    (told,) = lab.news()
    assert "\n" not in told
    told.encode()


def test_a_script_that_many_segments_use_is_told_once_for_the_first(lab: Lab) -> None:
    script = lab.write("x.py")
    for _ in range(3):
        lab.run(lab.use("python", str(script)))
    script.write_text("mended")
    assert lab.news() == ["x.py was changed since segment 1 was done: `--from 1`"]


def test_raw_data_that_was_moved_to_the_archive_makes_no_results_anew(lab: Lab) -> None:
    lab.write("raw/a.tif")
    lab.run(lab.use("python", ("--input", "raw")))
    declared = lab.run(lab.use("python", inputs=("raw/*.tif", "raw/plan.csv")))
    (lab.folder / "raw").rename(lab.folder / "archive")
    assert (lab.news(), lab.why(declared)) == ([], "")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="who may read everything")
def test_a_folder_that_cannot_be_read_is_not_taken_for_empty(lab: Lab) -> None:
    lab.write("raw/day1/a.tif")
    lab.run(lab.use("python", ("--input", "raw")))
    declared = lab.run(lab.use("python", inputs=("raw/**/*.tif",)))
    (lab.folder / "raw/day1").chmod(0)
    try:
        assert (lab.news(), lab.why(declared)) == ([], "")
    finally:
        (lab.folder / "raw/day1").chmod(0o755)


def test_a_file_that_is_still_written_while_it_is_read_is_news(lab: Lab) -> None:
    lab.write("raw/a.nd2", "half")
    use = lab.use("python", ("--input", "raw/*.nd2"), ("--output-folder", "tif"))
    lab.run(use, lambda: lab.write("raw/a.nd2", "half and half"))
    assert lab.news() == ["1 file in raw/ was changed since segment 1 was done: `--from 1` (a.nd2)"]


# the common pipelines, each without a false alarm


def test_results_in_a_folder_of_their_own_are_no_news_and_the_microscope_that_goes_on_is(lab: Lab) -> None:
    lab.write("raw/a.tif")
    convert = lab.use("python", ("--input", "raw/*.tif"), ("--output-folder", "tif"))
    lab.run(convert, lambda: [lab.write("tif/a.tif"), lab.write("raw/b.tif")])
    lab.run(lab.use("python", ("--input", "tif/*.tif"), ("--output-folder", "mask")), lambda: lab.write("mask/a.tif"))
    assert lab.news() == ["1 file in raw/ is new since segment 1 was done: `--from 1` (b.tif)"]


@pytest.mark.parametrize("output", [(), (("--output-folder", "raw"),)])
def test_masks_beside_the_images_are_no_news(lab: Lab, output: tuple[tuple[str, str], ...]) -> None:
    lab.write("raw/a_1.tif")
    lab.write("raw/a_2.tif")
    use = lab.use("python", ("--input", "raw"), *output)

    def mask() -> None:
        for path in sorted((lab.folder / "raw").glob("a_?.tif")):
            lab.write(f"raw/{path.stem}_mask.tif", str(time.time_ns()))

    lab.run(use, mask)
    assert lab.news() == []
    lab.write("raw/a_3.tif")
    assert lab.news() == ["1 file in raw/ is new since segment 1 was done: `--from 1` (a_3.tif)"]
    lab.run(use, mask)
    assert lab.news() == []


def test_a_series_that_goes_on_is_news_even_where_masks_are_written_beside_it(lab: Lab) -> None:
    for number in (1, 2):
        lab.write(f"raw/img_{number:04}.tif")

    def work() -> None:
        lab.write("raw/img_0001_mask.tif")
        lab.write("raw/log_1.txt")
        lab.write("raw/img_0003.tif")

    lab.run(lab.use("python", ("--input", "raw")), work)
    assert lab.news() == ["1 file in raw/ is new since segment 1 was done: `--from 1` (img_0003.tif)"]


def test_a_log_and_thumbnails_among_the_inputs_are_no_news_at_any_start(lab: Lab) -> None:
    lab.write("raw/a.tif")
    use = lab.use("python", ("--input", "raw"), ("--output-folder", "tif"))
    for number in range(3):
        lab.run(use, lambda n=number: [lab.write(f"raw/log_{n}.txt"), lab.write("raw/a.thumb.jpg", str(n))])
        assert lab.news() == []


def test_conversion_in_place_is_no_news(lab: Lab) -> None:
    for name in "ab":
        lab.write(f"raw/{name}.tif")
        lab.write(f"raw/{name}.old")

    def work() -> None:
        for path in (lab.folder / "raw").glob("*.tif"):
            path.write_text("converted")
        for path in (lab.folder / "raw").glob("*.old"):
            path.unlink()

    lab.run(lab.use("python", ("--input", "raw")), work)
    assert lab.news() == []
    lab.run(lab.use("python", ("--input", "raw/*.tif"), outputs=("raw/*.tif",)), work)
    assert lab.news() == []
    lab.write("raw/c.tif")
    assert lab.news() == ["1 file in raw/ is new since segment 1 was done: `--from 1` (c.tif)"]


def test_a_later_segment_that_writes_into_an_earlier_ones_inputs_makes_no_news(lab: Lab) -> None:
    lab.write("raw/a.tif")
    lab.write("plates.csv")
    lab.run(lab.use("python", ("--input", "raw"), ("--table", "plates.csv"), ("--output-folder", "tif")))
    lab.run(
        lab.use("python", ("--input", "tif"), ("--table", "plates.csv"), ("--output-folder", "raw/masks")),
        lambda: lab.write("raw/masks/a.tif"),
    )
    lab.run(lab.use("python", ("--table", "plates.csv")), lambda: lab.write("plates.csv", "with a column"))
    lab.run(lab.use("python", ("--output-folder", "raw")), lambda: lab.write("raw/a.tif", "sharper"))
    lab.run(lab.use("python", "somewhere.py"), lambda: lab.write("raw/report.html"))
    lab.ended()
    assert lab.news() == []
    lab.write("raw/b.tif")
    assert lab.news() == ["1 file in raw/ is new since segment 1 was done: `--from 1` (b.tif)"]


@pytest.mark.parametrize("path", sorted((REPO / "pipeline_configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_pipelines_that_ship_make_no_news_of_their_own(lab: Lab, path: Path) -> None:
    copy = lab.folder / path.name
    copy.write_bytes(path.read_bytes())
    pipeline = read_pipeline(copy)
    words = {"repo": REPO, "folder": lab.folder, "dotenv": {}, "windows": os.name == "nt"}
    uses, earlier = [], []
    for segment in pipeline.segments:
        outputs = [resolve(pattern, **words) for pattern in segment.outputs]
        entries = resolve_entries(segment, **words)
        uses.append(Use(segment.content_hash, entries, str(REPO), {}, (), outputs, tuple(earlier), [str(copy)]))
        earlier += [(pattern, str(REPO)) for pattern in outputs]
    for name in ("example_data", "my_images"):
        lab.write(f"{name}/a_dapi.tif")
        lab.write(f"{name}/a.png")
    for _ in range(2):  # the second one with all results of the first in place
        for use in uses:
            made = [re.sub(r"\*+[/\\]", "", pattern).replace("*", "a") for pattern in use.outputs]
            lab.run(use, lambda made=made: [lab.write(name, str(time.time_ns())) for name in made])
        lab.ended()
        assert (lab.news(), [lab.why(use) for use in uses]) == ([], [""] * len(uses))
    for name in ("example_data/new.png", "my_images/new_dapi.tif", "my_images/new.nd2"):
        lab.write(name)
    reads = any(b"%/" + name in copy.read_bytes() for name in (b"example_data/**", b"my_images/**"))
    assert [text for text in lab.news() if "`--from 1`" in text] or not reads


@pytest.mark.parametrize(
    "name", ["Thumbs.db", ".DS_Store", "desktop.ini", "._a.tif", "~$plan.xlsx", "__pycache__/x.pyc", "b.tif.part"]
)
def test_what_systems_put_down_by_themselves_is_never_news(lab: Lab, name: str) -> None:
    lab.write("raw/a.tif")
    lab.run(lab.use("python", ("--input", "raw")))
    lab.write(f"raw/{name}")
    assert lab.news() == []


def test_the_runners_own_files_are_never_news(lab: Lab) -> None:
    lab.write("p.yaml")
    lab.write("raw/a.tif")
    lab.run(lab.use("python", ("--input", str(lab.folder)), ("--pipeline", str(lab.folder / "p.yaml"))))
    lab.write("p_status.yaml", "segments:")
    lab.write(".run-pipeline/p.yaml/000001-2025/run.json")
    lab.write("raw/b.tif")
    assert [text[:1] for text in lab.news()] == ["1"]


def test_an_image_in_an_ome_zarr_counts_as_one(lab: Lab) -> None:
    lab.write("raw/a.zarr/.zattrs")
    lab.write("raw/a.zarr/0/0/0")
    lab.run(lab.use("python", ("--input", "raw")))
    lab.write("raw/a.zarr/0/0/1")
    lab.write("raw/b.zarr/.zattrs")
    lab.write("raw/b.zarr/0/0/0")
    assert lab.news() == [
        "1 file in raw/ is new since segment 1 was done: `--from 1` (b.zarr)",
        "1 file in raw/ was changed since segment 1 was done: `--from 1` (a.zarr)",
    ]


def test_a_pattern_whose_folder_the_shell_knows_alone_is_not_taken_for_the_root(lab: Lab) -> None:
    lab.write("raw/a.tif")
    seen = see(lab.use("sh", "-c", 'cp "$1"/* tif', "x", "raw"), lab.ledger())
    assert [source.root for source, _ in seen.sources] == [str(lab.folder / "raw")]


def test_links_that_lead_in_a_ring_are_walked_once(lab: Lab) -> None:
    lab.write("raw/a.tif")
    try:
        (lab.folder / "raw/again").symlink_to(lab.folder / "raw", target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    lab.run(lab.use("python", ("--input", "raw")))
    assert lab.news() == []


# declared inputs


def test_declared_inputs_that_are_new_changed_or_gone_are_a_reason(lab: Lab) -> None:
    for name in "ab":
        lab.write(f"raw/{name}.tif")
    use = lab.run(lab.use("python", inputs=("raw/*.tif",)))
    assert lab.why(use) == ""
    lab.write("raw/a.tif", "longer")
    (lab.folder / "raw/b.tif").unlink()
    lab.write("raw/c.tif")
    assert (
        lab.why(use)
        == "1 file in raw/ is new (c.tif); 1 file in raw/ was changed (a.tif); 1 file in raw/ is gone (b.tif)"
    )
    assert lab.news() == []
    lab.run(use)
    assert lab.why(use) == ""


def test_a_declared_file_that_was_not_there_is_new(lab: Lab) -> None:
    use = lab.run(lab.use("python", inputs=("plates.csv",)))
    lab.write("plates.csv")
    assert lab.why(use) == "plates.csv is new"


def test_outputs_of_an_earlier_segment_count_as_inputs_where_they_are_read(lab: Lab) -> None:
    lab.write("tif/a.tif")
    lab.write("other/a.csv")
    reads = lab.run(lab.use("python", ("--input", "tif/*.tif"), upstream=("tif/*.tif", "other/*.csv")))
    lab.write("other/a.csv", "longer")
    assert lab.why(reads) == ""
    lab.write("tif/a.tif", "longer")
    assert lab.why(reads) == "1 file in tif/ was changed (a.tif)"
    (lab.folder / "tif/a.tif").unlink()
    assert lab.why(reads) == "", "what lies between may be removed"


def test_a_later_segment_that_mends_an_earlier_ones_output_is_no_reason(lab: Lab) -> None:
    lab.write("a.csv")
    reads = lab.run(lab.use("python", ("--table", "a.csv"), upstream=("a.csv",)))
    lab.run(lab.use("python", ("--table", "a.csv"), outputs=("a.csv",)), lambda: lab.write("a.csv", "a column more"))
    assert lab.why(reads) == ""


def test_a_segment_that_was_done_before_anything_was_remembered_is_adopted_once(lab: Lab) -> None:
    lab.write("raw/a.tif")
    use = lab.use("python", ("--input", "raw"))
    lab.order = [(1, use.content_hash)]
    for name in ("b.tif", "c.tif"):
        adopt(lab.ledger(), use)
        lab.write(f"raw/{name}")
    assert lab.news() == ["2 files in raw/ are new since segment 1 was done: `--from 1` (b.tif, c.tif)"]


def test_a_pattern_that_is_no_longer_declared_is_no_reason(lab: Lab) -> None:
    lab.write("raw/a.tif")
    lab.write("plates.csv")
    use = lab.run(lab.use("python", inputs=("raw/*.tif", "plates.csv")))
    lab.write("plates.csv", "others")
    assert lab.why(replace(use, inputs=("raw/*.tif",))) == lab.why(replace(use, inputs=())) == ""


def test_a_segment_that_writes_into_its_own_inputs_does_not_run_for_ever(lab: Lab) -> None:
    lab.write("table.csv")
    lab.write("tif/a.tif")
    use = lab.use("python", ("--in", "tif"), inputs=("table.csv",), outputs=("out/*.tif",), upstream=("tif/*.tif",))

    def work() -> None:
        lab.write("out/a.tif")
        for name in ("table.csv", "tif/a.tif"):
            with (lab.folder / name).open("a") as file:
                file.write("one more")

    lab.run(use, work)
    assert lab.why(use) == "table.csv was changed", "it may still have been written by someone"
    for _ in range(3):
        lab.run(use, work)
        assert lab.why(use) == ""
    lab.run(use)
    lab.run(use, work)
    assert lab.why(use) == ""
    lab.write("table.csv", "by hand")
    assert lab.why(use) == "table.csv was changed"


def test_what_a_segment_adds_to_an_earlier_ones_outputs_is_no_reason(lab: Lab) -> None:
    lab.write("tif/img_1.tif")
    use = lab.use("python", ("--in", "tif"), ("--out", "mask"), upstream=("tif/*.tif",))
    for number in range(2, 5):
        lab.run(use, lambda n=number: lab.write(f"tif/img_{n}.tif"))
        assert lab.why(use) == ""


def test_own_outputs_among_declared_inputs_are_no_reason(lab: Lab) -> None:
    lab.write("raw/a.tif")
    use = lab.use("python", inputs=("raw/*.tif",), outputs=("raw/*_mask.tif",))
    lab.run(use, lambda: lab.write("raw/a_mask.tif"))
    assert lab.why(use) == ""
    lab.write("raw/a_mask.tif", "painted")
    assert lab.why(use) == ""
    lab.write("raw/b.tif")
    assert lab.why(use) == "1 file in raw/ is new (b.tif)"


def test_an_image_that_comes_while_a_segment_with_declared_inputs_runs_is_a_reason(lab: Lab) -> None:
    lab.write("raw/a.tif")
    use = lab.use("python", inputs=("raw/*.tif",), outputs=("tif/*.tif",))
    lab.run(use, lambda: [lab.write("tif/a.tif"), lab.write("raw/x.tif")])
    assert lab.why(use) == "1 file in raw/ is new (x.tif)"


def test_a_segment_of_which_nothing_is_known_stays_done(lab: Lab) -> None:
    lab.write("raw/a.tif")
    lab.order = [(1, "a" * 64)]
    assert lab.why(lab.use(inputs=("raw/*.tif",), name="a" * 64)) == ""
    assert lab.news() == []


def test_a_mended_script_is_told_where_inputs_are_declared_too(lab: Lab) -> None:
    script = lab.write("x.py")
    lab.write("settings.csv")
    use = lab.run(lab.use("python", "x.py", ("--settings", "settings.csv"), inputs=("raw/*.tif",)))
    script.write_text("mended")
    lab.write("settings.csv", "others")
    assert lab.why(use) == ""
    assert lab.news() == ["x.py was changed since segment 1 was done: `--from 1`"]


def test_declared_inputs_that_are_written_in_another_way_since_are_no_reason(lab: Lab) -> None:
    lab.write("raw/a.tif")
    lab.write("raw/b.png")
    use = lab.run(lab.use("python", inputs=("raw/*.tif", "raw/*.png")))
    assert lab.why(replace(use, inputs=("raw/*",))) == ""
    lab.write("raw/c.csv")
    assert lab.why(replace(use, inputs=("raw/*",))) == "1 file in raw/ is new (c.csv)"


def test_outputs_count_where_the_arguments_of_a_segment_with_other_inputs_name_them(lab: Lab) -> None:
    lab.write("tif/a.tif")
    lab.write("plates.csv")
    use = lab.use("python", ("--input", "tif"), inputs=("plates.csv",), outputs=("m/*.tif",), upstream=("tif/*.tif",))
    lab.run(use, lambda: lab.write("m/a.tif"))
    lab.write("tif/b.tif")
    assert lab.why(use) == "1 file in tif/ is new (b.tif)"


def test_inputs_that_are_only_touched_are_a_reason_unless_they_are_small_and_named(lab: Lab) -> None:
    image, table = lab.write("raw/a.tif"), lab.write("plates.csv")
    use = lab.run(lab.use("python", inputs=("raw/*.tif", "plates.csv")))
    os.utime(table, (1, 1))
    assert lab.why(use) == ""
    os.utime(image, (1, 1))
    assert lab.why(use) == "1 file in raw/ was changed (a.tif)"


def test_each_place_is_looked_at_once_for_all_segments(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.write("raw/a.tif")
    uses = [lab.run(lab.use("python", inputs=("raw/*.tif",))) for _ in range(3)]
    scans: list[object] = []
    scandir = os.scandir
    monkeypatch.setattr("runner.inputs.looking.os.scandir", lambda path: (scans.append(path), scandir(path))[1])
    look = Look()
    assert [why_again(lab.ledger(), lab.order, use, look) for use in uses] == [""] * 3
    assert len(scans) == 1


# the file


def test_torn_and_foreign_lines_are_passed_over(lab: Lab) -> None:
    lab.write("raw/a.tif")
    use = lab.run(lab.use("python", ("--input", "raw")))
    path = lab.folder / ".run-pipeline/p.yaml" / NAME
    whole = path.read_bytes()
    for torn in (whole[:-30], b"", b"\xff\n[]\n", b'{"hash":"', b'{"hash":"' + b"0" * 64 + b'", "sources": [[1]]}\n'):
        path.write_bytes(torn)
        assert lab.news() == []
        lab.run(use)
        lab.write(f"raw/{len(torn)}.tif")
        assert len(lab.news()) == 1, torn


def test_the_later_line_counts_and_a_folder_that_was_moved_is_known(lab: Lab, tmp_path: Path) -> None:
    lab.write("here/raw/a.tif")
    here = Lab(tmp_path / "here")
    use = here.run(here.use("python", ("--input", "raw")))
    here.write("raw/b.tif")
    here.run(use)
    (tmp_path / "here").rename(tmp_path / "there")
    there = Lab(tmp_path / "there")
    there.order = here.order
    assert there.news() == []
    there.write("raw/c.tif")
    assert len(there.news()) == 1


def test_a_ledger_that_has_grown_is_written_anew_with_what_counts(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.inputs.ledger._WORTH_IT", 1)
    lab.write("raw/a.tif")
    for _ in range(5):
        use = lab.run(lab.use("python", ("--input", "raw"), name="b" * 64))
    lab.run(lab.use("python", name="c" * 64))
    ledger = lab.ledger()
    ledger.compact([use.content_hash])
    lines = [json.loads(line) for line in ledger.path.read_text().splitlines()]
    assert [line["hash"] for line in lines] == ["b" * 64]


def test_segments_that_end_side_by_side_are_all_remembered(lab: Lab) -> None:
    lab.write("raw/a.tif")
    ledger = lab.ledger()
    uses = [lab.use("python", ("--input", "raw"), name=f"{number:064x}") for number in range(20)]
    threads = [threading.Thread(target=lambda u=use: remember(ledger, see(u, ledger))) for use in uses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(lab.ledger().line(use.content_hash) for use in uses)


def test_records_that_cannot_be_written_stop_no_run(lab: Lab) -> None:
    lab.write(".run-pipeline", "a file")
    lab.run(lab.use("python"))


# many files, many segments, odd times


def test_of_too_many_files_the_number_is_known(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.inputs.see.MOST_FILES", 10)
    for number in range(12):
        lab.write(f"raw/{number}.tif")
    lab.run(lab.use("python", ("--input", "raw"), ("--output-folder", "out")))
    assert lab.news() == []
    lab.write("raw/new.tif")
    assert lab.news() == ["raw/ holds 13 files, and held 12 since segment 1 was done: `--from 1`"]


def test_of_a_slow_share_the_number_is_known_too(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = itertools.count()
    monkeypatch.setattr("runner.inputs.see.PATIENCE", 15.5)
    for number in range(10):
        lab.write(f"raw/{number}.tif")
    with monkeypatch.context() as patch:  # a clock that goes on by a second at each file that is looked at
        patch.setattr("runner.inputs.looking.time.monotonic", lambda: float(next(steps)))
        ledger = lab.ledger()
        seen = see(lab.use("python", ("--other", "raw/*"), ("--input", "raw"), ("--output-folder", "out")), ledger)
    assert [(len(found.files), found.count, found.late) for _, found in seen.sources] == [
        (10, -1, False),
        (0, 10, False),
    ]
    remember(ledger, seen)
    lab.order.append((1, seen.content_hash))
    assert lab.news() == []
    lab.write("raw/new.tif")
    assert "raw/ holds 11 files, and held 10 since segment 1 was done: `--from 1`" in lab.news()


def test_what_cannot_be_looked_through_in_time_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.inputs.see.PATIENCE", -1)
    lab.write("raw/a.tif")
    lab.run(lab.use("python", ("--input", "raw"), ("--output-folder", "out")))
    assert lab.news() == ["raw/ holds too much to look through: declare `inputs:` in segment 1 to know what is new"]


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        (5_300_000_123, 5_300_000_123, True),
        (5_300_000_123, 5_000_000_000, True),  # whole seconds
        (5_300_000_123, 4_000_000_000, True),  # FAT
        (5_300_000_123, 5_300_000_100, True),  # NTFS
        (5_300_400_000, 5_300_000_000, True),  # milliseconds
        (4_000_000_000, 5_000_000_000, False),
        (4_000_000_000, 6_000_000_000, False),
        (5_300_000_123, 5_300_000_124, False),
        (5_300_000_123, 9_000_000_000, False),
        (1000 * 10**9, 4600 * 10**9, True),  # summer time, on FAT and out of a ZIP
        (5_300_000_123, 5_300_000_123 + 3600 * 10**9, False),
    ],
)
def test_times_differ_where_no_file_system_made_the_difference(a: int, b: int, equal: bool) -> None:
    assert same((1, a, ""), (1, b, ""), "nowhere") == same((1, b, ""), (1, a, ""), "nowhere") == equal
    assert not same((1, a, ""), (2, b, ""), "nowhere")


def test_a_thousand_segments_with_nothing_new_are_looked_at_in_no_time(lab: Lab) -> None:
    lab.write("config.csv")
    ledger = lab.ledger()
    for number in range(1000):
        script = lab.write(f"scripts/{number}.py")
        use = lab.use("python", str(script), ("--config", "config.csv"), name=f"{number:064x}")
        remember(ledger, see(use, ledger))
        lab.order.append((number + 1, use.content_hash))
    taken = []
    for _ in range(5):
        start = time.process_time()
        assert lab.news() == []
        taken.append(time.process_time() - start)
    assert min(taken) < 0.08, taken
    assert replace(use, inputs=()) == use
