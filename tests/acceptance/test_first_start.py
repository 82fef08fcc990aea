"""The first start on a machine with nothing but Python and pip."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import venv
from collections.abc import Iterator
from importlib.util import cache_from_source
from pathlib import Path

import pytest
import uv

from runner import bootstrap
from tests.support.lab import clean_environ

REPO = Path(__file__).resolve().parents[2]
NOWHERE = "http://127.0.0.1:9/simple"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Python with pip alone, which no first start adds to."""
    folder = tmp_path_factory.mktemp("bare") / "bare python"
    venv.create(folder, with_pip=True)

    def files() -> set[Path]:
        return {path for path in folder.rglob("*") if "__pycache__" not in path.parts}

    before = files()
    yield folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    assert files() == before


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the repository, in a folder with blanks and an umlaut."""
    target = tmp_path / "my läb"
    target.mkdir()
    for name in ("pyproject.toml", "uv.lock", "README.md", "LICENSE"):
        shutil.copy(REPO / name, target)
    shutil.copytree(REPO / "runner", target / "runner", ignore=shutil.ignore_patterns("__pycache__"))
    return target


def test_the_first_start_sets_the_runner_up_and_the_second_does_not(tmp_path: Path, bare: Path, copy: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environ = clean_environ(home) | {"PYTHONDONTWRITEBYTECODE": "1"}
    first = subprocess.run(
        [bare, "-m", "runner", "--version"], cwd=copy, env=environ, capture_output=True, text=True, check=False
    )
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("run-pipeline ")
    assert "First start: setting up" in first.stderr
    installed = copy / ".venv" / ("Scripts/run-pipeline.exe" if os.name == "nt" else "bin/run-pipeline")
    assert installed.exists()
    sources = list((copy / "runner").rglob("*.py"))
    assert [one for one in sources if not Path(cache_from_source(str(one))).exists()] == []
    pipeline = copy / "p.yaml"
    pipeline.write_text("run:\n- {name: x, environment: cmd, commands: ['echo %REPO%']}\n", encoding="utf-8")
    second = subprocess.run(
        [bare, "-m", "runner", "p.yaml"], cwd=copy, env=environ, capture_output=True, text=True, check=False
    )
    assert second.returncode == 0, second.stderr
    assert "setting up" not in second.stderr
    # the repository is found from anywhere, by the program that the set-up installed
    third = subprocess.run(
        [installed, str(pipeline), "--force", "--dry-run", "--json"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f'"cwd": "{copy}"'.encode("ascii", "backslashreplace").decode().replace("\\xe4", "\\u00e4") in third.stdout


def test_byte_code_that_cannot_be_made_or_written_is_no_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "torn.py").write_text("def (", encoding="utf-8")
    (tmp_path / "good.py").write_text("", encoding="utf-8")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "in_the_way.py").write_text("", encoding="utf-8")
    (tmp_path / "below" / "__pycache__").write_text("a file", encoding="utf-8")
    bootstrap._compile(tmp_path)
    bootstrap._compile(tmp_path / "none")
    assert capfd.readouterr() == ("", "")
    assert Path(cache_from_source(str(tmp_path / "good.py"))).exists()


@pytest.mark.parametrize(
    "text", ['[[index]]\nurl = "http://127.0.0.1:9/simple"\ndefault = true\n', "no-index = = true\n"]
)
def test_the_users_own_settings_for_uv_do_not_reach_the_first_start(
    tmp_path: Path, bare: Path, copy: Path, text: str
) -> None:
    path = tmp_path / "home" / ".config" / "uv" / "uv.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    environ = clean_environ(tmp_path / "home")
    environ |= {"XDG_CONFIG_HOME": str(path.parents[1]), "APPDATA": str(path.parents[1])}
    environ |= {
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "UV_RESOLUTION": "lowest",
        "UV_EXCLUDE_NEWER": "2015-01-01",
    }
    before = (copy / "uv.lock").read_bytes()
    done = subprocess.run(
        [bare, "-m", "runner", "--version"], cwd=copy, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (str(path) in done.stderr) == ("= =" in text)
    assert (copy / "uv.lock").read_bytes() == before


@pytest.mark.parametrize("change", ["another Python", "no Python"])
def test_a_virtual_environment_of_the_users_own_is_not_replaced(
    tmp_path: Path, bare: Path, copy: Path, change: str
) -> None:
    own = copy / ".venv"
    venv.create(own)
    if change == "another Python":
        settings = own / "pyvenv.cfg"
        settings.write_text(re.sub("home = .*", "home = /opt/python3.10/bin", settings.read_text()), encoding="utf-8")
    else:
        shutil.rmtree(own / ("Scripts" if os.name == "nt" else "bin"))
    (own / "mine.txt").write_text("mine", encoding="utf-8")
    before = sorted(path.relative_to(own) for path in own.rglob("*"))
    done = subprocess.run(
        [bare, "-m", "runner", "--version"], cwd=copy, env=clean_environ(tmp_path), capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode != 0
    assert "a virtual environment of your own" in done.stderr
    assert sorted(path.relative_to(own) for path in own.rglob("*")) == before


def test_a_python_that_is_too_old_is_named() -> None:
    old = shutil.which("python3.10") or shutil.which("python3.9")
    if old is None or subprocess.run([old, "-c", "pass"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no Python older than 3.11 is here")
    done = subprocess.run([old, "-m", "runner"], cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "needs Python 3.11" in done.stderr
    assert "Traceback" not in done.stderr


SETTINGS = {
    "PIP_USER": "1",
    "PIP_PREFIX": "elsewhere",
    "PIP_ROOT": "elsewhere",
    "PIP_TARGET": "elsewhere",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_DRY_RUN": "1",
    "PIP_NO_BINARY": ":all:",
    "PIP_CONSTRAINT": "/no/such/file",
    "PIP_REQUIRE_HASHES": "1",
}


def fetches_uv(bare: Path, copy: Path, environ: dict[str, str], sync: str = "") -> subprocess.CompletedProcess[str]:
    """The part of a first start that needs pip; of the uv that came only its version is asked. `sync`: in its place."""
    code = (
        "import sys, subprocess; from runner import bootstrap\n"
        "real = subprocess.call\n"
        "def call(argv, **options):\n"
        f"    if {bool(sync)} and 'sync' in argv:\n"
        f"        return {sync or 0}\n"
        "    return real(argv if 'pip' in argv else [argv[0], '--version'], **options)\n"
        "subprocess.call = call\n"
        "sys.exit(bootstrap.make_venv(''))\n"
    )
    return subprocess.run(
        [bare, "-c", code], cwd=copy, env=environ, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("how", ["variables", "file"])
def test_settings_of_pip_about_other_packages_do_not_stop_the_first_start(
    tmp_path: Path, bare: Path, copy: Path, how: str
) -> None:
    environ = clean_environ(tmp_path)
    if how == "variables":
        environ |= SETTINGS
    else:
        known = subprocess.run(
            [bare, "-m", "pip", "config", "list"], env=environ, capture_output=True, text=True, check=True
        ).stdout
        lines = [f"{name[4:].lower().replace('_', '-')} = {value}" for name, value in SETTINGS.items()]
        mirror = [
            line.partition(".")[2].replace("'", "").replace("\\n", " ").replace("=", " = ", 1)
            for line in known.splitlines()
            if line.startswith("global.") and "constraint" not in line
        ]
        settings = tmp_path / "pip.conf"
        # a mirror that is told for installing alone still serves
        settings.write_text("\n".join(["[global]", "require-virtualenv = true", "[install]", *mirror, *lines]))
        environ["PIP_CONFIG_FILE"] = str(settings)
    done = fetches_uv(bare, copy, environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("uv ")
    assert not (copy / "elsewhere").exists()


def test_a_mirror_that_does_not_answer_is_named_and_no_password_is_shown(
    tmp_path: Path, bare: Path, copy: Path
) -> None:
    environ = clean_environ(tmp_path) | {
        "PIP_NO_INDEX": "0",
        "PIP_INDEX_URL": "http://me:secret@127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
        "PIP_CONFIG_FILE": os.devnull,
    }
    environ.pop("PIP_FIND_LINKS", None)
    done = fetches_uv(bare, copy, environ)
    assert done.returncode == 3
    told = done.stderr[done.stderr.index("error: pip could not fetch uv.") :]
    assert "index-url" in told and "pip config debug" in told
    assert "secret" not in told


def test_a_pip_that_may_use_no_index_is_told_so(tmp_path: Path, bare: Path, copy: Path) -> None:
    theirs = {name: value for name, value in clean_environ(tmp_path).items() if not name.startswith("PIP_")}
    environ = theirs | {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    done = fetches_uv(bare, copy, environ)
    assert done.returncode == 3
    assert "where packages come from: no-index." in done.stderr


def test_a_first_start_that_fails_waits_once_where_there_is_no_uv_toml_to_blame(
    tmp_path: Path, bare: Path, copy: Path
) -> None:
    path = tmp_path / ".config" / "uv" / "uv.toml"
    environ = clean_environ(tmp_path) | {"XDG_CONFIG_HOME": str(path.parents[1]), "APPDATA": str(path.parents[1])}
    for count in (1, 2):
        done = fetches_uv(bare, copy, environ, sync="print('synced', file=sys.stderr, flush=True) or 1")
        assert done.returncode == 3
        assert done.stderr.count("synced") == count
        assert (str(path) in done.stderr) == (count == 2)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")


def test_a_pip_conf_that_is_broken_is_named(tmp_path: Path, bare: Path, copy: Path) -> None:
    path = tmp_path / "pip.conf"
    path.write_text("[global\nindex-url", encoding="utf-8")
    done = fetches_uv(bare, copy, clean_environ(tmp_path) | {"PIP_CONFIG_FILE": str(path), "PIP_RETRIES": "0"})
    assert str(path) in done.stderr
    assert "pip's settings are left out" in done.stderr


@pytest.mark.parametrize(
    ("code", "says"), [(0xC0000135, "0xC0000135: a DLL that it needs was not found"), (2, "What it said stands above")]
)
def test_a_uv_that_windows_cannot_load_is_told_with_its_code(
    code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bootstrap._uv_failed(code)
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("by", ["--offline", "UV_OFFLINE", "run-pipeline.toml"])
def test_a_first_start_without_a_network_says_at_once_what_is_missing(
    tmp_path: Path, bare: Path, copy: Path, by: str
) -> None:
    theirs = {name: value for name, value in clean_environ(tmp_path).items() if not name.startswith("PIP_")}
    blackhole = "http://10.255.255.1/simple"  # takes everything and answers nothing
    environ = theirs | {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": blackhole}
    environ |= {"PATH": os.pathsep.join(["/usr/bin", "/bin"]), "UV_CACHE_DIR": str(tmp_path / "empty")}
    if by == "run-pipeline.toml":
        (copy / by).write_text("offline = true\n", encoding="utf-8")
    environ |= {"UV_OFFLINE": "1"} if by == "UV_OFFLINE" else {}
    words = [bare, "-m", "runner", "check", "x.yaml", *([by] if by.startswith("-") else [])]
    began = time.monotonic()
    done = subprocess.run(words, cwd=copy, env=environ, capture_output=True, text=True, check=False)
    assert time.monotonic() - began < 20
    assert done.returncode == 3
    assert f"cannot be set up without a network ({'offline = true in ' if '.' in by else by}" in done.stderr
    assert "pip's folders have: uv==" in done.stderr
    if by != "--offline":
        return
    done = subprocess.run(
        words,
        cwd=copy,
        env=environ | {"RUN_PIPELINE_UV": uv.find_uv_bin()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "click==" in done.stderr and "rich==" in done.stderr
    assert not (copy / ".venv").exists()
