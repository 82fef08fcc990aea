"""`python lab.bundle DIR` where neither a network nor a home nor anything of ours is: then its pipelines run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.bundle.conda.pack import pack
from runner.bundle.form import Environment, Python
from runner.host import this_host
from tests.bundle.making import REPO, manifest_of, packed, with_program, write_bundle
from tests.bundle.packing import NEEDED, pylock_of, wheel_of
from tests.conda.conda_layout import make_environment
from tests.support.lab import clean_environ
from tests.uv.shop import Shop

pytestmark = pytest.mark.skipif(os.name == "nt", reason="its lines are for sh; under Wine it was tried by hand")
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
MORE = '\n[project.scripts]\nrun-pipeline = "runner.__main__:main"\n'
MORE += '\n[build-system]\nrequires = ["uv_build>=0.8,<1"]\nbuild-backend = "uv_build"\n'
MORE += '[tool.uv.build-backend]\nmodule-name = "runner"\nmodule-root = ""\n'
PIPELINE = """\
run:
- name: alpha
  environment: uv:small
  foreach: [one, two]
  commands:
  - python
  - '%REPO%/say.py'
  - '%YAML%/out-%ITEM%.txt'
- name: after
  environment: uv:small
  commands: [python, '%REPO%/say.py', '%YAML%/out-after.txt']
"""
WITH_CONDA = """\
- name: in conda
  environment: cells
  commands: [python, -c, 'import os, sys; print("cells:", sys.prefix, os.environ["CELL_MODELS"])']
"""
SAY = "import sys, alpha\nopen(sys.argv[1], 'w').write(alpha.VERSION)\n"


@dataclass
class Away:
    """A computer without a network, with an empty home."""

    root: Path
    bundle: Path

    def start(self, *words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.argv(*words), env=self.environ(**more), cwd=self.root, capture_output=True, encoding="utf-8"
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def environ(self, **more: str) -> dict[str, str]:
        environ = clean_environ(self.root / "home")
        del environ["UV_CACHE_DIR"]
        python = Path(sys._base_executable)  # type: ignore[attr-defined]
        return {**environ, "PATH": f"{python.parent}{os.pathsep}/usr/bin{os.pathsep}/bin", **more}

    def argv(self, *words: str | Path) -> list[str]:
        away = ["unshare", "-n"] if sys.platform == "linux" and os.geteuid() == 0 and shutil.which("unshare") else []
        return [*away, *map(str, words)]

    def unbundle(self, folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self.start(sys._base_executable, "-I", self.bundle, folder, *words, **more)  # type: ignore[attr-defined]

    @property
    def at_home(self) -> list[str]:
        return [path.name for path in (self.root / "home").iterdir()]


def content_of(folder: Path) -> dict[str, bytes]:
    """A repository with the runner and one group, as `run-pipeline bundle` would put it into a bundle."""
    environ = clean_environ(folder / "home")
    repo, wheels = folder / "repo", folder / "wheels"
    repo.mkdir()
    wheels.mkdir()
    Shop(repo, environ, more=MORE).wheel("alpha").write(small=["alpha"])
    own = [wheel_of(name, wheels) for name in NEEDED]
    alpha = repo / "wheels" / "alpha-1.0-py3-none-any.whl"
    sources = [path for path in (REPO / "runner").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    content = {f"repo/{path.relative_to(REPO).as_posix()}": path.read_bytes() for path in sources}
    for name in ("pyproject.toml", "uv.lock", "wheels/alpha-1.0-py3-none-any.whl"):
        content[f"repo/{name}"] = (repo / name).read_bytes()
    content |= {"repo/pipes/a b.yaml": PIPELINE.encode(), "repo/say.py": SAY.encode()}
    content |= {f"wheels/{wheel.name}": wheel.read_bytes() for wheel in (*own, alpha)}
    content["environments/runner/pylock.toml"] = pylock_of(own)
    content["environments/uv-small/pylock.toml"] = pylock_of([alpha])
    if os.name != "nt":  # laid out as on POSIX
        scripts = {"cells.sh": 'export CELL_MODELS="$CONDA_PREFIX/models"\n'}
        prefix = make_environment(folder / "conda" / "envs" / "cells", scripts=scripts)
        packed = pack("cells", prefix, folder / "packed", this_host(), "linux", "x86_64")
        content |= {f"conda/{name}": (folder / "packed" / name).read_bytes() for name in packed.files}
        content["repo/pipes/a b.yaml"] += WITH_CONDA.encode()
        shutil.rmtree(folder / "conda")
    return with_program(content)


def manifest_fields() -> dict[str, object]:
    environment = Environment("uv-small", "uv:small", VERSION, "pipes/a b.yaml", 1)
    missing = ("segment 9: Fiji must be installed there", f"Python {VERSION} must be installed there: why")
    return {
        "python": VERSION, "pipelines": ("pipes/a b.yaml",), "environments": (environment,),
        "pythons": (Python(VERSION, ""),), "missing": missing,
    }  # fmt: skip


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return content_of(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def away(content: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Away]:
    root = tmp_path_factory.mktemp("äway")
    (root / "home").mkdir()
    yield Away(root, write_bundle(root / "lab.bundle", content, manifest_of(content, **manifest_fields())))
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def there(away: Away) -> tuple[Path, str]:
    """The folder, and what was said."""
    folder = away.root / "lab ü (1)"
    done = away.unbundle(folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout + done.stderr


def test_a_folder_is_made_whose_pipelines_run_without_network_and_home(away: Away, there: tuple[Path, str]) -> None:
    folder, said = there
    assert "could run as it is" in said
    assert "segment 9: Fiji must be installed there" in said and f"Python {VERSION} must" not in said
    assert away.at_home == []
    assert not (folder / ".bundle" / "cache").exists()
    assert tomllib.loads((folder / "run-pipeline.toml").read_text("utf-8")) == {"offline": True}
    line = said.split("Run the first pipeline:\n", 1)[1].strip()
    assert "run-pipeline" in line and "-m runner" not in line
    done = away.start("sh", "-c", line) if os.name != "nt" else away.start("cmd", "/c", line)
    assert done.returncode == 0, done.stderr
    assert (folder / "pipes" / "out-two.txt").read_text() == "1.0"
    made = folder / ".venvs" / ".conda" / "cells"
    assert os.name == "nt" or f"cells: {made} {made}/models" in done.stdout


def test_the_python_of_the_machine_finds_the_runner_set_up(away: Away, there: tuple[Path, str]) -> None:
    folder, _ = there
    command = 'cd "$1" && exec python3 -m runner check "pipes/a b.yaml"'
    done = away.start("sh", "-c", command, "sh", folder)
    assert done.returncode == 0 and "First start" not in done.stderr, done.stderr


def test_a_second_start_makes_nothing_anew(away: Away, there: tuple[Path, str]) -> None:
    folder, _ = there
    made = [folder / "uv.lock", folder / ".venv" / "pyvenv.cfg", *(folder / ".venvs").glob("small*/pyvenv.cfg")]
    assert len(made) == 3
    before = [path.stat().st_mtime_ns for path in made]
    (folder / "pipes" / "a b.yaml").write_text(PIPELINE + "# mine\n")
    done = away.unbundle(folder)
    assert done.returncode == 0 and "in step" in done.stderr, done.stderr
    assert [path.stat().st_mtime_ns for path in made] == before
    assert (folder / "pipes" / "a b.yaml").read_text().endswith("# mine\n")


def test_what_is_new_comes_as_a_delta_and_makes_no_environment_anew_that_is_as_it_was(
    away: Away, there: tuple[Path, str], content: dict[str, bytes]
) -> None:
    folder, _ = there
    new = {
        "repo/pyproject.toml": content["repo/pyproject.toml"] + b"# newer\n",
        "repo/say.py": SAY.encode() + b"# newer\n",
    }
    rest = packed({name: data for name, data in content.items() if name not in new})
    manifest = manifest_of(new, base="lab.bundle", base_files=rest, **manifest_fields())
    before = [path.stat().st_mtime_ns for path in folder.glob(".venv*/**/pyvenv.cfg")]
    delta = Away(away.root, write_bundle(away.root / "delta.bundle", new, manifest))
    done = delta.start(sys.executable, "-m", "runner", "unbundle", delta.bundle, folder, PYTHONPATH=str(REPO))
    assert done.returncode == 0 and "could run as it is" in done.stdout, done.stderr
    assert (folder / "say.py").read_text().endswith("# newer\n")
    assert [path.stat().st_mtime_ns for path in folder.glob(".venv*/**/pyvenv.cfg")] == before


def test_the_canary_runs_one_item_and_no_other(away: Away, there: tuple[Path, str]) -> None:
    folder, _ = there
    for path in (folder / "pipes").glob("out*"):
        path.unlink()
    for path in (folder / "pipes").glob("*_status.yaml"):
        path.unlink()
    shutil.rmtree(folder / "pipes" / ".run-pipeline", ignore_errors=True)
    done = away.unbundle(folder, "--canary", "--no-check")
    assert done.returncode == 0, done.stderr + done.stdout
    assert [path.name for path in (folder / "pipes").glob("out*")] == ["out-one.txt"]


def test_what_cannot_be_made_is_told_and_a_second_start_goes_on(away: Away, there: tuple[Path, str]) -> None:
    folder, _ = there
    (folder / ".venvs").rename(folder / "aside")
    (folder / ".venvs").write_text("mine")
    done = away.unbundle(folder)
    (folder / ".venvs").unlink()
    (folder / "aside").rename(folder / ".venvs")
    assert done.returncode == 3 and "uv group small cannot be prepared" in done.stderr, done.stderr
    assert "Not all of it is ready" in done.stderr and "Run the first" not in done.stderr
    again = away.unbundle(folder)
    assert again.returncode == 0 and "in step" in again.stderr, again.stderr


def test_two_computers_unbundle_into_one_store(away: Away, there: tuple[Path, str]) -> None:
    store = away.root / "store"
    without = away.unbundle(there[0], RUN_PIPELINE_STORE=str(store))
    assert without.returncode == 3 and not store.exists()
    command = without.stderr.rsplit("made yet: ", 1)[1].strip()
    assert away.start("sh", "-c", command).returncode == 0
    for name in ("host one", "host two"):  # each with its runner already: they come to the store together
        folder = away.root / name
        leave_out = shutil.ignore_patterns(".venvs", "lock", ".run-pipeline")
        shutil.copytree(there[0], folder, symlinks=True, ignore=leave_out, copy_function=os.link)
        (folder / ".bundle" / "lock").touch()
    starts = [
        subprocess.Popen(
            away.argv(sys._base_executable, "-I", away.bundle, away.root / name, "--no-check"),  # type: ignore[attr-defined]
            env=away.environ(RUN_PIPELINE_STORE=str(store)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        for name in ("host one", "host two")
    ]
    said = [process.communicate(timeout=120)[0] for process in starts]
    assert [process.returncode for process in starts] == [0, 0], said
    assert [path.name for path in (store / "environments").glob("*/small*/pyvenv.cfg")] == ["pyvenv.cfg"]
    assert (store / "store.json").is_file()
    assert sum("preparing uv group small" in text for text in said) >= 1
    for name in ("host one", "host two"):
        assert not (away.root / name / ".venvs").exists()
        shutil.rmtree(away.root / name)


def test_without_the_python_that_it_needs_that_is_said_and_the_files_stay(away: Away) -> None:
    folder = away.root / "no python"
    content = {"repo/uv.lock": b"", **_uv_alone(away)}
    bundle = write_bundle(
        away.root / "other.bundle", with_program(content), manifest_of(with_program(content), python="3.99")
    )
    done = Away(away.root, bundle).unbundle(folder)
    assert done.returncode == 3
    assert "the runner needs Python 3.99" in done.stderr and "start it again" in done.stderr
    assert (folder / "uv.lock").exists()


def _uv_alone(away: Away) -> dict[str, bytes]:
    import zipfile

    with zipfile.ZipFile(away.bundle) as archive:
        names = [name for name in archive.namelist() if name.startswith("wheels/uv-")]
        return {name: archive.read(name) for name in names}
