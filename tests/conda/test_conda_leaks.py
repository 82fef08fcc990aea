"""What must not reach a segment of a conda environment: the home folder's packages, a notebook, other Pythons."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from runner.environments import Site, kind
from runner.environments.leaks import leaks, without_outer_libraries
from runner.environments.spec import parse_environment
from runner.model import Finding, ResolvedEntry, Severity
from tests.conda.conda_layout import make_environment, with_own_python
from tests.conda.test_conda_run import SHOW, run, wrap
from tests.support.lab import Lab, segment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these environments are laid out as on POSIX")

SiteOf = Callable[..., Site]
VERSION = "python{}.{}".format(*sys.version_info[:2])


def check(text: str, entries: list[ResolvedEntry], site: Site) -> list[Finding]:
    spec = parse_environment(text, "", "linux")
    return kind(spec).check(spec, entries, site)


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def python_site(base: Path, site_of: SiteOf) -> Site:
    """With an environment `cells` whose Python is no virtual one: it reads the home folder's packages first."""
    with_own_python(make_environment(base / "envs" / "cells"))
    return site_of({"CONDA_PATH": str(base)})


def test_a_package_in_the_home_folder_does_not_win_over_the_environments(base: Path, python_site: Site) -> None:
    package = "print('version', {!r})\n"
    own = base / "envs/cells/lib" / VERSION / "site-packages/cellpose.py"
    own.write_text(package.format("environment"))
    home = Path(str(python_site.host.home)) / ".local/lib" / VERSION / "site-packages/cellpose.py"
    home.parent.mkdir(parents=True)
    home.write_text(package.format("home"))
    command = wrap("cells", ["python", "-c", "import cellpose"], python_site)
    environ = dict(python_site.host.environ) | dict(command.activation)
    for name in command.unset:
        environ.pop(name, None)

    def said(**extra: str) -> str:
        return subprocess.run(command.argv, env=environ | extra, capture_output=True, text=True, check=True).stdout

    assert said() == "version environment\n"
    # as it was, and as a pipeline can still have it with `env: {PYTHONNOUSERSITE: ''}`
    assert said(PYTHONNOUSERSITE="") == "version home\n"


LEAKING = {
    "PYTHONPATH": "/other",
    "PYTHONSTARTUP": "/home/me/.pythonrc",
    "PYTHONBREAKPOINT": "ipdb.set_trace",
    "PYTHONINSPECT": "1",
    "PYTHONUSERBASE": "/other",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "JUPYTER_PATH": "/other/share/jupyter",
    "JPY_PARENT_PID": "12",
    "QT_PLUGIN_PATH": "/other/plugins",
    "QT_QPA_PLATFORM_PLUGIN_PATH": "/other/cv2/qt/plugins",
    "QT_API": "pyqt5",
    "TCL_LIBRARY": "/other/tcl8.6",
    "R_HOME": "/usr/lib/R",
    "R_LIBS": "/home/me/R",
    "R_PROFILE_USER": "/home/me/.Rprofile",
    "PERL5LIB": "/other/perl5",
}
STAYING = {
    "MPLCONFIGDIR": "/home/me/mpl",
    "QT_QPA_PLATFORM": "offscreen",
    "PYTHONUTF8": "1",
    "PYTHONHASHSEED": "0",
    "CUDA_VISIBLE_DEVICES": "1",
    "LD_LIBRARY_PATH": "/usr/lib/wsl/lib:/opt/cuda/lib64",
    "OMP_NUM_THREADS": "4",
}


def test_what_points_to_other_packages_or_to_a_notebook_does_not_reach_a_segment(base: Path, site_of: SiteOf) -> None:
    make_environment(base / "envs" / "cells", state={"JUPYTER_PATH": "its own"})
    site = site_of({"CONDA_PATH": str(base)}, **LEAKING, **STAYING)
    _, _, seen = run(wrap("cells", ["python", "-c", SHOW], site), site)
    assert {name: seen[name] for name in LEAKING if name in seen} == {"JUPYTER_PATH": "its own"}
    assert STAYING.items() <= seen.items()
    assert (seen["PYTHONNOUSERSITE"], seen["R_LIBS_USER"]) == ("1", "NULL")


@pytest.mark.parametrize(
    ("backend", "dropped"),
    [
        ("module://ipykernel.pylab.backend_inline", True),
        ("module://backend_interagg", True),
        ("nbAgg", True),
        ("Agg", False),
        ("TkAgg", False),
        ("", False),
    ],
)
def test_only_a_notebooks_own_drawing_backend_is_dropped(backend: str, dropped: bool) -> None:
    assert leaks({"MPLBACKEND": backend}) == ({"MPLBACKEND"} if dropped else set())


def test_a_name_in_small_letters_is_the_same_on_windows_and_the_systems_r_stays_for_uv() -> None:
    environ = {"PythonPath": "x", "R_HOME": "/usr/lib/R", "Path": "y"}
    assert leaks(environ) == {"PythonPath"}
    assert leaks(environ, conda=True) == {"PythonPath", "R_HOME"}


def test_shared_libraries_of_an_active_environment_go_and_a_clusters_stay(site_of: SiteOf) -> None:
    site = site_of(
        CONDA_PREFIX="/opt/conda/envs/outer",
        VIRTUAL_ENV="/home/me/venv",
        LD_LIBRARY_PATH="/opt/conda/envs/outer/lib:/usr/lib/wsl/lib:/home/me/venv/lib",
        LD_PRELOAD="/opt/conda/envs/outer/lib/libjemalloc.so /usr/lib/libx.so",
        DYLD_LIBRARY_PATH="/opt/conda/envs/outer2/lib",
    )
    assert without_outer_libraries(site.host.environ, site.host) == {
        "LD_LIBRARY_PATH": "/usr/lib/wsl/lib",
        "LD_PRELOAD": "/usr/lib/libx.so",
    }


def test_a_variable_in_the_pipeline_file_reaches_its_segment_all_the_same(lab: Lab, base: Path) -> None:
    prefix = make_environment(base / "envs" / "cells")
    show = "import os; print([os.environ.get(n) for n in ('PYTHONPATH', 'MPLBACKEND', 'PYTHONNOUSERSITE')])"
    given = {"PYTHONPATH": "/mine", "MPLBACKEND": "module://mine", "PYTHONNOUSERSITE": ""}
    pipeline = lab.pipeline(
        [
            segment("plain", "python", "-c", show, environment=str(prefix)),
            segment("given", "python", "-c", show, environment=str(prefix), env=given),
            segment("uv", "python", "-c", show),
        ]
    )
    done = lab.run(pipeline, PYTHONPATH="", MPLBACKEND="module://matplotlib_inline.backend_inline", JUPYTER_PATH="/j")
    assert "[None, None, '1']" in done.stdout
    assert "['/mine', 'module://mine', '']" in done.stdout
    assert "[None, None, None]" in done.stdout  # a virtual environment never reads the home folder's packages


def finding(entry: str, site: Site) -> Finding:
    (found,) = check("cells", [entry, "x"], site)
    assert found.key == "commands.0"
    assert "conda environment" in found.message
    return found


@pytest.fixture
def tools(tmp_path: Path, base: Path, site_of: SiteOf) -> Site:
    """An environment without programs of its own, and a folder of PATH with everything."""
    make_environment(base / "envs" / "cells")
    folder = tmp_path / "some tools"
    for name, text in {
        "ffmpeg": "\x7fELF",
        "java": "#!/bin/bash\nexec true\n",
        "cellpose": "#!/usr/bin/python3\nimport cellpose\n",
        "stardist": "#!/bin/sh\n'''exec' \"/home/my tools/bin/python3\" \"$0\" \"$@\"\n' '''\n",
        "python2.7": "\x7fELF",
        "pip3": "\x7fELF",
        "bash": "\x7fELF",
        "talks-of-python": "#!/bin/sh\n# it has nothing to do with python\n",
    }.items():
        program(folder / name, text)
    program(tmp_path / ".pyenv/shims/ilastik", "#!/usr/bin/env bash\nexec pyenv exec\n")
    site = site_of({"CONDA_PATH": str(base)}, PATH=f"{folder}:{tmp_path}/.pyenv/shims:/usr/bin:/bin")
    found = {path.name: str(path) for path in [*folder.iterdir(), *(tmp_path / ".pyenv/shims").iterdir()]}
    return replace(site, host=replace(site.host, which=lambda name: found.get(name)))


@pytest.mark.parametrize("name", ["ffmpeg", "java", "talks-of-python"])
def test_a_program_of_the_system_is_taken_with_a_warning(name: str, tools: Site, tmp_path: Path) -> None:
    found = finding(name, tools)
    assert found.severity is Severity.WARNING
    assert f"the one on PATH is taken, {tmp_path}/some tools/{name}" in found.message
    assert "full path" in found.cure
    assert check("cells", [f"{tmp_path}/some tools/{name}"], tools) == []


def test_a_shell_of_the_system_is_nothing_to_warn_of_and_one_of_another_environment_is(
    tools: Site, tmp_path: Path
) -> None:
    assert check("cells", ["bash", "-c", "python a.py"], tools) == []
    (tmp_path / "pyvenv.cfg").write_text("", encoding="utf-8")
    assert "virtual environment" in finding("bash", tools).message


@pytest.mark.parametrize("name", ["cellpose", "stardist", "python2.7", "pip3", "ilastik"])
def test_a_program_of_another_python_is_an_error(name: str, tools: Site, tmp_path: Path) -> None:
    found = finding(name, tools)
    assert found.severity is Severity.ERROR
    assert "Python" in found.message and f"/{name}" in found.message
    assert "conda install" in found.cure


def test_a_tool_in_a_virtual_environment_is_told_with_its_place(tmp_path: Path, base: Path, site_of: SiteOf) -> None:
    make_environment(base / "envs" / "cells")
    other = tmp_path / "other venv"
    venv.create(other, with_pip=False, symlinks=True)
    tool = program(other / "bin/segment", f"#!{other}/bin/python\n")
    site = site_of({"CONDA_PATH": str(base)}, PATH=f"{tool.parent}:/usr/bin")
    site = replace(site, host=replace(site.host, which={"segment": str(tool)}.get))
    found = finding("segment", site)
    assert found.severity is Severity.ERROR
    assert f"{tool}, runs with another Python (of the virtual environment {other})" in found.message


def test_a_program_of_an_environment_that_is_active_around_the_runner_is_not_there(
    tmp_path: Path, base: Path, site_of: SiteOf
) -> None:
    make_environment(base / "envs" / "cells")
    outer = make_environment(base / "envs" / "outer")
    tool = program(outer / "bin/ffmpeg", "#!/bin/sh\n")
    environ = {"CONDA_PREFIX": str(outer), "PATH": f"{outer}/bin:{tmp_path}/system"}
    site = site_of({"CONDA_PATH": str(base)}, **environ)
    site = replace(site, host=replace(site.host, which={"ffmpeg": str(tool)}.get))
    found = finding("ffmpeg", site)
    assert found.severity is Severity.ERROR and "was not found" in found.message
    behind = program(tmp_path / "system/ffmpeg", "#!/bin/sh\n")
    found = finding("ffmpeg", site)
    assert found.severity is Severity.WARNING and str(behind) in found.message


def test_the_command_line_tells_it_and_runs_what_may_be_run(lab: Lab, base: Path, tmp_path: Path) -> None:
    prefix = make_environment(base / "envs" / "cells")
    folder = tmp_path / "system"
    program(folder / "fade", "#!/bin/sh\necho faded\n")
    program(folder / "cellpose", f"#!{sys.executable}\nprint('wrong')\n")
    path = f"{folder}:/usr/bin:/bin"
    good = lab.pipeline([segment("fade", "fade", environment=str(prefix))], "good.yaml")
    checked = lab.run("check", good, PATH=path)
    assert "warning: the program 'fade' was not found" in checked.stdout
    assert "ok      1. fade" in checked.stdout and "could run, but look at the warning" in checked.stdout
    assert "would stop" not in lab.run(good, "--dry-run", PATH=path).stdout
    done = lab.run(good, PATH=path)
    assert f"the one on PATH is taken, {folder}/fade" in done.stderr
    assert "faded" in done.stdout
    bad = lab.pipeline([segment("cp", "cellpose", environment=str(prefix))], "bad.yaml")
    refused = lab.run(bad, check=2, PATH=path)
    assert f"{folder}/cellpose, runs with another Python" in refused.stderr
    assert "1 problem found; nothing was run" in refused.stderr
    assert not bad.with_name("bad_status.yaml").exists()
    assert lab.run("check", bad, check=2, PATH=path)
