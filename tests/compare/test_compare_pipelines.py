"""`run-pipeline compare A.yaml B.yaml`: real runs, real conda environments laid out by hand, real uv groups."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.compare.conftest import Bench
from tests.conda.conda_layout import make_base, make_environment

POSIX = pytest.mark.skipif(os.name == "nt", reason="the environments are laid out for POSIX")
COUNT = """\
import sys, pathlib, nuclei
out = pathlib.Path(sys.argv[sys.argv.index("--output-folder") + 1])
out.mkdir(parents=True, exist_ok=True)
(out / "counts.csv").write_text("image,cells\\n" + "".join(f"{n},{nuclei.count(n)}\\n" for n in range(5)))
"""


def pipeline(path: Path, *segments: dict[str, Any], **top: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"run": list(segments), **top}, allow_unicode=True, width=1000), encoding="utf-8")
    return path


def lab_environment(base: Path, name: str, version: str, code: str) -> Path:
    """A conda environment with a package `nuclei` of that version."""
    prefix = make_environment(base / "envs" / name, scripts={"vars.sh": f"export NUCLEI={version}\n"})
    record = {"name": "nuclei", "version": version, "build": "0", "build_number": 0, "channel": "conda-forge"}
    (prefix / "conda-meta" / f"nuclei-{version}-0.json").write_text(json.dumps(record))
    packages = next((prefix / "lib").glob("python3*")) / "site-packages"
    (packages / "nuclei.py").write_text(code)
    return prefix


@pytest.fixture
def base(bench: Bench) -> Path:
    home = bench.root / "home"
    home.mkdir()
    return make_base(home / "miniforge3")


def counting(bench: Bench, environment: str, folder: str = "out", **keys: Any) -> dict[str, Any]:
    script = bench.root / "count.py"
    script.write_text(COUNT)
    flags = {"--output-folder": f"%YAML%/{folder}"}
    return {"name": "Count", "environment": environment, "commands": ["python", str(script), flags], **keys}


@POSIX
def test_a_changed_package_is_told_beside_the_result_that_it_changed(bench: Bench, base: Path) -> None:
    lab_environment(base, "old", "1.0", "def count(n): return 10 * n")
    lab_environment(base, "new", "2.0", "def count(n): return 10 * n + (n == 3)")
    a = pipeline(bench.root / "läb" / "count.yaml", counting(bench, "old"))
    b = pipeline(bench.root / "läb" / "count_new.yaml", counting(bench, "new"))
    report = bench.root / "report"
    # both write into one folder: B is run with another one, and A's result stays as it is
    repo = bench.root / "repo"
    repo.mkdir()
    (repo / "pyproject.toml").write_text('[project]\nname = "lab"\nversion = "1"\n')
    sign = ["--sign-off", "Ada Ö.: known mistake of 1.0"]
    told = bench.told(a, b, "--report", report, *sign, "--repo", repo, code=1)
    part = told["parts"][0]
    assert {"package": "nuclei", "a": "1.0", "b": "2.0"} in part["versions"]
    assert part["files"][0]["said"].endswith("most of all cells of image 3: 30 against 31")
    assert part["noise"] == {}
    assert "B wrote into" in told["notes"][0]
    assert (a.parent / "out" / "counts.csv").read_text().endswith("3,30\n4,40\n")
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "nuclei" in page
    assert "Ada Ö." in page
    signed = json.loads((repo / "sign_offs" / "count--count_new.json").read_text(encoding="utf-8"))
    assert signed["signed_by"] == "Ada Ö."
    assert signed["environments"][0]["b"]["packages"]["nuclei"] == "2.0"
    assert signed["segments"][0]["differences"][0]["name"] == "counts.csv"


@POSIX
def test_what_differs_as_much_from_run_to_run_is_noise(bench: Bench, base: Path) -> None:
    random = "import random\ndef count(n): return 100 + 3 * random.random()"
    lab_environment(base, "one", "1.0", random)
    lab_environment(base, "two", "1.0", random)
    a = pipeline(bench.root / "a.yaml", counting(bench, "one", "out_a"), compare={"noise-factor": 1000})
    b = pipeline(bench.root / "b.yaml", counting(bench, "two", "out_b"))
    assert bench.told(a, b, code=0)["parts"][0]["files"][0]["rung"] == "within noise"
    assert bench.told(a, b, "--no-noise-floor", code=1)["parts"][0]["files"][0]["rung"] == "different"


@POSIX
def test_a_column_that_varies_from_run_to_run_does_not_excuse_another_one(bench: Bench, base: Path) -> None:
    seconds = "import random\ndef count(n): return f'{100 * (n + 1)}.5,{10 * random.random() + 1}'"
    lab_environment(base, "one", "1.0", seconds)
    lab_environment(base, "two", "1.0", seconds.replace("100 *", "150 *"))
    lab_environment(base, "three", "1.0", seconds)
    a = pipeline(bench.root / "a.yaml", counting(bench, "one", "out_a"), compare={"noise-factor": 1000})
    b = pipeline(bench.root / "b.yaml", counting(bench, "two", "out_b"))
    c = pipeline(bench.root / "c.yaml", counting(bench, "three", "out_c"))
    (bench.root / "count.py").write_text(COUNT.replace("image,cells", "image,cells,seconds"))
    assert bench.told(a, b, code=1)["parts"][0]["files"][0]["rung"] == "different"
    (found,) = bench.told(a, c, code=0)["parts"][0]["files"]
    assert found["rung"] == "within noise"
    assert "in seconds A differs from itself by" in found["remarks"][0]


@POSIX
def test_what_a_itself_does_not_give_twice_is_told_and_excuses_nothing_else(bench: Bench, base: Path) -> None:
    """One table of A has another number of rows in each run; the other one differs in B alone."""
    unstable = (
        "import os, pathlib\n"
        "seen = pathlib.Path(__file__).with_name('runs'); runs = len(seen.read_text()) if seen.exists() else 0\n"
        "seen.write_text('x' * (runs + 1)); rows = ['v'] + ['1'] * (runs // 5 + 1)\n"
        "def count(n):\n"
        "    import sys; out = sys.argv[sys.argv.index('--output-folder') + 1]\n"
        "    (pathlib.Path(out) / 'rows.csv').write_text('\\n'.join(rows)); return 100 + n\n"
    )
    lab_environment(base, "one", "1.0", unstable.replace("runs // 5", "runs"))
    lab_environment(base, "two", "1.0", unstable.replace("runs // 5", "runs").replace("100 + n", "100.5 + n"))
    a = pipeline(bench.root / "a.yaml", counting(bench, "one", "out_a"))
    b = pipeline(bench.root / "b.yaml", counting(bench, "two", "out_b"))
    told = bench.told(a, b, code=1)
    assert {pair["name"]: pair["rung"] for pair in told["parts"][0]["files"]}["counts.csv"] == "different"
    assert told["notes"] == [
        "Count: A itself does not give the same twice: rows.csv: 1 row only in B. Noise excuses no such difference."
    ]


@POSIX
def test_a_run_for_the_comparison_that_failed_goes_on_where_it_failed(bench: Bench, base: Path) -> None:
    lab_environment(base, "one", "1.0", "def count(n): return n")
    mark, log = bench.root / "repaired", bench.root / "log"
    second = bench.root / "second.py"
    second.write_text(
        "import sys, pathlib\nout = pathlib.Path(sys.argv[sys.argv.index('--output-folder') + 1])\n"
        f"out.mkdir(exist_ok=True); (out / 'b.txt').write_text('b')\n"
        f"sys.exit(0 if '.run-pipeline' not in str(out) or pathlib.Path({str(mark)!r}).exists() else 3)\n"
    )
    first = counting(bench, "one", "first", outputs=["%YAML%/first/*.csv"])
    (bench.root / "count.py").write_text(COUNT + f"open({str(log)!r}, 'a').write('x')\n")
    last = {
        "name": "Last",
        "environment": "one",
        "commands": ["python", str(second), {"--output-folder": "%YAML%/last"}],
    }
    a = pipeline(bench.root / "a.yaml", first, last)
    b = pipeline(bench.root / "b.yaml", first, last)
    failed = bench.run("compare", a, b, "--no-noise-floor", code=1)
    assert "a segment failed" in failed.stderr
    assert log.read_text() == "xx"
    mark.touch()
    done = bench.run("compare", a, b, "--no-noise-floor", code=0)
    assert log.read_text() == "xx", "the first segment of B ran again"
    assert "goes on with segment 2" in done.stdout
    (made,) = bench.root.glob(".run-pipeline/compare/*/b/out/first/counts.csv")
    made.unlink()
    bench.run("compare", a, b, "--no-noise-floor", code=0)
    assert log.read_text() == "xxx"


@POSIX
def test_files_of_the_users_own_among_the_results_of_a_second_run_stay(bench: Bench, base: Path) -> None:
    lab_environment(base, "one", "1.0", "def count(n): return n")
    a = pipeline(bench.root / "a.yaml", counting(bench, "one", "out_a"))
    b = pipeline(bench.root / "b.yaml", counting(bench, "one", "out_b"))
    bench.told(a, b, code=0)
    (noise,) = bench.root.glob(".run-pipeline/compare/*/noise")
    counts = noise / "out" / "out_a" / "counts.csv"
    bench.told(a, b, "--fresh", code=0)
    assert sorted(path.name for path in noise.iterdir() if path.name.isdecimal()) == [], "what is ours is replaced"
    counts.write_text("corrected by hand")
    (noise / "out" / "out_a" / "mine.csv").write_text("my own")
    (noise / "runs" / "notes.txt").write_text("my own")
    done = bench.run("compare", a, b, "--fresh", code=0)
    assert f"{noise} holds files that no list names as a comparison's own; they stay" in done.stdout
    assert counts.read_text() == "corrected by hand"
    assert (noise / "out" / "out_a" / "mine.csv").read_text() == "my own"
    assert (noise / "runs" / "notes.txt").read_text() == "my own"
    assert (noise / "2" / "out" / "out_a" / "counts.csv").read_text().startswith("image,cells")
    assert "taken from" in bench.run("compare", a, b, code=0).stdout, "the newest of its runs is not found again"


@POSIX
def test_a_link_in_the_place_of_a_second_runs_folder_is_not_followed(bench: Bench, base: Path) -> None:
    lab_environment(base, "one", "1.0", "def count(n): return n")
    a = pipeline(bench.root / "a.yaml", counting(bench, "one", "out_a"))
    b = pipeline(bench.root / "b.yaml", counting(bench, "one", "out_b"))
    bench.told(a, b, code=0)
    (noise,) = bench.root.glob(".run-pipeline/compare/*/noise")
    (noise / "out").rename(bench.root / "kept")
    (noise / "out").symlink_to(bench.root / "kept")
    bench.told(a, b, "--fresh", code=0)
    assert (bench.root / "kept" / "out_a" / "counts.csv").is_file()
    assert (noise / "out").is_symlink()


@POSIX
def test_a_pipeline_that_reads_what_it_did_not_write_is_not_run_twice(bench: Bench, base: Path) -> None:
    lab_environment(base, "one", "1.0", "def count(n): return n")
    segment = counting(bench, "one", "out_a")
    segment["commands"].append({"--input": "%YAML%/out_a/earlier.csv"})
    a = pipeline(bench.root / "a.yaml", segment)
    b = pipeline(bench.root / "b.yaml", counting(bench, "one", "out_b"))
    told = bench.told(a, b, code=0)
    assert told["notes"][0].startswith("No noise floor: A cannot be run again without overwriting its results")
    assert told["parts"][0]["noise"] is None


@POSIX
def test_the_same_conda_pipeline_in_the_same_folder_is_not_compared_with_itself(bench: Bench, base: Path) -> None:
    """B ran in between and wrote over A's results: A is run anew, elsewhere, before it is believed."""
    lab_environment(base, "old", "1.0", "def count(n): return n")
    lab_environment(base, "new", "2.0", "def count(n): return -n")
    a = pipeline(bench.root / "a.yaml", counting(bench, "old"))
    b = pipeline(bench.root / "b.yaml", counting(bench, "new"))
    bench.run(a, code=0)
    bench.run(b, code=0)
    told = bench.told(a, b, "--no-noise-floor", code=1)
    assert "1 against -1" in json.dumps(told) or "4 against -4" in json.dumps(told)


def test_what_b_lacks_is_told_before_a_runs(bench: Bench) -> None:
    a = pipeline(bench.root / "a.yaml", {"name": "s", "environment": "cmd", "commands": ["echo x > ran"]})
    b = pipeline(bench.root / "b.yaml", {"name": "s", "environment": "uv:no-such-group", "commands": ["python"]})
    done = bench.run("compare", a, b, code=3)
    assert "no-such-group" in done.stderr
    assert not (bench.root / ".run-pipeline").exists()


def test_what_looks_wrong_in_either_pipeline_is_told_as_in_a_run(bench: Bench) -> None:
    odd = {"name": "s", "environment": "cmd", "commands": ["echo in%YAML%/out"]}
    a = pipeline(bench.root / "a.yaml", odd)
    b = pipeline(bench.root / "b.yaml", odd)
    told = bench.run("compare", a, b, "--no-noise-floor").stderr
    assert told.count("%YAML% is replaced at the beginning of a text only") == 2


def test_segments_without_known_outputs_are_not_passed_in_silence(bench: Bench) -> None:
    keys = {"environment": "cmd", "commands": ["echo done"]}
    a = pipeline(bench.root / "a.yaml", {"name": "talk", **keys})
    b = pipeline(bench.root / "b.yaml", {"name": "talk", **keys}, compare={"image": {"max": 1}})
    told = bench.told(a, b, "--no-noise-floor", code=1)
    assert told["parts"][0]["verdict"] == "not compared: it tells no outputs; declare them under `outputs:`"


def test_a_mistake_in_the_compare_block_is_told_with_its_place_and_its_cure(bench: Bench) -> None:
    segment = {"name": "talk", "environment": "cmd", "commands": ["echo done"]}
    a = pipeline(bench.root / "a.yaml", segment)
    for block, place, said in (
        ("compare:\n  lables: {pq: 0.9}\n", "a.yaml:2:3: error: `lables` is no key", "Did you mean `labels`?"),
        ("compare: {table: {columns: [v]}}\n", "a.yaml:1:28: error: `columns` must hold", "columns: {area_px"),
    ):
        a.write_text(block + yaml.safe_dump({"run": [segment]}), encoding="utf-8")
        b = pipeline(bench.root / "b.yaml", segment)
        told = bench.run("compare", a, b, code=2).stderr
        assert place in told
        assert said in told


@POSIX
def test_that_nothing_could_be_measured_is_told_before_a_runs_and_equal_files_need_no_measuring(
    bench: Bench, base: Path, tmp_path: Path
) -> None:
    lab_environment(base, "old", "1.0", "def count(n): return 10 * n")
    a = pipeline(bench.root / "a" / "count.yaml", counting(bench, "old"))
    b = pipeline(bench.root / "b" / "count.yaml", counting(bench, "old"))
    nothing = {"UV_CACHE_DIR": str(tmp_path / "cache"), "UV_OFFLINE": "1", "RUN_PIPELINE_ENVS": str(tmp_path / "envs")}
    done = bench.run("compare", a, b, "--no-noise-floor", code=0, **nothing)
    before, _, after = (done.stdout + done.stderr).partition("Count")
    assert "files that differ cannot be measured" in before
    assert "the same" in after


@POSIX
def test_what_measures_is_prepared_before_a_runs_for_a_night(bench: Bench, base: Path, tmp_path: Path) -> None:
    lab_environment(base, "old", "1.0", "def count(n): return 10 * n")
    a = pipeline(bench.root / "a" / "count.yaml", counting(bench, "old"))
    b = pipeline(bench.root / "b" / "count.yaml", counting(bench, "old"))
    done = bench.run("compare", a, b, "--no-noise-floor", code=0, RUN_PIPELINE_ENVS=str(tmp_path / "envs"))
    assert "preparing uv group compare" in done.stdout.partition("Count")[0]


UPPER = """\
import sys, pathlib
source, target = map(pathlib.Path, sys.argv[1:])
for file in source.rglob("*.txt") if source.is_dir() else [source]:
    to = target / file.relative_to(source) if source.is_dir() else target
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(file.read_text().upper())
"""


def over_items(bench: Bench, base: Path, name: str, out: str) -> Path:
    """Two segments, of which the second goes over what the first has made."""
    script = bench.root / "upper.py"
    script.write_text(UPPER)
    if not (base / "envs" / "one").exists():
        lab_environment(base, "one", "1.0", "")
    for place in ("d1", "d2"):
        (bench.root / "raw [1]" / place).mkdir(parents=True, exist_ok=True)
        (bench.root / "raw [1]" / place / "a.txt").write_text(place)
    steps = [("First", "raw [1]", f"{out}1"), ("Second", f"{out}1", f"{out}2")]
    segments = [
        {
            "name": title,
            "environment": "one",
            "foreach": f"%YAML%/{source}/**/*.txt",
            "commands": ["python", str(script), "%ITEM%", f"%YAML%/{target}/%RELATIVE%"],
            "outputs": [f"%YAML%/{target}/%RELATIVE%"],
        }
        for title, source, target in steps
    ]
    return pipeline(bench.root / name, *segments)


@POSIX
def test_a_pipeline_over_items_is_compared_with_one_that_goes_through_the_folder_itself(
    bench: Bench, base: Path
) -> None:
    a = over_items(bench, base, "many.yaml", "a")
    steps = [("First", "raw [1]", "b1"), ("Second", "b1", "b2")]
    keys = {"environment": "one", "outputs": []}
    b = pipeline(
        bench.root / "walks.yaml",
        *(
            {**keys, "name": title, "commands": ["python", str(bench.root / "upper.py"), f"%YAML%/{source}", f"%YAML%/{to}"], "outputs": [f"%YAML%/{to}/**/*.txt"]}  # noqa: E501
            for title, source, to in steps
        ),
    )  # fmt: skip
    told = bench.told(a, b, code=0)
    assert [len(part["files"]) for part in told["parts"]] == [2, 2]
    (bench.root / "b2" / "d1" / "a.txt").write_text("other")
    told = bench.told(a, b, code=1)
    assert [pair["name"] for pair in told["parts"][1]["files"] if not pair["same"]] == ["d1/a.txt"]


@POSIX
def test_items_that_a_second_run_makes_are_its_own_and_a_new_one_makes_it_run_again(bench: Bench, base: Path) -> None:
    """Both write into the same folders, so B runs with others: also the items of its second segment lie there."""
    a, b = (over_items(bench, base, name, "out") for name in ("a.yaml", "b.yaml"))
    b.write_text(b.read_text().replace("name: Second", "name: Second  "))
    told = bench.told(a, b, code=0)
    assert [len(part["files"]) for part in told["parts"]] == [2, 2]
    (runs,) = bench.root.glob(".run-pipeline/compare/*/b/runs/0*")
    lines = "".join(path.read_text() for path in runs.glob("02-*/receipts-*.jsonl"))
    assert lines.count("/b/out/out2/") == 2
    (bench.root / "raw [1]" / "d2" / "new.txt").write_text("new")
    told = bench.told(a, b, code=0)
    assert [len(part["files"]) for part in told["parts"]] == [3, 3]
    assert told["parts"][0]["a"]["seconds"] is None, "one item's time is not the segment's"
    (bench.root / "out1" / "d2" / "new.txt").write_text("longer than it was")
    assert bench.told(a, b, code=0)["parts"][0]["a"]["outputs"] != [str(bench.root / "out1")], "it is no result of A"
