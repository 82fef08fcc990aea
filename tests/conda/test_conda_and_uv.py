"""`environment: conda:NAME + uv:GROUP`: libraries and variables of the one, Python and packages of the other."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from runner.environments.modules_system import find_system
from runner.host import this_host
from runner.model import Finding
from tests.conda.conda_layout import make_environment
from tests.docs.pages import REPO, blocks
from tests.support.conda_channel import make_channel
from tests.support.lab import Lab, segment
from tests.support.real_conda import RealConda
from tests.support.wheels import make_wheel

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the library is looked for as the loader of Linux does"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here"),
]
BOTH = "conda:cuda12 + uv:tools"
# what a segment sees, as JSON
LOOK = """\
import ctypes, json, os, shutil, sys
try:
    import only_conda
except ImportError:
    only_conda = None
print(json.dumps({
    "cells": ctypes.CDLL("libcells.so").cells(),
    "prefix": sys.prefix, "base": sys.base_prefix, "python": shutil.which("python"), "path": sys.path,
    "where": shutil.which("cell-where"), "only conda": only_conda is not None, "environ": dict(os.environ),
    "words": sys.argv[1:],
}))
"""


def compiled(folder: Path, name: str, text: str) -> Path:
    source, library = folder / f"{name}.c", folder / name
    source.write_text(text, encoding="utf-8")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


@pytest.fixture
def cuda12(lab: Lab, conda: RealConda, tmp_path: Path) -> Path:
    """A conda environment with a library, a variable and a Python; the lab has a uv group with a wheel."""
    library = compiled(tmp_path, "libcells.so", "int cells(void) { return 42; }")
    channel = make_channel(tmp_path / "channel", library.read_bytes())
    prefix = conda.create("cuda12", "python", "cell-library", channel=channel)
    (lab.repo / ".env").write_text(f"CONDA_PATH={conda.program}\n", encoding="utf-8")
    wheel = make_wheel(lab.repo / "wheels", "alpha", "1.0")
    file = lab.repo / "pyproject.toml"
    text = file.read_text(encoding="utf-8").replace("other = []\n", 'other = []\ntools = ["alpha"]\n')
    text += f'\n[tool.uv.sources]\nalpha = {{ path = "wheels/{wheel.name}" }}\n'
    file.write_text(text, encoding="utf-8")
    lab.uv("lock", "--quiet")
    return prefix


def seen(lab: Lab, pipeline: Path, *options: str, **environ: str) -> dict[str, object]:
    said = lab.run(pipeline, *options, **environ).stdout
    told = json.loads(next(line for line in said.splitlines() if line.startswith('{"cells"')))
    assert isinstance(told, dict)
    return told


def test_a_uv_group_loads_a_library_that_only_conda_has(lab: Lab, cuda12: Path, conda: RealConda) -> None:
    look = lab.script("look.py", "import alpha\n" + LOOK)
    pipeline = lab.pipeline([segment("Look", "python", str(look), "a b", environment=BOTH)])
    told = seen(lab, pipeline, **conda.variables)
    made = lab.repo / ".venvs" / "tools-py3.11"
    assert (told["cells"], told["words"], told["prefix"]) == (42, ["a b"], str(made))
    assert (told["python"], told["where"]) == (str(made / "bin/python"), str(cuda12 / "bin/cell-where"))
    environ = told["environ"]
    assert isinstance(environ, dict)
    folders = environ["PATH"].split(":")
    assert folders.index(str(made / "bin")) == 0 < folders.index(str(cuda12 / "bin"))
    assert (environ["CELL_DATA"], environ["VIRTUAL_ENV"]) == (str(cuda12 / "share/cells"), str(made))
    assert environ["LD_LIBRARY_PATH"].split(":")[0] == str(cuda12 / "lib")


def test_nothing_of_condas_python_reaches_it(lab: Lab, cuda12: Path, conda: RealConda) -> None:
    look = lab.script("look.py", LOOK)
    pipeline = lab.pipeline([segment("Look", str(look), environment=BOTH)])
    told = seen(lab, pipeline, **conda.variables)
    assert not told["only conda"]
    assert not [part for part in told["path"] if str(cuda12) in part or "/conda/here" in part]  # type: ignore[attr-defined]
    assert not str(told["base"]).startswith(str(cuda12))
    environ = told["environ"]
    assert isinstance(environ, dict)
    # what tells of the environment stays, what names conda's own Python does not
    left = {name for name in environ if name.startswith(("CONDA", "_CE_"))}
    assert left == {"CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_SHLVL"}
    assert (environ["CONDA_PREFIX"], environ.get("PYTHONPATH")) == (str(cuda12), None)


def test_a_script_with_its_own_packages_stands_on_conda_too(lab: Lab, cuda12: Path, conda: RealConda) -> None:
    look = lab.script("look.py", "# /// script\n# dependencies = []\n# ///\n" + LOOK)
    pipeline = lab.pipeline([segment("Look", "python", str(look), "x", environment="conda:cuda12 + script")])
    told = seen(lab, pipeline, **conda.variables)
    assert (told["cells"], told["words"], told["only conda"]) == (42, ["x"], False)
    assert str(told["prefix"]).startswith(str(lab.home / "uv cache"))
    (receipt,) = lab.receipts(pipeline)
    assert (receipt["environment"]["script"], receipt["environment"]["conda"]["name"]) == (str(look), "cuda12")


def test_the_receipt_names_both(lab: Lab, cuda12: Path, conda: RealConda) -> None:
    look = lab.script("look.py", LOOK)
    pipeline = lab.pipeline([segment("Look", str(look), environment=BOTH)])
    lab.run(pipeline, **conda.variables)
    (receipt,) = lab.receipts(pipeline)
    held = receipt["environment"]
    assert (held["text"], held["kind"], held["group"], held["packages"]) == (
        BOTH,
        "combined",
        "tools",
        {"alpha": "1.0"},
    )
    assert held["conda"]["packages"]["cell-library"] == "3.1"
    assert held["conda"]["prefix"] == str(cuda12)


def test_each_of_many_items_gets_both(lab: Lab, cuda12: Path, conda: RealConda) -> None:
    look = lab.script(
        "look.py", "import ctypes, sys\nopen(sys.argv[1], 'w').write(str(ctypes.CDLL('libcells.so').cells()))\n"
    )
    words = ("python", str(look), "%YAML%/%ITEM%.txt")
    pipeline = lab.pipeline([segment("Look", *words, environment=BOTH, foreach=["a", "b", "c"])])
    lab.run(pipeline, **conda.variables)
    assert [(lab.data / f"{name}.txt").read_text() for name in "abc"] == ["42", "42", "42"]


def test_a_program_that_only_conda_has_is_started_and_its_python_programs_are_not(
    lab: Lab, cuda12: Path, conda: RealConda, tmp_path: Path
) -> None:
    pipeline = lab.pipeline([segment("Where", "cell-where", "a  b", environment=BOTH)])
    assert f"{cuda12}/share/cells a  b\n" in lab.run(pipeline, **conda.variables).stdout
    pip = cuda12 / "bin" / "pip"
    pip.write_text(f"#!{cuda12}/bin/python\n", encoding="utf-8")
    pip.chmod(0o755)
    shutil.copy(pip, cuda12 / "bin" / "cell-py")
    for word in ("pip", "cell-py", "not-there"):
        done = lab.run(lab.pipeline([segment("Pip", word, environment=BOTH)]), check=2, **conda.variables)
        assert f"the environment of uv group `tools` has no program `{word}`" in done.stderr


def test_a_python_that_looks_for_its_own_library_does_not_take_that_of_conda(
    lab: Lab, cuda12: Path, conda: RealConda, tmp_path: Path
) -> None:
    name = "libpython{}.{}.so.1.0".format(*sys.version_info[:2])
    needed = subprocess.run(["ldd", os.path.realpath(sys.executable)], capture_output=True, text=True, check=True)
    if name not in needed.stdout:
        pytest.skip("this Python has the library in itself")
    shutil.copy(compiled(tmp_path, name, "int Py_BytesMain(int n, char **w) { return 77; }"), cuda12 / "lib" / name)
    look = lab.script("look.py", LOOK)
    group = "uv@{}.{}:tools".format(*sys.version_info[:2])
    pipeline = lab.pipeline([segment("Look", str(look), environment=f"conda:cuda12 + {group}")])
    told = seen(lab, pipeline, UV_PYTHON_PREFERENCE="only-system", **conda.variables)
    assert (told["cells"], told["only conda"]) == (42, False)


def test_an_environment_of_conda_needs_no_python_below(lab: Lab, cuda12: Path, conda: RealConda) -> None:
    for name in ("python", "python3"):
        (cuda12 / "bin" / name).unlink()
    look = lab.script("look.py", LOOK)
    pipeline = lab.pipeline([segment("Look", str(look), environment=BOTH)])
    assert "could run as it is" in lab.run("check", pipeline, **conda.variables).stdout
    assert seen(lab, pipeline, **conda.variables)["cells"] == 42


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("conda:cuda21 + uv:tools", "there is no conda environment 'cuda21'"),
        ("conda:cuda12 + uv:tolls", "has no dependency group `tolls`"),
        ("uv:tools + conda:cuda12", "the two stand the wrong way round"),
        ("conda:cuda12 + conda:cuda12", "`conda:cuda12` and `conda:cuda12` cannot be put together"),
        ("conda:cuda12 + uv:tools + script", "puts 3 environments together"),
        ("conda:cuda12+uv:tools", "Did you mean `conda:cuda12 + uv:tools`, with blanks around the plus sign?"),
        ("conda:cuda12 +script", "Did you mean `conda:cuda12 + script`"),
        ("conda:cuda12 + cmd", "cannot be put together"),
        ("conda: + uv:tools", "the segment names no environment"),
    ],
)
def test_what_cannot_be_put_together_is_told_before_anything_runs(
    text: str, said: str, lab: Lab, cuda12: Path, conda: RealConda
) -> None:
    pipeline = lab.pipeline([segment("Look", "python", "-c", "1", environment=text)])
    for command in (("check", pipeline), (pipeline,)):
        done = lab.run(*command, check=None, **conda.variables)
        assert done.returncode in (2, 3)
        assert said in done.stdout + done.stderr
    assert not lab.runs(pipeline)


def test_both_forms_of_a_plan_show_what_would_be_started(lab: Lab, cuda12: Path, conda: RealConda) -> None:
    pipeline = lab.pipeline([segment("Look", "python", "-c", "1", environment=BOTH)])
    assert BOTH in lab.run("check", pipeline, **conda.variables).stdout
    assert "python -c 1" in lab.run(pipeline, "--dry-run", **conda.variables).stdout
    done = lab.run("env", "sync", pipeline, **conda.variables)
    assert "uv group tools: in step" in done.stderr


SETS = """\
export PROJ_DATA="$CONDA_PREFIX/share/proj" GDAL_DATA="$CONDA_PREFIX/share/gdal" CUDA_HOME="$CONDA_PREFIX"
export SSL_CERT_FILE="$CONDA_PREFIX/ssl/cacert.pem" LD_LIBRARY_PATH="$CONDA_PREFIX/targets/lib:$LD_LIBRARY_PATH"
export PYTHONHOME="$CONDA_PREFIX" PYTHONPATH="$CONDA_PREFIX/lib/python3/site-packages" PYTHONSTARTUP=/x
export QT_PLUGIN_PATH="$CONDA_PREFIX/plugins" UV_PYTHON=3.6 UV_SYSTEM_PYTHON=1 VIRTUAL_ENV="$CONDA_PREFIX"
export _PYTHON_SYSCONFIGDATA_NAME=_sysconfigdata_x86_64_conda LD_PRELOAD=
"""


def test_what_packages_set_is_kept_and_what_leads_a_python_astray_is_not(lab: Lab) -> None:
    """Without conda: an environment as it lies on the disk, with blanks in its place."""
    prefix = make_environment(lab.data / "my envs" / "gis ü", scripts={"a.sh": SETS}, state={"OF_USER": "a b$c"})
    look = lab.script(
        "look.py", "import json, os, sysconfig\nsysconfig.get_config_vars()\nprint(json.dumps(dict(os.environ)))"
    )
    (lab.repo / ".env").write_text(f"GIS='{prefix}'\n", encoding="utf-8")
    keys = {"environment": "%GIS% + uv:default", "env": {"GDAL_DATA": "/my/own"}}
    pipeline = lab.pipeline([segment("Look", "python", str(look), **keys)])
    said = lab.run(pipeline, LD_LIBRARY_PATH="/opt/drivers", UV_PYTHON="3.7", PYTHONHOME="").stdout
    told = json.loads(next(line for line in said.splitlines() if line.startswith('{"')))
    kept = {name: told.get(name) for name in ("PROJ_DATA", "GDAL_DATA", "CUDA_HOME", "SSL_CERT_FILE", "OF_USER")}
    assert kept == {
        "PROJ_DATA": f"{prefix}/share/proj",
        "GDAL_DATA": "/my/own",
        "CUDA_HOME": str(prefix),
        "SSL_CERT_FILE": f"{prefix}/ssl/cacert.pem",
        "OF_USER": "a b$c",
    }
    assert told["LD_LIBRARY_PATH"] == f"{prefix}/lib:{prefix}/targets/lib:/opt/drivers"
    assert told["VIRTUAL_ENV"].startswith(f"{lab.repo}/.venvs/")
    gone = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "QT_PLUGIN_PATH", "UV_SYSTEM_PYTHON")
    assert not {*gone, "_PYTHON_SYSCONFIGDATA_NAME"} & told.keys()
    assert told.get("UV_PYTHON") not in ("3.6", "3.7")


@pytest.mark.parametrize("line", ["exit 5", "return 3; exit"])
def test_a_script_of_conda_that_ends_the_shell_is_named(lab: Lab, line: str) -> None:
    prefix = make_environment(lab.data / "envs" / "bad", scripts={"a.sh": f"echo no licence >&2\n{line}\n"})
    keys = {"environment": f"{prefix} + uv:default"}
    done = lab.run(lab.pipeline([segment("Look", "python", "-c", "print(1)", **keys)]), check=None)
    if line.startswith("exit"):
        assert done.returncode == 3
        assert f"{prefix}/etc/conda/activate.d/a.sh, it ended the shell with code 5" in done.stderr
    else:  # as in conda, one that merely fails does not end it, and is told
        assert done.returncode == 0
    assert "no licence" in done.stdout + done.stderr


def test_the_examples_of_the_page_run(lab: Lab, cuda12: Path, conda: RealConda, tmp_path: Path) -> None:
    """Each segment of docs/conda-and-uv-together.md with its own keys, and a program of the test's."""
    if isinstance(find_system(this_host(interactive=False)), Finding):
        pytest.skip("no Environment Modules or Lmod here")
    for name in ("gcc/12", "cuda/12.4"):
        file = tmp_path / "modulefiles" / name
        file.parent.mkdir(parents=True)
        file.write_text(f"#%Module\nprepend-path LD_LIBRARY_PATH {{{cuda12}/lib}}\n", encoding="utf-8")
    page = REPO / "docs" / "conda-and-uv-together.md"
    written = [one for block in blocks("yaml") if block.page == page for one in yaml.safe_load(block.text)["run"]]
    assert [one["environment"] for one in written] == ["conda:cuda12 + uv:segment_threshold", "uv:segment_threshold"]
    file = lab.repo / "pyproject.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("tools = ", "segment_threshold = "), encoding="utf-8")
    lab.uv("lock", "--quiet")
    look = lab.script("look.py", "import alpha, ctypes\nprint('cells', ctypes.CDLL('libcells.so').cells())\n")
    pipeline = lab.pipeline([{**one, "commands": ["python", str(look)]} for one in written])
    done = lab.run(pipeline, MODULEPATH=str(tmp_path / "modulefiles"), **conda.variables)
    assert done.stdout.count("cells 42") == 2


def test_a_folder_with_a_plus_sign_in_its_name_is_still_one_environment(lab: Lab) -> None:
    prefix = make_environment(lab.data / "c++ + tools")
    pipeline = lab.pipeline([segment("Show", "erode", environment=str(prefix))])
    assert f"erode {prefix}" in lab.run(pipeline).stdout
