"""`run-pipeline kernel`: a real Jupyter client starts what it made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest

from runner.kernels import kernel_name, kernels_folder
from tests.support.lab import Lab, clean_environ
from tests.unit.test_site_file import host

# run by the Python of the environment, with the packages that `kernel install` got for Jupyter
CLIENT = """
import sys
sys.path.append(sys.argv[1])
from jupyter_client.manager import KernelManager

manager = KernelManager(kernel_name=sys.argv[2])
manager.start_kernel(cwd=sys.argv[3])
try:
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    said = []
    client.execute_interactive(sys.argv[4], timeout=60, output_hook=lambda m: said.append(m["content"].get("text", "")))
    print("".join(said), end="")
finally:
    client.stop_channels()
    manager.shutdown_kernel()
"""
SEEN = """import sys, os, json
notes = os.listdir(os.path.join(os.path.dirname(sys.prefix), ".in-use"))
print(json.dumps([sys.prefix, os.getcwd(), os.environ.get("VIRTUAL_ENV"), len(notes)]))"""


@pytest.fixture
def jupyter(lab: Lab) -> Path:
    return lab.home / ".local" / "share" / "jupyter" / "kernels"


def in_jupyter(lab: Lab, kernel: str, code: str) -> str:
    environment = lab.repo / ".venvs" / "default"
    (side,) = (lab.repo / ".venvs" / ".kernels").iterdir()
    words = [environment / "bin" / "python", "-c", CLIENT, side, kernel, lab.data, code]
    done = subprocess.run(
        words, env=clean_environ(lab.home), capture_output=True, text=True, encoding="utf-8", timeout=150, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="the place of the environment's Python is that of POSIX")
def test_a_kernel_starts_in_its_environment_also_after_a_sync(lab: Lab, jupyter: Path) -> None:
    lab.run("kernel", "install", "uv:default", "--name", "Zellen zählen (Labor)")
    told = json.loads((jupyter / "zellen-z-hlen-labor" / "kernel.json").read_text(encoding="utf-8"))
    assert told["display_name"] == "Zellen zählen (Labor)"
    environment = lab.repo / ".venvs" / "default"
    expected = [str(environment), str(lab.data), str(environment), 1]
    assert json.loads(in_jupyter(lab, "zellen-z-hlen-labor", SEEN)) == expected
    assert not list((lab.repo / ".venvs" / ".in-use").iterdir()), "told to other computers while it ran"
    lab.run("env", "remove", "default", "--yes")
    lab.run("env", "sync", "default")
    assert json.loads(in_jupyter(lab, "zellen-z-hlen-labor", SEEN)) == expected
    (row,) = [json.loads(line) for line in lab.run("kernel", "list", "--json").stdout.splitlines()]
    assert (row["environment"], row["can_start"]) == ("uv:default", True)
    lab.run("kernel", "remove", "uv:default")
    assert not list(jupyter.iterdir())


def test_a_kernel_of_somebody_else_is_neither_replaced_listed_nor_removed(lab: Lab, jupyter: Path) -> None:
    own = jupyter / "default" / "kernel.json"
    own.parent.mkdir(parents=True)
    own.write_text('{"argv": ["python"], "display_name": "default", "language": "python"}', encoding="utf-8")
    before = own.read_bytes()
    assert "No kernels of ours" in lab.run("kernel", "list").stdout
    done = lab.run("kernel", "remove", "default", check=None)
    assert (done.returncode, "there is no kernel 'default' of ours" in done.stderr) == (2, True)
    assert own.read_bytes() == before


@pytest.mark.parametrize(
    ("environment", "code", "said"),
    [
        ("uv:defalt", 3, "defalt"),
        ("cmd", 2, "is no environment that a notebook could use"),
        ("script", 2, "is no environment that a notebook could use"),
        ("imagej", 2, "is no environment that a notebook could use"),
    ],
)
def test_an_environment_that_cannot_be_a_kernel_is_refused(
    lab: Lab, jupyter: Path, environment: str, code: int, said: str
) -> None:
    done = lab.run("kernel", "install", environment, check=None)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert not jupyter.exists()


@pytest.mark.parametrize(
    ("platform", "environ", "folder"),
    [
        ("linux", {}, ".local/share/jupyter/kernels"),
        ("linux", {"XDG_DATA_HOME": "/x"}, "/x/jupyter/kernels"),
        ("linux", {"JUPYTER_DATA_DIR": "/j"}, "/j/kernels"),
        ("darwin", {}, "Library/Jupyter/kernels"),
    ],
)
def test_kernels_lie_where_jupyter_looks(tmp_path: Path, platform: str, environ: dict[str, str], folder: str) -> None:
    from dataclasses import replace

    here = replace(host(tmp_path, **environ), platform=platform, home=tmp_path)
    assert str(kernels_folder(here)) == str(tmp_path / folder)


def test_on_windows_they_lie_in_appdata(tmp_path: Path) -> None:
    from dataclasses import replace

    here = replace(
        host(tmp_path),
        platform="win32",
        environ={"APPDATA": r"C:\Users\Jörg\AppData\Roaming"},
        home=PureWindowsPath("C:/"),
    )
    assert str(kernels_folder(here)) == r"C:\Users\Jörg\AppData\Roaming\jupyter\kernels"


def test_names_of_kernels_are_what_jupyter_takes() -> None:
    assert kernel_name("segment_er (uv, Python 3.11)") == "segment_er-uv-python-3.11"
    assert kernel_name("核") == "kernel"
