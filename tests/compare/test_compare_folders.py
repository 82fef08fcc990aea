"""`run-pipeline compare DIR_A DIR_B`: each planted difference is reported as what it is."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import unicodedata
from typing import Any

import psutil
import pytest

from tests.compare.conftest import Bench
from tests.programs.conftest import REPO


def test_planted_differences_of_images_and_objects_are_told_as_what_they_are(bench: Bench) -> None:
    bench.make("split", "shifted", "permuted", "empty", "broken_network", "damaged", "pixel_size", "floats", "packed")
    told = bench.compare(code=1)
    files = bench.files(told)

    def is_(name: str, rung: str, *words: str) -> None:
        assert files[name]["rung"] == rung, files[name]
        for word in words:
            assert word in files[name]["said"], files[name]["said"]

    is_("cell_labels.tif", "different", "4 objects against 5", "1 split (object 3 of A is 3, 9 in B)", "Dice 1.0000")
    is_("moved.tif", "different", "shifted by 3 px down and 5 px left")
    is_("perm_labels.tif", "same content", "the same 4 objects, 4 of them with other numbers")
    is_("perm_objects.csv", "same content", "objects numbered as in A")
    is_("both_labels.tif", "same content")
    is_("one_labels.tif", "different", "A has no object")
    is_("er_mask.tif", "different", "centreline Dice 0.95")
    is_("torn.tif", "unreadable", "may be damaged")
    is_("scaled.ome.tif", "different", "the pixels are the same, but pixel size in X is 0.107 against 0.108 µm")
    is_("stack.tif", "within tolerance", "SSIM 1.00000")
    is_("nan.npy", "different", "1 pixel is a number in one image alone")
    is_("plain.tif", "same content", "written differently")
    is_("cell.tif", "same bytes")
    assert told["same"] is False
    split = files["cell_labels.tif"]["measures"]
    assert (split["tp_50"], split["fp_50"], split["fn_50"], split["tp_90"], split["splits"]) == (4, 1, 0, 3, 1)
    assert split["split"][0]["centre"] == pytest.approx([170, 80], abs=0.6)
    assert split["pq"] == pytest.approx(0.78, abs=0.01)


def test_tables_are_joined_on_keys_and_not_on_the_order_of_rows_or_columns(bench: Bench) -> None:
    bench.make("reordered", "changed_cell", "books")
    files = bench.files(bench.compare(code=1))
    assert files["table.csv"]["rung"] == "same content"
    assert files["table.csv"]["said"] == "same values (columns in another order, rows in another order)"
    assert files["values.csv"]["rung"] == "different"
    assert (
        "1 value beyond the tolerance, most of all area of label 3: 103.0 against 103.5" in files["values.csv"]["said"]
    )
    for name in ("book.xlsx", "t.parquet"):
        assert "area of label 3: 3.0 against 3.5" in files[name]["said"] or "3 against 3.5" in files[name]["said"]


def test_a_tolerance_makes_the_same_difference_pass(bench: Bench) -> None:
    bench.make("changed_cell")
    assert bench.compare("--tolerance", "table.columns.area.atol=1", code=0)["same"] is True
    assert bench.compare("--tolerance", "table.rtol=0.01", code=0)["same"] is True
    assert bench.compare("--tolerance", "table.rtol=1e-6", code=1)["same"] is False


def test_a_plane_too_large_for_one_piece_and_a_film_and_zarr_chunks_are_compared(bench: Bench) -> None:
    bench.make("tiles", "frames", "zarr_chunks")
    files = bench.files(bench.compare(code=1))
    assert "1 split (object 2 of A is" in files["big_labels.tif"]["said"]
    assert files["big_labels.tif"]["measures"]["split"][0]["centre"] == [4094.5, 5099.5]
    assert files["film_labels.tif"]["said"] == "the same 6 objects, 2 of them with other numbers"
    assert files["cell.ome.zarr"]["rung"] == "same content"


def test_labels_and_other_arrays_inside_a_zarr_image_are_not_passed_over(bench: Bench) -> None:
    bench.make("zarr_labels")
    files = bench.files(bench.compare(code=1))
    assert files["cell.ome.zarr"]["rung"] == "same content"
    assert "1 split (object 3 of A is 3, 9 in B)" in files["cell.ome.zarr/labels/cells"]["said"]
    assert files["two.zarr"]["said"] == "the pixels are the same, but what else it holds differs: second"
    done = bench.run("compare", bench.a, bench.b, "--report", bench.root / "report", code=1)
    assert done.stdout.count("no picture") == 0
    assert len(list((bench.root / "report" / "pictures").iterdir())) == 10


def test_a_second_image_in_a_file_is_not_passed_over(bench: Bench) -> None:
    bench.make("two_series")
    files = bench.files(bench.compare(code=1))
    begin = "the pixels are the same, but what else it holds differs: series 2"
    assert files["changed.ome.tif"]["said"] == begin
    assert files["fewer.ome.tif"]["said"] == f"{begin} (in A alone)"


def test_one_pixel_at_the_very_end_of_a_stack_is_found(bench: Bench) -> None:
    bench.make("last_pixel")
    files = bench.files(bench.compare(code=1))
    assert files["as_it_was.tif"]["rung"] == "same content"
    assert files["last_pixel.tif"]["rung"] == "different"
    assert files["last_pixel.tif"]["measures"]["max"] == 1
    assert files["last_pixel.tif"]["measures"]["worst_plane"] == 2


def test_numbers_that_are_easily_taken_for_equal_are_not(bench: Bench) -> None:
    bench.make("rare_numbers")
    done = bench.run("compare", bench.a, bench.b, "--json", code=1)
    assert "Warning" not in done.stderr
    files = bench.files(json.loads(done.stdout))
    assert files["huge.npy"]["said"].startswith("100.00% of the pixels differ, by at most 1")
    assert files["wave.npy"]["said"].startswith("100.00% of the pixels differ, by at most 4")
    assert "99.9 % by at most 32); RMSE is 32, SSIM" in files["flat.npy"]["said"]
    assert [files[n]["rung"] for n in ("huge.npy", "wave.npy", "flat.npy")] == ["different"] * 3
    assert [files[n]["rung"] for n in ("wave_nan.npy", "special.npy")] == ["same content"] * 2
    assert files["none.npy"]["said"] == "not compared: A holds no pixel"


def test_objects_have_numbers_of_any_type_that_programs_write(bench: Bench) -> None:
    bench.make("rare_labels")
    done = bench.run("compare", bench.a, bench.b, "--json", code=1)
    assert "Warning" not in done.stderr
    files = bench.files(json.loads(done.stdout))
    assert files["float_labels.tif"]["said"] == "the same 4 objects, 4 of them with other numbers"
    assert files["high_labels.tif"]["said"].startswith("4 objects against 3, 3 matched, 1 lost")
    for name in ("below_labels.tif", "above_labels.tif", "part_labels.tif"):
        assert files[name]["rung"] == "different", files[name]
        assert "0.00" not in files[name]["said"].partition(",")[0]
        assert "objects were not matched" in files[name]["remarks"][0]
    assert files["part_labels.tif"]["said"].startswith("1 of 65,536 pixels differs, by at most 0.5")


def test_a_limit_that_a_pair_cannot_be_measured_by_lets_nothing_pass(bench: Bench) -> None:
    bench.make("thick")
    limits = ("image.ssim=0.1", "labels.cl-dice=0.1")
    files = bench.files(bench.compare(*(f"--tolerance={limit}" for limit in limits), code=1))
    assert {name: pair["rung"] for name, pair in files.items()} == {
        "thick_mask.tif": "different", "tiny.tif": "different",
    }  # fmt: skip


def test_a_damaged_file_is_told_with_its_side(bench: Bench) -> None:
    bench.make("damaged")
    (bench.a / "empty.tif").write_bytes(b"")
    (bench.b / "empty.tif").write_bytes((bench.a / "torn.tif").read_bytes())
    files = bench.files(bench.compare(code=1))
    assert files["torn.tif"]["said"] == "not compared: B ends before its last row; it may be damaged"
    assert files["empty.tif"]["said"] == "not compared: A is an empty file"


def test_tables_that_programs_write_awkwardly_are_read_as_they_are_meant(bench: Bench) -> None:
    bench.make("awkward_tables")
    files = bench.files(bench.compare(code=1))
    assert "v (2) of label 1: 3 against 4" in files["twice.csv"]["said"]
    for name in ("numbered.csv", "results.csv"):
        assert files[name]["said"] == "same values (rows in another order)", files[name]["said"]
    assert files["missing.csv"]["rung"] == "same content"
    assert "v of label 1: no value against 7" in files["lost.csv"]["said"]


def test_text_json_and_other_files_need_no_measuring_program(bench: Bench) -> None:
    for folder, end, number, name in ((bench.a, "\n", 1.0, "x"), (bench.b, "\r\n", 1.0000001, "y")):
        (folder / "notes.txt").write_bytes(f"one{end}two{end}".encode())
        (folder / "facts.json").write_text(json.dumps({"n": number, "m": [1, 2]}, indent=None if name == "x" else 2))
        (folder / "other.json").write_text(json.dumps({"a": {"name": name}}))
        (folder / "raw.bin").write_bytes(name.encode())
        (folder / "sub").mkdir()
        (folder / "sub" / "same.bin").write_bytes(b"same")
        (folder / "sub" / f"only {name}.txt").write_text("")
        (folder / ".DS_Store").write_text(name)
    told = bench.compare(code=1, PATH=str(bench.root))
    files = bench.files(told)
    rungs = {name: pair["rung"] for name, pair in files.items()}
    assert rungs == {
        "notes.txt": "same content", "facts.json": "within tolerance", "other.json": "different",
        "raw.bin": "different", "sub/same.bin": "same bytes", "sub/only x.txt": "missing", "sub/only y.txt": "extra",
    }  # fmt: skip
    assert files["other.json"]["said"] == "1 value differs, first a.name: 'x' against 'y'"


def test_json_nested_beyond_all_measure_is_compared_as_text(bench: Bench) -> None:
    for folder, inside in ((bench.a, ""), (bench.b, "1")):
        (folder / "deep.json").write_text("[" * 100_000 + inside + "]" * 100_000)
        (folder / "flag.json").write_text('{"flag": true, "list": [1, null]}' if inside else '{"flag": 1, "list": [1]}')
    files = bench.files(bench.compare(code=1))
    assert files["deep.json"]["kind"] == "text"
    assert files["flag.json"]["said"] == "2 values differ, first flag: 1 against true"


def test_yaml_that_stands_for_more_than_can_be_held_is_compared_as_text_and_can_be_stopped(bench: Bench) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    for folder, value in ((bench.a, "1"), (bench.b, "2")):
        (folder / "bomb.yaml").write_text(f"{bomb}z: {value}\n")
        (folder / "ring.yaml").write_text(f"a: &a [*a, {value}]\n")
        (folder / "odd.yaml").write_text(f"a: !!timestamp {value}x\n")
        (folder / "alias.yaml").write_text(f"a: &a [1.5, 2]\nb: *a\nc: {value}\n")
    files = bench.files(bench.compare(code=1, PATH=str(bench.root)))
    assert files["bomb.yaml"]["said"] == "line 10 is 'z: 1' against 'z: 2'"
    assert {files[name]["kind"] for name in ("bomb.yaml", "ring.yaml", "odd.yaml")} == {"text"}
    assert files["alias.yaml"]["said"] == "1 value differs, first c: 1 against 2"


def test_text_is_the_same_in_any_encoding_and_a_long_line_is_shown_where_it_differs(bench: Bench) -> None:
    for folder, encoding, value in ((bench.a, "utf-8", "1"), (bench.b, "utf-16", "2")):
        (folder / "wide.txt").write_bytes("Fläche\n".encode(encoding))
        (folder / "old.log").write_bytes("Fläche\n".encode("cp1252" if value == "1" else "utf-8"))
        (folder / "long.txt").write_text("x" * 1_000_000 + value + "y" * 1_000_000)
        (folder / "twice.json").write_text(f'{{"a": {value}, "a": 5}}')
        (folder / "bytes.txt").write_bytes(b"\0" + value.encode())
    files = bench.files(bench.compare("--report", bench.root / "report", code=1, PATH=str(bench.root)))
    assert [files[name]["rung"] for name in ("wide.txt", "old.log")] == ["same content"] * 2
    shown = "x" * 40
    assert files["long.txt"]["said"] == f"line 1 is '…{shown}1{'y' * 39}' against '…{shown}2{'y' * 39}'"
    assert [files[name]["rung"] for name in ("twice.json", "bytes.txt")] == ["different"] * 2
    assert (bench.root / "report" / "index.html").stat().st_size < 100_000


@pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")
def test_links_to_folders_are_never_passed_over(bench: Bench) -> None:
    for folder, value in ((bench.a, "1"), (bench.b, "2")):
        for name in ("equal", "other", "run"):
            (bench.root / f"{name} {value}").mkdir()
            (bench.root / f"{name} {value}" / "r.txt").write_text(value if name == "other" else "0")
            (folder / name).symlink_to(bench.root / f"{name} {value}")
        (folder / "latest").symlink_to("run")
        (folder / "ring").symlink_to(folder)
    files = bench.files(bench.compare(code=1, PATH=str(bench.root)))
    assert {name: pair["rung"] for name, pair in files.items()} == {
        "equal": "same bytes", "run": "same bytes", "latest": "same bytes", "other": "unreadable", "ring": "unreadable",
    }  # fmt: skip
    assert "a link to a folder, and what lies behind it is not the same" in files["other"]["said"]
    bench.compare("--ignore", "other", "--ignore", "ring", code=0)


def test_pictures_that_show_more_than_their_first_pixels_are_not_the_same(bench: Bench) -> None:
    bench.make("pictures", "plain_folder")
    done = bench.run("compare", bench.a, bench.b, "--json", code=1)
    files = bench.files(json.loads(done.stdout))
    assert "A holds several pictures" in files["film.png"]["said"]
    assert {files[name]["rung"] for name in ("photo.jpg", "turned.tif", "far.tif")} == {"different"}
    assert "viewers turn it (orientation 3) in B" in files["turned.tif"]["said"]
    assert files["cell"]["rung"] == "same content", "an OME-Zarr folder of any name is an image"
    assert "Warning" not in done.stderr


def test_files_of_other_endings_pair_up_by_their_stem(bench: Bench) -> None:
    bench.make("packed")
    (bench.b / "plain.tif").rename(bench.b / "plain.ome.tif")
    told = bench.compare(code=0)
    assert list(bench.files(told)) == ["plain.tif"]


def test_a_name_with_an_umlaut_is_one_name_on_every_system(bench: Bench) -> None:
    (bench.a / unicodedata.normalize("NFC", "Zählung.txt")).write_text("1")
    (bench.b / unicodedata.normalize("NFD", "Zählung.txt")).write_text("1")
    assert bench.compare(code=0)["verdict"].endswith("the same bytes.")


def test_a_folder_is_not_compared_with_itself_or_with_a_part_of_itself(bench: Bench) -> None:
    (bench.a / "new").mkdir()
    assert "are the same folder" in bench.run("compare", bench.a, bench.a / "new" / "..", code=2).stderr
    assert f"{bench.a / 'new'} lies in {bench.a}" in bench.run("compare", bench.a, bench.a / "new", code=2).stderr


@pytest.mark.skipif(os.name == "nt", reason="a large file without content is a matter of POSIX")
def test_ctrl_c_ends_the_reading_of_a_large_file(bench: Bench) -> None:
    for folder in (bench.a, bench.b):
        with (folder / "large.bin").open("wb") as file:
            file.truncate(200 << 30)
    command = [sys.executable, "-m", "runner", "compare", str(bench.a), str(bench.b)]
    with subprocess.Popen(command, cwd=REPO, env=bench.environ(), stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 30
        while not any(file.path.endswith("large.bin") for file in psutil.Process(process.pid).open_files()):
            assert time.monotonic() < deadline, "it does not read"
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert "stopped while comparing" in process.communicate(timeout=15)[1]
    assert process.returncode == 130


def test_what_claims_more_than_fits_into_memory_is_told_and_no_memory_is_asked_for(bench: Bench) -> None:
    bench.make("huge_claims")
    told, most = measured(bench)
    files = bench.files(told)
    for name in ("chunk.zarr", "picture.png", "picture.bmp", "strip.tif", "tile.tif", "planes.ome.tif"):
        assert files[name]["rung"] == "unreadable", files[name]
        assert files[name]["said"].startswith("not compared: A is too large to compare: "), files[name]
    assert files["picture.png"]["said"].endswith("the picture has 1.5 GiB, and the most is 1 GiB")
    assert files["mapped.npy"]["rung"] == "unreadable"
    assert most < 600 << 20, f"{most:,}"


def test_an_image_in_one_large_piece_is_compared_in_parts(bench: Bench) -> None:
    bench.make("large_pieces")
    told, most = measured(bench)
    files = bench.files(told)
    for name in ("strip.tif", "chunk.zarr"):
        assert files[name]["rung"] == "different"
        assert files[name]["measures"]["max"] == 1, files[name]
        assert files[name]["measures"]["pixels_changed"] == 1
    assert files["turned.npy"]["measures"]["max"] == 1
    assert most < 1200 << 20, f"{most:,}"


def measured(bench: Bench) -> tuple[dict[str, Any], int]:
    """What a comparison tells, and the most memory that it and its programs took together."""
    command = [sys.executable, "-m", "runner", "compare", str(bench.a), str(bench.b), "--json"]
    most = 0
    with subprocess.Popen(
        command, cwd=REPO, env=bench.environ(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        while process.poll() is None:
            sizes = 0
            with contextlib.suppress(psutil.Error):
                own = psutil.Process(process.pid)
                for one in (own, *own.children(recursive=True)):
                    sizes += one.memory_info().rss
            most = max(most, sizes)
            time.sleep(0.02)
        assert process.stdout is not None
        return json.loads(process.stdout.read()), most


@pytest.mark.skipif(os.name == "nt", reason="pipes among files are a matter of POSIX")
def test_pipes_and_devices_among_the_files_are_told_and_not_read(bench: Bench) -> None:
    bench.make("zarr_chunks")
    for folder in (bench.a, bench.b):
        os.mkfifo(folder / "pipe.txt")
        os.mkfifo(folder / "pipe.tif")
        os.mkfifo(folder / "cell.ome.zarr" / "0" / "c.9")
        (folder / "endless.csv").symlink_to("/dev/zero")
        (folder / "lost.csv").symlink_to(folder / "not there")
    os.mkfifo(bench.a / "one.txt")
    (bench.b / "one.txt").write_text("text")
    files = bench.files(bench.compare(code=1))
    for name in ("pipe.txt", "pipe.tif", "cell.ome.zarr", "endless.csv", "one.txt"):
        assert files[name]["rung"] == "unreadable"
        assert files[name]["said"].endswith("it is a pipe or a device, and no file"), files[name]
    assert files["lost.csv"]["said"].endswith("lost.csv: No such file or directory")


@pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")
def test_what_lies_behind_links_in_a_zarr_image_is_compared(bench: Bench) -> None:
    bench.make("zarr_chunks")
    for folder, value in ((bench.a, "1"), (bench.b, "2")):
        shutil.rmtree(folder / "cell.ome.zarr")
        (folder / "image.zarr").mkdir()
        chunks = bench.root / f"chunks {value}"
        chunks.mkdir()
        (chunks / "0").write_bytes(value.encode())
        (folder / "image.zarr" / "c").symlink_to(chunks)
        (folder / "image.zarr" / "zarr.json").write_text(
            '{"zarr_format": 3, "node_type": "array", "shape": [1], "data_type": "uint8", "fill_value": 0,'
            '"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1]}},'
            '"chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},'
            '"codecs": [{"name": "bytes"}]}'
        )
    assert bench.files(bench.compare(code=1))["image.zarr"]["rung"] == "different"
    (bench.a / "image.zarr" / "ring").symlink_to(bench.a / "image.zarr")
    assert "leads to the same folder once more" in bench.files(bench.compare(code=1))["image.zarr"]["said"]


SAME_PLACE = ("other unit, same length", "british", "angstrom", "whole, same", "moved by nothing", "moved, same")
OTHER_PLACE = {
    "other unit, same number": "pixel size in X is 0.1 against 0.0001 µm",
    "unknown unit": "pixel size in X is 0.1 cubit against 0.1 verst",
    "whole": "pixel size in X is 0.1 against 0.2 µm",
    "moved": "position in Y is 0 against 5 µm",
    "moved by the whole": "position in X is 7 against 0 µm",
    "time": "pixel size in T is 1 against 60 s",
    "channels": "channels are DAPI, GFP against GFP, DAPI",
}


def test_sizes_and_places_of_ome_zarr_are_compared_by_their_lengths(bench: Bench) -> None:
    bench.make("zarr_places")
    files = bench.files(bench.compare(code=1))
    for version in ("0.4", "0.5"):
        for name in SAME_PLACE:
            pair = files[f"{version}/{name}.ome.zarr"]
            assert (pair["rung"], pair["remarks"]) == ("same content", []), (name, pair)
        for name, said in OTHER_PLACE.items():
            pair = files[f"{version}/{name}.ome.zarr"]
            assert pair["rung"] == "different", (name, pair)
            assert said in pair["said"], (name, pair)
        remarks = files[f"{version}/unit in A alone.ome.zarr"]["remarks"]
        assert remarks == ["unit of the pixel size in X, Y is told by A alone"]
        assert files[f"{version}/no size in B.ome.zarr"]["remarks"] == ["pixel size in X, Y is told by A alone"]
    assert files["versions.ome.zarr"]["rung"] == "same content"


def test_wells_of_a_plate_and_series_of_bioformats2raw_are_images_of_their_own(bench: Bench) -> None:
    bench.make("plates")
    files = bench.files(bench.compare(code=1))
    wells = {"A/1/0": "same content", "A/1/1": "different", "B/2/0": "same content", "B/2/1": "different"}
    series = {"0": "same content", "1": "different", "2": "missing"}
    expected = {f"{v}/plate.ome.zarr/{name}": rung for name, rung in wells.items() for v in ("0.4", "0.5")}
    expected |= {f"{v}/slide.zarr/{name}": rung for name, rung in series.items() for v in ("0.4", "0.5")}
    assert {name: pair["rung"] for name, pair in files.items()} == expected
    assert "pixel size in X is 0.1 against 0.0001 µm" in files["0.4/plate.ome.zarr/A/1/1"]["said"]
    assert "pixel size in X is 0.25 against 0.5 µm" in files["0.5/slide.zarr/1"]["said"]
    files = bench.files(bench.compare("--tolerance", "image.max=1", code=1))
    assert files["0.4/plate.ome.zarr/B/2/1"]["rung"] == "within tolerance", "a limit does not hold for wells"
    done = bench.run("compare", bench.a, bench.b, "--report", bench.root / "report", code=1)
    assert "no picture" not in done.stdout


def test_what_only_one_image_tells_of_its_pixels_is_on_the_screen(bench: Bench) -> None:
    bench.make("told_by_one")
    done = bench.run("compare", bench.a, bench.b, code=1)
    assert "note: pixel size in X, Y is told by A alone (size.ome.tif)" in done.stdout
    assert "channels.ome.tif: the pixels are the same, but channels are DAPI, GFP against GFP, DAPI" in done.stdout
    assert "not_micrometres.ome.tif: the pixels are the same, but pixel size in X is 0.1 against 1000 µm" in done.stdout
    assert "imagej.tif: the pixels are the same, but pixel size in X is 0.1 against 0.0001 µm" in done.stdout
    assert "angstrom.ome.tif" not in done.stdout
    (bench.b / "channels.ome.tif").unlink()
    for name in ("channels", "not_micrometres", "imagej"):
        for folder in (bench.a, bench.b):
            for path in folder.glob(f"{name}*"):
                path.unlink()
    done = bench.run("compare", bench.a, bench.b, code=0)
    assert "note: pixel size in X, Y is told by A alone (size.ome.tif)" in done.stdout


def test_ignored_files_are_left_out(bench: Bench) -> None:
    for folder in (bench.a, bench.b):
        (folder / "x.log").write_text(str(folder))
        (folder / "x.bin").write_bytes(b"1")
    assert bench.compare("--ignore", "*.log", code=0)["verdict"].endswith("the same bytes.")


def test_the_screen_says_what_differs_in_a_line_each(bench: Bench) -> None:
    bench.make("split")
    done = bench.run("compare", bench.a, bench.b, code=1)
    assert "different  cell_labels.tif: 4 objects against 5" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("B holds different results. Worst is")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--tolerance", "image.maxx=1"], "`maxx` is no limit of `image`"),
        (["--tolerance", "image.max"], "there is no ="),
        (["--tolerance", "image.max=-1"], "`max` is -1.0; it must be a number of at least 0"),
        (["--tolerance", "labels.pq=98"], "it must be a number from 0 to 1"),
        (["--tolerance", "table.columns=area"], "`columns` must hold the names of columns"),
        (["--sign-off", "me: fine"], "--sign-off is for two pipelines"),
    ],
)
def test_an_option_that_makes_no_sense_is_told(bench: Bench, option: list[str], said: str) -> None:
    assert said in bench.run("compare", bench.a, bench.b, *option, code=2).stderr
