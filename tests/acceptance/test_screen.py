"""What the commands print into: a reader that went away, a full disk, nothing at all, a locale that is not UTF-8."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.acceptance.test_command_line import note, ran
from tests.support.lab import Lab, segment, shell


def status_with_no_reader(lab: Lab, argv: Sequence[str | Path], **streams: int) -> tuple[int, str]:
    """The exit status where nobody reads standard output, and what stands on standard error."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            lab.argv(*argv),
            cwd=lab.root,
            env=lab.environ(),
            stdin=subprocess.DEVNULL,
            **{"stdout": writer, "stderr": subprocess.PIPE, **streams},
            check=False,
            timeout=120,
        )
    finally:
        os.close(writer)
    return done.returncode, (done.stderr or b"").decode()


@pytest.fixture
def pipeline(lab: Lab) -> Path:
    return lab.pipeline([note(lab, "one")])


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("--help", 0),
        ("--version", 0),
        ("run --help", 0),
        ("env list", 0),
        ("env list --json", 0),
        ("doctor --json", None),
        ("status FILE", 0),
        ("status FILE --json", 0),
        ("check FILE", 0),
        ("check BROKEN", 2),
        ("FILE --dry-run", 0),
        ("FILE --dry-run --json", 0),
        ("FILE --print-hash", 0),
        ("compare ONE SAME", 0),
        ("compare ONE OTHER", 1),
        ("migrate RECIPE", None),
        ("FILE", 0),
        ("FILE --json", 0),
        ("FAILS", 1),
    ],
)
def test_a_command_ends_as_it_would_when_nobody_reads_what_it_prints(
    lab: Lab, pipeline: Path, line: str, status: int | None
) -> None:
    for name, text in {"ONE": "a,b\n1,2\n", "SAME": "a,b\n1,2\n", "OTHER": "a,b\n1,3\n"}.items():
        (lab.root / name).mkdir()
        (lab.root / name / "t.csv").write_text(text)
    (lab.root / "RECIPE.yml").write_text("name: other\ndependencies: [python=3.11]\n")
    (lab.root / "BROKEN.yaml").write_text("run: {\n")
    fails = lab.pipeline([shell("fails", "exit 3")], "fails.yaml")
    places = {"FILE": pipeline, "FAILS": fails, "RECIPE": lab.root / "RECIPE.yml", "BROKEN": lab.root / "BROKEN.yaml"}
    words = line.split()
    argv = [places.get(word, lab.root / word if word in ("ONE", "SAME", "OTHER") else word) for word in words]
    if status is None:
        status = lab.run(*argv, check=None).returncode
    ended, told = status_with_no_reader(lab, argv)
    assert ended == status, told
    assert "Exception ignored" not in told and "error: not" not in told and "itself failed" not in told
    both, _ = status_with_no_reader(lab, [*argv, *(["--force"] if line == "FILE" else [])], stderr=subprocess.STDOUT)
    assert both == status


@pytest.mark.skipif(sys.platform == "win32", reason="closed descriptors and /dev/full are POSIX's")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_run_without_standard_streams_is_a_run(lab: Lab, pipeline: Path, closed: str) -> None:
    line = f'exec "$@" {closed}'
    for words in ([pipeline], [pipeline, "--print-hash"], ["status", pipeline]):
        argv = ["bash", "-c", line, "bash", *lab.argv(*words)]
        assert subprocess.run(argv, cwd=lab.root, env=lab.environ(), check=False, capture_output=True).returncode == 0
    assert ran(lab) == ["one"]
    assert "error" not in (lab.runs(pipeline)[0] / "01-one/log.txt").read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_a_full_disk_cut_off_is_told(lab: Lab, pipeline: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        status, told = status_with_no_reader(lab, ["status", pipeline], stdout=full.fileno())
    assert status == 4
    assert told == "error: not everything could be printed: No space left on device\n"


@pytest.fixture
def latin1(tmp_path: Path) -> dict[str, str]:
    """The variables of a locale that is not UTF-8, made by the system's own tool."""
    if not (tool := shutil.which("localedef")):
        pytest.skip("needs localedef")
    made = subprocess.run(
        [tool, "-i", "de_DE", "-f", "ISO-8859-1", str(tmp_path / "de_DE.ISO-8859-1")], check=False, capture_output=True
    )
    if made.returncode != 0:
        pytest.skip("the system has no sources of locales")
    return {"LOCPATH": str(tmp_path), "LC_ALL": "de_DE.ISO-8859-1", "PYTHONIOENCODING": ""}


PRINTS = """\
import pathlib, sys
path = pathlib.Path(sys.argv[1])
path.touch()
print(path.read_text(encoding="utf-8"), sys.stdout.encoding, path.name)
"""


@pytest.mark.parametrize("language", ["C", "POSIX", "latin1"])
def test_names_that_are_utf8_on_disk_are_found_in_every_locale(lab: Lab, latin1: dict[str, str], language: str) -> None:
    if not sys.prefix.isascii() and sys.version_info < (3, 13):
        pytest.skip("such a Python cannot start there from a folder with an umlaut")
    environ = latin1 if language == "latin1" else {"LC_ALL": language, "PYTHONIOENCODING": ""}
    named = lab.data / "Größe µ.txt"
    named.write_text("found")
    pipeline = lab.pipeline(
        [segment("Größe → µ", "python", "-c", PRINTS, "%YAML%/Größe µ.txt", outputs="%YAML%/Größe*.txt")],
        "Zellbilder ö.yaml",
    )
    done = subprocess.run(
        lab.argv(pipeline), cwd=lab.root, env=lab.environ(**environ), capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    screen = done.stdout.decode("latin-1" if language == "latin1" else "utf-8")
    assert "Größe -> u" in screen if language == "latin1" else "Größe → µ" in screen
    assert "found utf-8 Größe µ.txt" in screen
    assert [entry["name"] for entry in lab.status(pipeline)] == ["Größe → µ"]
    assert lab.receipts(pipeline)[0]["outputs"][0]["path"] == str(named)
    again = subprocess.run(lab.argv(pipeline), cwd=lab.root, env=lab.environ(), capture_output=True, check=True)
    assert "all done" in again.stdout.decode()


def test_a_file_named_in_latin1_bytes_is_run(lab: Lab, latin1: dict[str, str]) -> None:
    pipeline = lab.pipeline([note(lab, "one")])
    odd = os.fsencode(lab.data) + b"/Zelle-\xf6.yaml"
    try:
        os.rename(pipeline, odd)  # noqa: PTH104
    except OSError:
        pytest.skip("the file system takes UTF-8 names only")
    for environ in (latin1, {}):
        done = subprocess.run(
            [*map(os.fsencode, lab.argv()), odd, b"--force"],
            cwd=lab.root,
            env=lab.environ(**environ),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert ran(lab) == ["one", "one"]
