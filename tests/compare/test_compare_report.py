"""The report: whole without a network, small, and shown rightly by a real browser."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.compare.conftest import Bench
from tests.programs.conftest import REPO

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
HEADERS = {"Content-Type": "application/json"}
DRIVER = shutil.which("chromedriver")


@pytest.fixture
def report(bench: Bench) -> Path:
    bench.make("split", "shifted", "reordered", "changed_cell", "broken_network")
    folder = bench.root / "Bericht <1> & ü"
    done = bench.run("compare", bench.a, bench.b, "--report", folder, code=1)
    assert f"Report: {folder / 'index.html'}" in done.stdout
    return folder


def test_the_page_needs_nothing_but_its_folder_and_has_the_worst_first(report: Path) -> None:
    page = (report / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r"https?://|@import|<script|url\(", page)
    sources = re.findall(r'src="([^"]+)"', page)
    assert len(sources) == 15
    assert all((report / source).is_file() for source in sources)
    assert page.index("cell_labels.tif") < page.index("values.csv") < page.index("table.csv")
    data = json.loads((report / "report.json").read_text(encoding="utf-8"))
    pairs = [pair for part in data["parts"] for pair in part["files"]]
    assert {picture["file"] for pair in pairs for picture in pair["pictures"]} == set(sources)
    assert sum(path.stat().st_size for path in report.rglob("*") if path.is_file()) < 400_000


def test_a_second_report_leaves_no_picture_of_the_first(bench: Bench, report: Path) -> None:
    for name in ("moved.tif", "er_mask.tif"):
        shutil.copy(bench.a / name, bench.b / name)
    bench.run("compare", bench.a, bench.b, "--report", report, code=1)
    assert len(list((report / "pictures").iterdir())) == 5


def test_a_report_writes_over_no_file_that_is_not_its_own(bench: Bench) -> None:
    for folder in (bench.a, bench.b):
        (folder / "x.txt").write_text("x")
    site = bench.root / "web site"
    site.mkdir()
    (site / "index.html").write_text("my own")
    done = bench.run("compare", bench.a, bench.b, "--report", site, code=2)
    assert f"{site / 'index.html'} is no report of a comparison" in done.stderr
    assert (site / "index.html").read_text() == "my own"
    assert "which is compared" in bench.run("compare", bench.a, bench.b, "--report", bench.b / "report", code=2).stderr
    assert not (bench.b / "report").exists()


def two_texts(bench: Bench) -> None:
    for folder, text in ((bench.a, "x"), (bench.b, "y")):
        (folder / "x.txt").write_text(text)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_pictures_of_the_users_own_stay_whatever_they_are_called(bench: Bench, report: Path) -> None:
    pictures = report / "pictures"
    made = sorted(path.name for path in pictures.iterdir())
    (pictures / made[0]).write_bytes(b"drawn over by hand")
    for name in ("00077.webp", "2024.webp", "7 nice cell.webp"):
        (pictures / name).write_bytes(b"my own")
    bench.run("compare", bench.a, bench.b, "--report", report, code=1)
    kept = {"00077.webp", "2024.webp", "7 nice cell.webp", made[0]}
    assert {name: data for name, data in contents(pictures).items() if name in kept} == {
        **dict.fromkeys(kept, b"my own"), made[0]: b"drawn over by hand",
    }  # fmt: skip
    sources = re.findall(r'src="pictures/([^"]+)"', (report / "index.html").read_text(encoding="utf-8"))
    assert len(sources) == 15
    assert not kept & set(sources)
    assert set(contents(pictures)) == kept | set(sources), "pictures of the first report stayed"


@pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")
def test_no_link_leads_a_report_out_of_its_folder(bench: Bench) -> None:
    two_texts(bench)
    elsewhere, folder = bench.root / "elsewhere", bench.root / "report"
    elsewhere.mkdir()
    folder.mkdir()
    (elsewhere / "00001.webp").write_bytes(b"my own")
    (folder / "pictures").symlink_to(elsewhere)
    assert "leads elsewhere" in bench.run("compare", bench.a, bench.b, "--report", folder, code=2).stderr
    (folder / "pictures").unlink()
    (folder / "index.html").symlink_to(elsewhere / "not there.html")
    assert "is no report" in bench.run("compare", bench.a, bench.b, "--report", folder, code=2).stderr
    link = bench.root / "link"
    link.symlink_to(bench.b)
    assert "which is compared" in bench.run("compare", bench.a, bench.b, "--report", link / "new", code=2).stderr
    assert contents(elsewhere) == {"00001.webp": b"my own"}
    assert sorted(path.name for path in folder.iterdir()) == ["index.html"]


@pytest.mark.parametrize("name", ["index.html", "report.json"])
def test_a_page_that_was_changed_by_hand_is_not_written_over(bench: Bench, name: str) -> None:
    two_texts(bench)
    folder = bench.root / "report"
    bench.run("compare", bench.a, bench.b, "--report", folder, code=1)
    shutil.copytree(folder, bench.root / "copied")  # with other times, as git and sync programs leave them
    bench.run("compare", bench.a, bench.b, "--report", bench.root / "copied", code=1)
    (folder / name).write_text((folder / name).read_text(encoding="utf-8") + " ", encoding="utf-8")
    before = contents(folder)
    done = bench.run("compare", bench.a, bench.b, "--report", folder, code=2)
    assert f"{folder / name} is no report of a comparison, or was changed since" in done.stderr
    assert contents(folder) == before


@pytest.mark.parametrize("named", ["../mine.txt", "pictures/../../mine.txt", "{root}/mine.txt", "sub/mine.txt"])
def test_a_list_that_names_files_elsewhere_is_not_believed(bench: Bench, named: str) -> None:
    two_texts(bench)
    folder = bench.root / "report"
    bench.run("compare", bench.a, bench.b, "--report", folder, code=1)
    (bench.root / "mine.txt").write_text("my own")
    if os.name != "nt":
        (folder / "sub").symlink_to(bench.root)
    told = json.loads((folder / ".made-by-compare.json").read_text(encoding="utf-8"))
    told["files"][named.format(root=bench.root)] = [hashlib.sha256(b"my own").hexdigest()]
    (folder / ".made-by-compare.json").write_text(json.dumps(told))
    bench.run("compare", bench.a, bench.b, "--report", folder, code=1)
    assert (bench.root / "mine.txt").read_text() == "my own"


@pytest.mark.skipif(os.name == "nt", reason="a limit of POSIX plays the full disk")
def test_where_no_report_can_be_made_the_result_is_told_all_the_same(bench: Bench) -> None:
    two_texts(bench)
    command = [sys.executable, "-m", "runner", "compare", bench.a, bench.b, "--report", bench.root / "report"]
    limited = ["bash", "-c", 'ulimit -f 1; exec "$@"', "bash", *map(str, command)]
    done = subprocess.run(limited, cwd=REPO, env=bench.environ(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 4, done.stderr
    assert "line 1 is 'x' against 'y'" in done.stdout
    assert f"cannot write {bench.root / 'report'}" in done.stderr


def test_images_of_two_shapes_are_shown_beside_each_other_and_nothing_more_is_promised(bench: Bench) -> None:
    bench.make("two_shapes")
    done = bench.run("compare", bench.a, bench.b, "--report", bench.root / "report", code=1)
    assert done.stdout.count(".tif: shape ") == 6  # five pairs, and the verdict
    assert "and 2 more" in done.stdout
    page = (bench.root / "report" / "index.html").read_text(encoding="utf-8")
    assert len(re.findall("<figcaption>[AB]<", page)) == page.count("<img") == 14


class Browser:
    """A Chromium that is driven over WebDriver."""

    def __init__(self, url: str, profile: Path) -> None:
        self._url = url
        options = {
            "binary": CHROMIUM,
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--offline"],
        }
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        session = self("/session", {"capabilities": {"alwaysMatch": wanted}})
        self._url += f"/session/{session['sessionId']}"

    def __call__(self, path: str, data: dict[str, Any] | None = None, *, method: str = "") -> Any:
        body = None if data is None else json.dumps(data).encode()
        asked = urllib.request.Request(self._url + path, body, HEADERS, method=method or None)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.loads(answer.read())["value"]

    def run(self, script: str) -> Any:
        return self("/execute/sync", {"script": script, "args": []})


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    if not CHROMIUM or not DRIVER:
        pytest.skip("needs Chromium and its driver (Debian: chromium, chromium-driver)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        try:
            deadline = time.monotonic() + 30
            while not _listens(port) and time.monotonic() < deadline:
                time.sleep(0.1)
            made = Browser(url, tmp_path / "profile")
            try:
                yield made
            finally:
                made("", method="DELETE")
        finally:
            driver.terminate()


def test_a_real_browser_shows_every_picture_and_prints_the_page(browser: Browser, report: Path) -> None:
    browser("/window/rect", {"width": 1100, "height": 900})
    browser("/url", {"url": (report / "index.html").as_uri()})
    shown = "return [...document.images].map(i => (i.loading = 'eager', i.decode().catch(() => 0), i.currentSrc))"
    assert len(browser.run(shown)) == 15
    deadline = time.monotonic() + 20
    while not all(browser.run("return [...document.images].map(i => i.naturalWidth > 90)")):
        assert time.monotonic() < deadline, "a picture was not shown"
        time.sleep(0.1)
    assert browser.run("return document.documentElement.scrollWidth <= window.innerWidth"), (
        "it is wider than the window"
    )
    below = """return [...document.querySelectorAll('figure')].every(f => {
        const [i, c] = [f.querySelector('img'), f.lastChild].map(e => e.getBoundingClientRect());
        return c.top >= i.bottom && c.left >= i.left - 1 && c.right <= i.right + 1 })"""
    assert browser.run(below), "captions do not stand below their pictures"
    widths = browser.run("return [...document.images].map(i => i.width)")
    browser.run("document.querySelector('figure a').click()")
    assert browser.run("return document.images[0].width") > 2 * widths[0], "it does not enlarge"
    browser.run("document.querySelector('.back').click()")
    assert browser.run("return [...document.images].map(i => i.width)") == widths
    assert "cell_labels.tif" in browser.run("return document.body.innerText")
    browser("/window/rect", {"width": 420, "height": 900})
    narrow = "return [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth)"
    assert browser.run("return innerWidth") < 520
    assert browser.run(f"{narrow}.map(e => e.outerHTML.slice(0, 99))") == [], "cut off on a narrow screen"
    assert browser("/se/log", {"type": "browser"}) == []
    browser("/window/rect", {"width": 1100, "height": 900})
    png = base64.b64decode(browser("/screenshot"))
    assert struct.unpack(">2I", png[16:24])[0] >= 1000
    assert len(png) > 20_000, "an empty page"
    assert base64.b64decode(browser("/print", {})).startswith(b"%PDF")


def compared_pipelines(bench: Bench, outputs: list[str] | None) -> tuple[Path, Path]:
    """Two pipelines of one segment that writes into the folder `out` beside them; it leaves a trace when it runs."""
    made = []
    for name, text in (("a", "x"), ("b", "y")):
        path = bench.root / name / "job.yaml"
        path.parent.mkdir()
        code = "import pathlib, sys; p = pathlib.Path(sys.argv[-1]); p.mkdir(exist_ok=True)\n"
        code += f"(p / 'n.txt').write_text('{text}')"
        (path.parent / "write.py").write_text(code, encoding="utf-8")
        command = [f'"{sys.executable}"', str(path.parent / "write.py"), {"--output-folder": "%YAML%/out"}]
        segment = {"name": "Write", "environment": "cmd", "commands": command}
        path.write_text(json.dumps({"run": [segment | ({"outputs": outputs} if outputs else {})]}), encoding="utf-8")
        made.append(path)
    return made[0], made[1]


@pytest.mark.parametrize(
    ("outputs", "where", "compared"),
    [
        (None, "a/out/report", True),
        (None, "b/out", True),
        (None, "a/report", False),
        (["%YAML%/out/**/*"], "a/out/report", True),
        (["%YAML%/*/*.html"], "b/report", True),
        (["%YAML%/*"], "a/report", True),
        (["%YAML%/out/*.txt"], "a/out/report", False),
        (["%YAML%/**/*.txt"], "a/report", False),
        (["%YAML%/out/n.txt"], "a/out", False),
        (None, "a/.run-pipeline/compare/job", False),
    ],
)
def test_a_report_within_what_two_pipelines_write_is_refused_before_they_run(
    bench: Bench, outputs: list[str] | None, where: str, compared: bool
) -> None:
    a, b = compared_pipelines(bench, outputs)
    folder = bench.root / where
    options = ["--no-noise-floor", "--report", folder]
    done = bench.run("compare", a, b, *options, code=2 if compared else 1)
    assert ("which is compared" in done.stderr) == compared
    assert (folder / "index.html").is_file() != compared
    assert (bench.root / "a" / "out").exists() != compared, "nothing runs, and nothing is made"


def test_a_report_for_a_pipeline_with_a_mistake_makes_no_folder(bench: Bench) -> None:
    a, b = compared_pipelines(bench, None)
    b.write_text("run: [{nme: x}]\n", encoding="utf-8")
    bench.run("compare", a, b, "--report", bench.root / "report", code=2)
    assert not (bench.root / "report").exists()
