"""`reproduce` with other environments, over many items, and for records that lie elsewhere or broke off."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.conda.conda_layout import make_base, make_environment
from tests.reproduce.conftest import Again
from tests.support.lab import segment, shell

POSIX = pytest.mark.skipif(os.name == "nt", reason="the environments are laid out for POSIX")
OUT = {"--input-folder": "%YAML%/raw", "--output-folder": "%YAML%/out"}
OWN = """\
# /// script
# requires-python = ">=3.11"
# dependencies = ["alpha"]
# [tool.uv.sources]
# alpha = { path = "../wheels/alpha-VERSION-py3-none-any.whl" }
# ///
"""


def test_a_script_with_a_lock_has_the_packages_of_that_lock_again(lab: Again) -> None:
    text = (lab.repo / "scripts" / "count.py").read_text()
    script = lab.script("own.py", OWN.replace("VERSION", "1.0") + text)
    lab.lock("--script", str(script))
    path = lab.pipeline([segment("Own", "%REPO%/scripts/own.py", OUT, environment="script")])
    lab.run(path)
    lab.alpha("2.0")
    lab.script("own.py", OWN.replace("VERSION", "2.0") + text)
    lab.lock("--script", str(script))
    told, found = lab.again(path, "--anyway")
    assert "own.py was edited since" in told["changes the result"][0]
    assert found["same"]
    again = Path(found["parts"][0]["files"][0]["b"])
    assert again.read_text() == "cells by 1.0 then\n"


def test_a_script_without_a_lock_says_so(lab: Again) -> None:
    lab.script("own.py", OWN.replace("VERSION", "1.0") + (lab.repo / "scripts" / "count.py").read_text())
    path = lab.pipeline([segment("Own", "%REPO%/scripts/own.py", OUT, environment="script")])
    lab.run(path)
    told, _ = lab.again(path, "-n")
    assert told["no lock"] == ["segment 1 (Own): its environment (script) had no lock of its own when it ran"]
    _, found = lab.again(path, "--todays-lock")
    assert found["same"]


@POSIX
def test_a_conda_environment_that_is_another_one_is_told_and_one_that_is_gone_stops_it(lab: Again) -> None:
    prefix = make_environment(make_base(lab.home / "miniforge3") / "envs" / "old")

    def nuclei(version: str) -> None:
        for path in (prefix / "conda-meta").glob("nuclei-*"):
            path.unlink()
        record = {"name": "nuclei", "version": version, "build": "0", "build_number": 0, "channel": "conda-forge"}
        (prefix / "conda-meta" / f"nuclei-{version}-0.json").write_text(json.dumps(record))

    nuclei("1.0")
    lab.script(
        "plain.py",
        "import sys, pathlib\nout = pathlib.Path(sys.argv[2])\nout.mkdir(exist_ok=True)\n(out / 'a.txt').touch()",
    )
    flags = {"--output-folder": "%YAML%/out"}
    path = lab.pipeline([segment("Old", "python", "%REPO%/scripts/plain.py", flags, environment="conda:old")])
    lab.run(path)
    told, found = lab.again(path)
    assert told == {}
    assert found["same"]
    nuclei("2.0")
    told, _ = lab.again(path, "-n")
    assert told["changes the result"] == ["segment 1 (Old): its environment holds nuclei 2.0 (then 1.0)"]
    lab.run("reproduce", path, check=3)
    shutil.rmtree(prefix)
    done = lab.run("reproduce", path, "--anyway", check=3)
    assert "gone: segment 1 (Old)" in done.stdout
    assert "1 thing of then cannot be had again; nothing was run" in done.stderr


def test_items_that_were_changed_are_new_or_gone_are_told(lab: Again) -> None:
    for name in "abc":
        lab.raw(name)
    lab.script(
        "one.py",
        "import sys, shutil, os\n"
        "os.makedirs(os.path.dirname(sys.argv[4]), exist_ok=True)\n"
        "shutil.copy(sys.argv[2], sys.argv[4])\n",
    )
    flags = {"--input": "%ITEM%", "--output": "%YAML%/out/%STEM%.txt"}
    each = {"foreach": "%YAML%/raw/*.raw", "outputs": ["%YAML%/out/%STEM%.txt"]}
    path = lab.pipeline([segment("Each", "%REPO%/scripts/one.py", flags, environment="uv:count", **each)])
    lab.run(path)
    told, found = lab.again(path)
    assert told == {}
    assert (found["same"], len(found["parts"][0]["files"])) == (True, 3)
    lab.raw("b", "other cells")
    lab.raw("d")
    told, _ = lab.again(path, "-n")
    assert told["changes the result"][0].startswith("segment 1 (Each): other items than then: b.raw (")
    assert "d.raw (new)" in told["changes the result"][0]
    (lab.data / "raw" / "a.raw").unlink()
    told, _ = lab.again(path, "-n")
    assert told["gone"] == ["segment 1 (Each): items of then are gone: a.raw"]


def test_a_package_that_cannot_be_had_any_more_is_named_and_nothing_is_run(lab: Again, counted: Path) -> None:
    wheel = lab.repo / "wheels" / "alpha-1.0-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes()[:-40])
    done = lab.run("reproduce", counted, check=3, UV_CACHE_DIR=str(lab.home / "cache"))
    assert "the environment of then cannot be made again" in done.stderr
    assert "nothing was run" in done.stderr
    assert "--todays-lock" in done.stderr
    assert not [*(counted.parent / ".run-pipeline" / "reproduce").glob("*/*/out")]


def test_a_pipeline_and_its_repository_that_were_moved_are_found_where_they_are(lab: Again, counted: Path) -> None:
    moved = lab.data.rename(lab.root / "archive")
    told, found = lab.again(moved / counted.name)
    assert told == {}, told
    assert found["same"]
    assert found["parts"][0]["files"][0]["a"] == str(moved / "out" / "a.txt")


def test_records_elsewhere_are_used_where_they_are(lab: Again) -> None:
    path = lab.pipeline([segment("Count", "%REPO%/scripts/count.py", OUT, environment="uv:count")])
    lab.run(path, "--records", lab.root / "records")
    _, found = lab.again(path, "1", "--records", lab.root / "records")
    assert found["same"]
    assert not (lab.data / ".run-pipeline").exists()
    path.unlink()
    run = next((lab.root / "records").glob("pipeline.yaml-*/0*"))
    told, found = lab.again(run, "--fresh")
    assert told["note"][0].startswith(f"{path} is gone")
    assert found["same"]


def test_a_run_that_failed_is_done_again_as_far_as_it_came_and_one_that_did_nothing_is_refused(lab: Again) -> None:
    count = segment("Count", "%REPO%/scripts/count.py", OUT, environment="uv:count")
    path = lab.pipeline([count, shell("Fail", "exit 3")])
    lab.run(path, check=1)
    told, found = lab.again(path)
    assert told["note"] == ["segment 2 (Fail) had no result by then, and is left out"]
    assert found["same"]
    path = lab.pipeline([shell("Fail", "exit 3")], name="other.yaml")
    lab.run(path, check=1)
    done = lab.run("reproduce", path, check=2)
    assert "has no result: failed" in done.stderr


def test_results_of_a_later_run_are_not_taken_for_those_of_then(lab: Again, counted: Path) -> None:
    time.sleep(0.01)
    lab.raw(text="other cells")
    lab.run(counted, "--force")
    told, found = lab.again(counted, "1", "--anyway")
    last = lab.runs(counted)[-1].name
    assert told["note"] == [f"segment 1 (Count) was run again since, so its results may be those of {last}"]
    assert f"those of {last}." in found["notes"][0]
    shutil.rmtree(lab.data / "out")
    _, found = lab.again(counted, check=1)
    assert found["parts"][0]["verdict"] == "not compared: the results of then are gone"


def test_a_pipeline_whose_results_cannot_go_elsewhere_is_refused_with_the_reason(lab: Again) -> None:
    path = lab.pipeline([shell("Write", "echo x > out.txt")])
    lab.run(path)
    done = lab.run("reproduce", path, check=2)
    assert "tells no output folder; declare its `outputs:`" in done.stderr


def test_a_value_of_dotenv_that_leads_elsewhere_now_is_told(lab: Again) -> None:
    dotenv = lab.repo / ".env"
    dotenv.write_text(f"RAW={lab.data / 'raw'}\nWORD=one\n")
    flags = {"--input-folder": "%RAW%", "--output-folder": "%YAML%/out"}
    count = segment("Count", "%REPO%/scripts/count.py", flags, "%WORD%", environment="uv:count")
    path = lab.pipeline([count])
    lab.run(path)
    told, found = lab.again(path)
    assert (told, found["same"]) == ({}, True)
    shutil.copytree(lab.data / "raw", lab.data / "other")
    dotenv.write_text(f"RAW={lab.data / 'other'}\nWORD=one\n")
    told, _ = lab.again(path, "-n")
    text = f"segment 1 (Count) read {lab.data / 'raw'} then, and is given another place now"
    assert told["changes the result"] == [text]
    # what was run with another value is not taken for this one
    dotenv.write_text(f"RAW={lab.data / 'raw'}\nWORD=two\n")
    assert "taken from" not in lab.run("reproduce", path).stdout
    assert "taken from" in lab.run("reproduce", path).stdout


def test_what_is_done_counts_only_as_long_as_nothing_is_another(lab: Again, counted: Path) -> None:
    lab.raw(text="1")
    lab.again(counted, "--anyway", check=1)
    assert "taken from" in lab.run("reproduce", counted, "--anyway", check=1).stdout
    for text in ("22", "33"):
        lab.raw(text=text)
        assert "taken from" not in lab.run("reproduce", counted, "--anyway", check=1).stdout
    again = next((counted.parent / ".run-pipeline" / "reproduce").glob("*/000001/out/out/a.txt"))
    assert again.read_text() == "33 by 1.0 then\n"


@POSIX
def test_one_that_is_stopped_goes_on_where_it_was(lab: Again) -> None:
    lab.script(
        "wait.py",
        "import pathlib, sys, time\n"
        "out, wait = pathlib.Path(sys.argv[2]), pathlib.Path(__file__).with_name('wait')\n"
        "out.mkdir(exist_ok=True)\n"
        "while wait.exists():\n    time.sleep(0.05)\n"
        "(out / 'done.txt').touch()\n",
    )
    more = segment("Wait", "%REPO%/scripts/wait.py", {"--output-folder": "%YAML%/more"}, environment="uv:count")
    path = lab.pipeline([segment("Count", "%REPO%/scripts/count.py", OUT, environment="uv:count"), more])
    lab.run(path)
    (lab.repo / "scripts" / "wait").touch()
    runs = lab.data / ".run-pipeline" / "reproduce"
    process = lab.popen("reproduce", path)
    try:
        deadline = time.monotonic() + 60
        while not list(runs.glob("*/*/runs/0*/02-wait/log.txt")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        done = lab.run("reproduce", path, check=2)
        assert "reproduce run 1 of pipeline.yaml" in done.stderr, done.stderr  # who is at it
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[0].count(b"what is finished stays finished")
        assert process.returncode == 130
    finally:
        process.kill()
        process.communicate()
    (lab.repo / "scripts" / "wait").unlink()
    done = lab.run("reproduce", path)
    assert "it goes on with segment 2" in done.stdout
    assert "B gives the same results as A in both segments" in done.stdout


BACKEND = """\
import pathlib, zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    here, info = pathlib.Path.cwd(), "beta-1.dist-info"
    name = "beta-1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as wheel:
        wheel.writestr("beta.pth", str(here))
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: beta\\nVersion: 1\\n")
        told = "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr(f"{info}/WHEEL", told)
        wheel.writestr(f"{info}/RECORD", "")
    return name
def build_wheel(folder, config_settings=None, metadata_directory=None):
    return build_editable(folder)
"""


def test_a_package_in_a_folder_of_the_repository_is_found_from_the_lock_of_then(lab: Again) -> None:
    beta = lab.repo / "libs" / "beta"
    beta.mkdir(parents=True)
    (beta / "backend.py").write_text(BACKEND)
    (beta / "helping.py").write_text("WORD = 'of beta'\n")
    (lab.repo / "scripts" / "helping.py").unlink()
    build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (beta / "pyproject.toml").write_text(f'[project]\nname = "beta"\nversion = "1"\n{build}')
    project = lab.repo / "pyproject.toml"
    text = project.read_text().replace('["alpha"]', '["alpha", "beta"]')
    project.write_text(text + 'beta = { path = "libs/beta", editable = true }\n')
    lab.lock()
    path = lab.pipeline([segment("Count", "%REPO%/scripts/count.py", OUT, environment="uv:count")])
    lab.run(path)
    lab.alpha("2.0")
    told, found = lab.again(path)
    assert told["note"] == [f"segment 1 (Count): beta 1 lies in {beta}, and is run as it is there now"]
    assert found["same"]
    # what the lock of today wants is not missed
    (lab.repo / "wheels" / "alpha-2.0-py3-none-any.whl").unlink()
    assert lab.again(path)[1]["same"]
