"""The commands of each page, run in its order as a reader would, at a terminal, in a laboratory of their own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
import uv
import yaml

from tests.compare.conftest import Bench, bench, shared
from tests.conda.conda_layout import make_base, make_environment
from tests.docs.pages import PAGES, REPO, Block, blocks, name
from tests.migrate.places import Place
from tests.support.conda_channel import make_channel
from tests.support.lab import clean_environ
from tests.support.real_conda import own_conda
from tests.support.wheels import make_wheel
from tests.uv.index import Index
from tests.uv.shop import Shop

__all__ = ["bench", "shared"]  # fixtures: environments that all test processes share, and uv's cache

SHELLS = ("sh", "powershell", "bat")
EXAMPLE = REPO / "pipeline_configs/segment_threshold.yaml"
CELL = REPO / "pipeline_configs/example_data/cell.png"
KEPT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", ".*cache", "__pycache__", "output_*", ".run-pipeline", "*_status.yaml"
)


def on(page: Path) -> list[Block]:
    """The commands of a page, in its order."""
    return [block for block in blocks() if block.page == page and block.language in SHELLS]


@dataclass(frozen=True)
class Lab:
    """Where a page's commands are typed: a copy of a repository, and a folder to stand in."""

    repo: Path
    folder: Path
    environ: dict[str, str]

    @property
    def python(self) -> str:
        return sys.executable

    def type(self, line: str) -> tuple[int, str]:
        """Exit code and screen of a line that is typed at a terminal; every question is answered with yes."""
        import pty

        programs = self.folder.parent / "programs"
        programs.mkdir(exist_ok=True)
        starts = {"run-pipeline": f'"{sys.executable}" -m runner', "python3": f'"{self.python}"'}
        for program, words in {**starts, "python": starts["python3"]}.items():
            (programs / program).write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
            (programs / program).chmod(0o755)
        environ = {
            **self.environ,
            "PATH": f"{programs}:{self.environ['PATH']}",
            "PYTHONPATH": str(self.repo),
            "TERM": "dumb",
        }
        master, slave = pty.openpty()
        process = subprocess.Popen(
            ["/bin/sh", "-c", line], cwd=self.folder, env=environ, stdin=slave, stdout=slave, stderr=slave
        )
        os.close(slave)
        os.write(master, b"y\n")
        timer = threading.Timer(400, process.kill)
        timer.start()
        screen = b""
        try:
            while chunk := os.read(master, 65536):
                screen += chunk
        except OSError:  # Linux: the other side is closed
            pass
        os.close(master)
        timer.cancel()
        return process.wait(60), screen.decode("utf-8", "replace")

    def close(self) -> None:
        """What its setup started is ended."""


def whole_repository(bench: Bench, **environ: str) -> Lab:
    """A copy of this repository."""
    repo, folder = bench.root / "run-pipeline", bench.root / "my data"
    shutil.copytree(REPO, repo, ignore=KEPT_OUT)
    folder.mkdir()
    return Lab(repo, folder, bench.environ(**environ))


def readme(bench: Bench) -> Lab:
    """The pipeline is the page's own."""
    lab = whole_repository(bench)
    (example,) = (block.text for block in blocks("yaml") if block.page.name == "README.md")
    (lab.folder / "pipeline.yaml").write_text(example, encoding="utf-8")
    (lab.folder / "raw").mkdir()
    shutil.copy(CELL, lab.folder / "raw")
    return lab


def example(bench: Bench, **environ: str) -> Lab:
    """The pipeline is the example's, under each name that the pages give it."""
    lab = whole_repository(bench, **environ)
    cells = lab.folder / "D:" / "data" / "müller's cells"
    text = EXAMPLE.read_text(encoding="utf-8")
    for folder, file in ((lab.folder, "pipeline.yaml"), (lab.folder, "other.yaml"), (cells, "pipeline.yaml"),
                         (lab.folder / "data", "pipeline.yaml"), (lab.folder, "pipeline_uv.yaml")):  # fmt: skip
        (folder / "example_data").mkdir(parents=True, exist_ok=True)
        shutil.copy(CELL, folder / "example_data")
        own = text.replace("output_segment_threshold", "output_uv") if "uv" in file else text
        (folder / file).write_text(own, encoding="utf-8")
    two_results(lab.folder)
    return lab


def after(bench: Bench, line: str) -> Lab:
    """The example, with this done before; its environments are its own, since the page removes some."""
    lab = example(bench, RUN_PIPELINE_ENVS=str(bench.root / "envs"))
    code, screen = lab.type(line)
    assert code == 0, screen
    return lab


def two_results(folder: Path) -> None:
    """Two folders that can be compared."""
    for results in ("results_old", "results_new"):
        (folder / results).mkdir()
        (folder / results / "table.csv").write_text("label,area\n1,2.5\n", encoding="utf-8")


def with_conda(bench: Bench, file: str) -> Lab:
    """A laboratory with a recipe, its conda environment and a pipeline that uses it; packages lie on the disk."""
    place = Place(bench.root, bench.root / "uv cache").make()
    make_wheel(place.repo / "wheels", "cell-tools", "2.0")
    make_wheel(place.repo / "wheels", "lab-vars", "1.0")
    place.recipe("- python\n- cell-tools>=2\n- lab-vars")
    home = bench.root / "home"
    try:
        conda = own_conda(home / "miniforge3", home, bench.shared)
        conda.create("cells", "python", "cell-tools", "lab-vars", channel=make_channel(bench.root / "channel"))
    except pytest.skip.Exception:
        make_environment(make_base(home / "miniforge3") / "envs" / "cells")
    script = place.repo / "count.py"
    script.write_text("import sys\nopen(sys.argv[2], 'w').write('label,area\\n1,2\\n')\n", encoding="utf-8")
    segment = {
        "name": "Count",
        "environment": "cells",
        "commands": ["python", "%REPO%/count.py", {"--output-file": "%YAML%/results/table.csv"}],
    }
    pipeline = place.repo / file
    (pipeline.parent / "results").mkdir()
    pipeline.write_text(yaml.safe_dump({"run": [segment]}, sort_keys=False), encoding="utf-8")
    two_results(place.repo)
    environ = place.environ() | {"RUN_PIPELINE_REPO": str(place.repo)}
    return Lab(REPO, place.repo, environ)


def one_line(bench: Bench) -> Lab:
    """A pipeline of one short segment."""
    folder = bench.root / "my data"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "pipeline.yaml").write_text(
        "run:\n- environment: cmd\n  commands: [echo done]\n", encoding="utf-8"
    )
    return Lab(REPO, folder, bench.environ())


def many_files(bench: Bench) -> Lab:
    """The pipeline is the page's first one, over three images."""
    lab = whole_repository(bench)
    text = next(block.text for block in blocks("yaml") if block.page.name == "many-files.md")
    (lab.folder / "pipeline.yaml").write_text(text, encoding="utf-8")
    program = "%REPO%/standard_code/python/generate_cells.py"
    making = ["python", program, "--output-folder", "%YAML%/raw/plate 1", "--N=3"]
    segment = {"name": "Make images", "environment": "uv:segment_threshold", "commands": making}
    (lab.folder / "make.yaml").write_text(yaml.safe_dump({"run": [segment]}), encoding="utf-8")
    code, screen = lab.type("run-pipeline make.yaml")
    assert code == 0, screen
    return lab


@dataclass(frozen=True)
class NoNetwork(Lab):
    """What has `--offline` is typed on another computer: no network, an empty home, no environments."""

    index: Index

    @property
    def python(self) -> str:
        """One with pip."""
        return str(getattr(sys, "_base_executable", sys.executable))

    def type(self, line: str) -> tuple[int, str]:
        if "--offline" not in line:
            return super().type(line)
        shutil.rmtree(self.folder / ".venvs", ignore_errors=True)
        home = self.folder.parent / "another home"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        kept = {name: value for name, value in self.environ.items() if name not in ("UV_CACHE_DIR", "PIP_INDEX_URL")}
        other = Lab(self.repo, self.folder, kept | {"HOME": str(home)})
        return other.type(f"unshare -rn /bin/sh -c {shlex.quote(line)}")

    def close(self) -> None:
        self.index.close()


def no_network(bench: Bench) -> Lab:
    """A repository whose packages are on an index of this computer."""
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no namespace without a network can be made here")
    base = getattr(sys, "_base_executable", sys.executable)
    if subprocess.run([base, "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("the Python of this computer has no pip")
    index, home = Index(bench.root / "index"), bench.root / "home"
    index.add("beta")
    home.mkdir()
    shop = Shop(bench.root / "repo", {**clean_environ(home), "UV_CACHE_DIR": str(home / "cache")})
    shop.repo.mkdir()
    shop.more = f'[[tool.uv.index]]\nurl = "{index.url}"\ndefault = true\n'
    shop.write(cells=["alpha", "beta"])
    command = ["python", "-c", "import alpha, beta"]
    text = yaml.safe_dump({"run": [{"name": "Cells", "environment": "uv:cells", "commands": command}]})
    (shop.repo / "pipeline.yaml").write_text(text, encoding="utf-8")
    programs = bench.root / "tools"
    programs.mkdir()
    (programs / "uv").symlink_to(uv.find_uv_bin())
    own = {"RUN_PIPELINE_REPO": str(shop.repo), "PIP_INDEX_URL": index.url, "PIP_CONFIG_FILE": os.devnull}
    return NoNetwork(REPO, shop.repo, {**shop.environ, **own, "PATH": f"{programs}:{shop.environ['PATH']}"}, index)


def a_share(bench: Bench) -> Lab:
    """A folder takes the share's place; no variable says where environments are."""
    lab = whole_repository(bench)
    (lab.folder / "nas").mkdir()
    return replace(lab, environ={n: value for n, value in lab.environ.items() if n != "RUN_PIPELINE_ENVS"})


SETUPS: dict[str, Callable[[Bench], Lab]] = {
    "README.md": readme,
    "docs/command-line.md": partial(after, line='run-pipeline "D:/data/müller\'s cells/pipeline.yaml"'),
    "docs/conda-to-uv.md": partial(with_conda, file="pipeline.yaml"),
    "docs/exit-codes.md": one_line,
    "docs/many-files.md": many_files,
    "docs/migrate.md": partial(with_conda, file="pipeline_configs/cells.yaml"),
    "docs/notebooks.md": example,
    "docs/reproduce.md": example,
    "docs/shared-storage.md": a_share,
    "docs/without-a-network.md": no_network,
    "docs/troubleshooting.md": partial(after, line="run-pipeline env sync segment_threshold"),
}


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell and terminal")
@pytest.mark.parametrize("page", SETUPS)
def test_every_command_of_a_page_works_in_the_order_of_the_page(bench: Bench, page: str) -> None:
    lab = SETUPS[page](bench)
    ran = 0
    try:
        for block in on(REPO / page):
            if block.not_run:
                continue
            for line in block.text.splitlines():
                code, screen = lab.type(line)
                assert code == 0 or (block.may_fail and code == 1), f"{block}: {line}\nended with {code}:\n{screen}"
                assert "Traceback" not in screen, screen
                ran += 1
    finally:
        lab.close()
    assert ran


def test_every_page_with_commands_is_run_or_says_why_not() -> None:
    for page in PAGES:
        left = [str(block) for block in on(page) if not block.not_run]
        assert not left or name(page) in SETUPS, f"{left}: run them, or write `<!-- not run: REASON -->` before them"


@pytest.mark.parametrize("block", [one for one in blocks() if one.not_run], ids=str)
def test_what_is_not_run_has_a_reason_and_windows_is_one_for_its_own_shells_alone(block: Block) -> None:
    assert block.not_run.startswith("Windows only") == (block.language in ("powershell", "bat"))
