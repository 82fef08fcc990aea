"""What is kept of a run: which files a program is made of, and what no content of a record can break."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from runner.cli.common import make_site
from runner.pipeline.reader import parse_pipeline
from runner.records.kept import FOLDER, NAME, NOTHING, Kept, OfSegment, held, keep, of_segment, prune_kept, read_kept
from runner.runs.keeping import Scripts
from runner.tasks import Tasks
from tests.unit.test_records import ODD


def scripts(repo: Path, command: str, environment: str = "uv:x") -> dict[str, str]:
    (repo / "pyproject.toml").touch()
    text = json.dumps({"run": [{"name": "x", "environment": environment, "commands": [command]}]})
    site = make_site(str(repo), interactive=False)
    return Scripts(site).of(Tasks(parse_pipeline(text.encode(), repo / "data" / "x.yaml"), site)[1])


MODULES = {
    "main.py": "import os, plain\nimport inner.one as one, other\nfrom package import (\n  part,\n  name as n,\n)\n",
    "plain.py": "def late():\n    from helper import word\n",
    "helper.py": "import main\n",
    "other.py": "import inner.two; print('import unused')\n",
    "unused.py": "",
    "inner/one.py": "from .deep import x\nimport beside\n",
    "inner/deep.py": "",
    "inner/beside.py": "",
    "inner/two.py": "",
    "package/__init__.py": "",
    "package/part.py": "# from nowhere import anything\n",
    "package/left.py": "",
}
LEFT_OUT = {"unused.py", "package/left.py"}


@pytest.mark.parametrize("command", ["%REPO%/code/main.py", "code/main.py", "python code/main.py --fast"])
def test_a_program_is_its_script_and_the_modules_beside_it_that_it_imports(tmp_path: Path, command: str) -> None:
    for name, text in MODULES.items():
        path = tmp_path / "code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = scripts(tmp_path, command, "cmd" if " " in command else "uv:x")
    assert set(found) == {f"%REPO%/code/{name}" for name in MODULES.keys() - LEFT_OUT}
    assert found["%REPO%/code/plain.py"] == hashlib.sha256(MODULES["plain.py"].encode()).hexdigest()


def test_a_macro_is_a_script_and_data_is_none(tmp_path: Path) -> None:
    for name in ("count.ijm", "cells.tif", "table.csv"):
        (tmp_path / name).write_text("x")
    assert list(scripts(tmp_path, "Fiji --run count.ijm cells.tif table.csv", "cmd")) == ["%REPO%/count.ijm"]


def run(root: Path, number: int, kept: Kept) -> Path:
    folder = root / f"{number:06d}-2026-01-01-120000"
    folder.mkdir(parents=True)
    kept.write(folder)
    return folder


@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
def test_no_content_of_a_record_breaks_anything_or_removes_what_may_be_needed(tmp_path: Path, content: bytes) -> None:
    lock = keep(tmp_path, b"a lock")
    one = run(tmp_path, 1, Kept({1: keep(tmp_path, OfSegment({"uv.lock": lock}).text())}))
    (one / NAME).write_bytes(content)
    assert read_kept(one) is None
    prune_kept(tmp_path, [one])
    assert held(tmp_path, lock) == b"a lock"
    digest = keep(tmp_path, content)
    assert of_segment(tmp_path, digest) is None


def test_what_no_run_needs_is_removed_and_nothing_else(tmp_path: Path) -> None:
    lock, read, old = (keep(tmp_path, text) for text in (b"a lock", b"what was read", b"an old lock"))
    made = keep(tmp_path, OfSegment({"uv.lock": lock}, {"%REPO%/a.py": "0" * 64}).text())
    runs = [run(tmp_path, 1, Kept({1: made, 2: NOTHING}, read)), tmp_path / "000002-2026-01-01-120000"]
    folder = tmp_path / FOLDER
    (folder / f"{'a' * 64}.0123456789abcdef.tmp").touch()
    (folder / ("b" * 64)).mkdir()
    (folder / "mine.txt").touch()
    outside = tmp_path / "outside"
    outside.touch()
    (folder / ("c" * 64)).symlink_to(outside)
    prune_kept(tmp_path, runs)
    assert {path.name for path in folder.iterdir()} == {lock, read, made, "b" * 64, "c" * 64, "mine.txt"}
    assert outside.exists()
    assert held(tmp_path, old) is None
    assert of_segment(tmp_path, NOTHING) == OfSegment()


def test_a_lock_that_was_changed_counts_as_lost_and_is_kept_anew(tmp_path: Path) -> None:
    digest = keep(tmp_path, b"a lock")
    (tmp_path / FOLDER / digest).write_bytes(b"another")
    assert held(tmp_path, digest) is None
    assert keep(tmp_path, b"a lock") == digest
    assert held(tmp_path, digest) == b"a lock"
