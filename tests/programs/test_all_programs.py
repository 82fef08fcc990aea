"""What the programs have in common: arguments, files, and what happens when something goes wrong."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.support.going import runs, words_of

NAMES = [
    "convert_to_tif",
    "segment_threshold",
    "mask_measure",
    "draw_outlines",
    "mask2imageJROI",
    "merge_channels",
    "extract_metadata",
]
EVERYWHERE = [
    "--input-search-pattern",
    "--output-folder",
    "--output-suffix",
    "--no-parallel",
    "--maxcores",
    "--dry-run",
    "--log-level",
]


def convert(programs, *patterns_and_more, out="out", code=0):
    folder = programs.folder / out
    return programs.run(
        "convert_to_tif", "--output-folder", folder, "--input-search-pattern", *patterns_and_more, code=code
    )


def files(folder):
    """All files below a folder, with their content."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def many(programs):
    """Six images in two folders, one of them damaged."""
    folder = programs.folder / "däta [a] & b"
    for number in range(5):
        programs.make("thin", folder / ("sub folder" if number % 2 else "") / f"bild {number} ü.tif")
    (folder / "damaged.tif").write_bytes((folder / "bild 0 ü.tif").read_bytes()[:500])
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_help_names_every_argument_and_imports_nothing_heavy(programs, name):
    python, *rest = programs.command(name, "--help")
    done = subprocess.run(
        [python, "-X", "importtime", *rest], env=programs.environ(), capture_output=True, encoding="utf-8", check=True
    )
    assert all(argument in done.stdout for argument in EVERYWHERE)
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "argparse" in imported
    assert not imported & {"numpy", "tifffile", "skimage", "scipy", "PIL", "tqdm", "imagecodecs", "multiprocessing"}


@pytest.mark.parametrize("name", NAMES)
def test_programs_also_start_as_modules_of_the_repository(programs, name, pytestconfig):
    python = programs.command(name)[0]
    command = [python, "-m", f"standard_code.python.{name}", "--help"]
    subprocess.run(command, cwd=pytestconfig.rootpath, env=programs.environ(), check=True, stdout=subprocess.DEVNULL)


def test_a_damaged_file_is_named_and_the_others_are_done(programs, many):
    done = convert(programs, many / "**" / "*.tif", code=1)
    assert sorted(files(programs.folder / "out")) == [
        "bild 0 ü.ome.tif",
        "bild 2 ü.ome.tif",
        "bild 4 ü.ome.tif",
        "sub folder/bild 1 ü.ome.tif",
        "sub folder/bild 3 ü.ome.tif",
    ]
    assert "5 files done" in done.stdout
    assert "error: 1 file of 6 failed:" in done.stderr
    assert f"{many / 'damaged.tif'}: it cannot be read as a TIFF image" in done.stderr


@pytest.mark.parametrize("damage", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n broken"])
def test_files_that_are_no_images_are_told_in_words(programs, damage):
    bad = programs.folder / "bad.png"
    bad.write_bytes(damage)
    done = convert(programs, bad, code=1)
    assert f"{bad}: " in done.stderr
    assert "empty" in done.stderr or "damaged" in done.stderr


def test_a_format_that_is_not_known_is_told_with_those_that_are(programs):
    (programs.folder / "a.xyz").write_bytes(b"x")
    done = convert(programs, programs.folder / "*.xyz", code=1)
    known = ".bmp, .czi, .gif, .jpeg, .jpg, .lif, .nd2, .ome, .png, .tif, .tiff"
    assert f"files ending in '.xyz' cannot be read; these can: {known}." in done.stderr
    assert "environment: uv:bioio_bioformats" in done.stderr


@pytest.mark.parametrize(("ending", "group"), [("nd2", "bioio"), ("LIF", "bioio"), ("czi", "bioio_czi")])
def test_a_format_whose_reader_is_not_there_is_told_with_the_environment_that_has_it(programs, ending, group):
    (programs.folder / f"a.{ending}").write_bytes(b"x")
    done = convert(programs, programs.folder / "a.*", code=1)
    assert f"files ending in '.{ending.lower()}' need the package bioio-{ending.lower()}" in done.stderr
    assert f"`environment: uv:{group}`" in done.stderr


def test_debugging_shows_where_an_error_arose(programs):
    bad = programs.folder / "bad.png"
    bad.write_bytes(b"no image")
    command = programs.command(
        "convert_to_tif", "--input-search-pattern", bad, "--output-folder", "o", "--log-level", "debug"
    )
    done = subprocess.run(command, cwd=programs.folder, env=programs.environ(), capture_output=True, encoding="utf-8")
    assert (done.returncode, "Traceback" in done.stderr, "_read_png" in done.stderr) == (1, True, True)


def test_errors_alone_are_shown_when_asked_for(programs, many):
    done = convert(programs, many / "*.tif", "--log-level", "ERROR", code=1)
    assert "error: damaged.tif" in done.stderr
    assert "bild 0" not in done.stderr


def test_no_matching_file_is_an_error_that_says_where_it_looked(programs, many):
    done = convert(programs, many / "**" / "*.czi", code=1)
    assert "error: No file matches" in done.stderr
    assert f"The search started in {many}" in done.stderr
    assert not (programs.folder / "out").exists()


def test_a_missing_folder_and_a_folder_without_a_pattern_are_told_apart(programs, many):
    gone = programs.folder / "gone" / "*.tif"
    assert "No file matches" in convert(programs, gone, code=1).stderr
    assert "is a folder. Name the files in it" in convert(programs, many, code=1).stderr


def test_a_dry_run_writes_nothing(programs, many):
    before = files(programs.folder)
    done = convert(programs, many / "**" / "*.tif", "--dry-run")
    assert f"{many / 'bild 0 ü.tif'} -> {programs.folder / 'out' / 'bild 0 ü.ome.tif'}" in done.stdout
    assert "6 files would be processed; nothing was written." in done.stdout
    assert files(programs.folder) == before


@pytest.mark.parametrize("name", ["convert_to_tif", "draw_outlines"])
def test_one_process_and_several_write_the_same_bytes(programs, many, name):
    (many / "damaged.tif").unlink()
    masks = []
    if name == "draw_outlines":
        folders = ["--output-folder", programs.folder / "masks"]
        programs.run("segment_threshold", "--input-search-pattern", many / "**" / "*.tif", *folders, "--no-parallel")
        masks = ["--mask-folder", programs.folder / "masks"]
    for out, how in (("one", ["--no-parallel"]), ("several", ["--maxcores", "2"])):
        folders = ["--output-folder", programs.folder / out]
        programs.run(name, "--input-search-pattern", many / "**" / "*.tif", *folders, *masks, *how)
    assert len(files(programs.folder / "one")) == 5
    assert files(programs.folder / "one") == files(programs.folder / "several")


def test_results_in_the_searched_folder_are_not_taken_as_input_the_next_time(programs, many):
    for _ in range(2):
        convert(programs, many / "**" / "bild*.tif", out=many.name)
    assert len(files(many)) == 6 + 5


def test_the_input_is_never_overwritten(programs):
    source = programs.make("ome", programs.folder / "out" / "a.tif")
    before = source.read_bytes()
    done = programs.run(
        "segment_threshold",
        *("--input-search-pattern", source, "--output-folder", source.parent, "--output-suffix", ""),
        code=1,
    )
    assert "error:" in done.stderr
    assert source.read_bytes() == before


def test_two_inputs_of_one_result_are_refused_before_anything_is_written(programs):
    programs.make("lzw", programs.folder / "in" / "a.tif")
    programs.make("grey.jpg", programs.folder / "in" / "a.jpg")
    done = convert(programs, programs.folder / "in" / "*", code=1)
    assert "would both become" in done.stderr
    assert not (programs.folder / "out").exists()


def test_a_relative_pattern_counts_from_the_working_folder(programs):
    programs.make("lzw", programs.folder / "in" / "deep" / "a.tif")
    convert(programs, "in/**/*.tif", "--output-suffix", "_x")
    assert list(files(programs.folder / "out")) == ["deep/a_x.ome.tif"]


def test_several_patterns_and_files_are_taken_in_their_order_and_each_file_once(programs):
    for name in ("in/a.tif", "in/deep/a.tif", "in/b.tif"):
        programs.make("lzw", programs.folder / name)
    done = convert(programs, "in/b.tif", "in/**/*.tif", "in/a.tif", "--dry-run")
    assert [line.split(" -> ")[0] for line in done.stdout.splitlines()[:-1]] == [
        str(programs.folder / name) for name in ("in/b.tif", "in/a.tif", "in/deep/a.tif")
    ]
    done = convert(programs, "in/b.tif", "in/c.tif", code=1)
    assert "No file matches 'in/c.tif'" in done.stderr


@pytest.mark.parametrize("wrong", [["--maxcores", "0"], ["--output-suffix", "a/b"], ["--pixel-size", "-1"]])
def test_arguments_that_make_no_sense_are_refused(programs, cell, wrong):
    command = programs.command("convert_to_tif", "--input-search-pattern", cell, "--output-folder", "out", *wrong)
    done = subprocess.run(command, cwd=programs.folder, env=programs.environ(), capture_output=True, encoding="utf-8")
    assert done.returncode in (1, 2)
    assert wrong[0] in done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_folder_that_is_a_file_is_told_in_words(programs, cell):
    (programs.folder / "out").write_text("")
    assert "out is a file. Name a folder." in convert(programs, cell, code=1).stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_a_stopped_program_leaves_no_process_and_no_half_written_file(programs, cell, name):
    number = signal.Signals[name]
    for copy in range(24):
        shutil.copy(cell, programs.folder / f"{copy}.png")
    out = programs.folder / "out"
    command = programs.command("convert_to_tif", "--input-search-pattern", "*.png", "--output-folder", out)
    with subprocess.Popen(
        [*command, "--maxcores", "2"],
        cwd=programs.folder,
        env=programs.environ(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as child:
        wait_for(lambda: list(out.glob("*.ome.tif")))
        workers = psutil.Process(child.pid).children(recursive=True)
        child.send_signal(number)
        child.wait(timeout=20)
    assert child.returncode == (-number if name == "SIGKILL" else 130)
    wait_for(lambda: not any(map(runs, workers)))
    if name != "SIGKILL":
        assert not list(out.glob(".*"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_a_worker_that_the_system_ends_costs_no_file(programs, cell):
    for copy in range(24):
        shutil.copy(cell, programs.folder / f"{copy}.png")
    out = programs.folder / "out"
    command = programs.command("convert_to_tif", "--input-search-pattern", "*.png", "--output-folder", out)
    with subprocess.Popen([*command, "--maxcores", "2"], cwd=programs.folder, env=programs.environ()) as child:
        wait_for(lambda: list(out.glob("*.ome.tif")))
        spawned = [one for one in psutil.Process(child.pid).children() if "spawn_main" in " ".join(words_of(one))]
        spawned[0].kill()
        assert child.wait(timeout=60) == 0
    assert len(files(out)) == 24


DEADLY = """
import os, sys
sys.path.insert(0, sys.argv.pop(1))
import _program.arguments, _program.files, _program.work

def process(job, args):
    if "deadly" in job.source.name:
        os._exit(9)  # as when the system ends a process that needs too much memory
    with _program.files.writing(job.target) as part:
        part.write_text("done")
    return "done"

if __name__ == "__main__":
    sys.exit(_program.work.run(_program.arguments.parser("", suffix="").parse_args(), process, ending=".txt"))
"""


def test_a_file_that_costs_its_worker_each_time_is_named_and_the_others_are_done(programs):
    python, convert_to_tif, *_ = programs.command("convert_to_tif")
    script = programs.folder / "deadly_program.py"
    script.write_text(DEADLY)
    for name in ("a", "b", "deadly", "e", "f"):
        (programs.folder / f"{name}.dat").touch()
    arguments = ["--input-search-pattern", "*.dat", "--output-folder", "out", "--maxcores", "2"]
    done = subprocess.run(
        [python, script, Path(convert_to_tif).parent, *arguments],
        cwd=programs.folder,
        env=programs.environ(),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 1
    assert "error: 1 file of 5 failed:" in done.stderr
    assert f"{programs.folder / 'deadly.dat'}: its process was ended from outside" in done.stderr
    assert sorted(files(programs.folder / "out")) == ["a.txt", "b.txt", "e.txt", "f.txt"]


def wait_for(condition, seconds=20.0):
    """Until `condition` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.01)


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_link_where_a_result_is_written_for_a_while_is_not_followed(programs):
    image = programs.make("touching", programs.folder / "in" / "a.tif")
    out = programs.folder / "out"
    out.mkdir()
    victim = programs.folder / "of somebody else"
    victim.write_text("mine", encoding="utf-8")
    (out / ".a_labels.tif.part").symlink_to(victim)
    programs.run("segment_threshold", "--input-search-pattern", image, "--output-folder", out)
    assert victim.read_text(encoding="utf-8") == "mine"
    assert not (out / "a_labels.tif").is_symlink()
