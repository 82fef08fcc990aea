"""Environments of a store, with the real uv: they can be moved, are compiled, and run where nobody may write."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from runner.environments import Request, Site
from runner.environments.uv import in_store, script
from runner.environments.uv import kind as uv
from runner.environments.uv.stamp import State, condition, venv_settings
from runner.model import EnvironmentSpec
from tests.conda.conda_layout import make_environment
from tests.support.hosts import on_host
from tests.uv.shop import Shop, carry_out, make_wheel, run

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX")
SCRIPT = EnvironmentSpec("script", text="script")


def folder(shop: Shop, site: Site) -> Path:
    return Path(uv.place(shop.spec("uv:g"), site).folder)


def a_script(shop: Shop) -> Path:
    wheel = make_wheel(shop.repo / "wheels", "beta", "2.0")
    path = shop.repo / "count.py"
    path.write_text(
        '# /// script\n# requires-python = ">=3.11"\n# dependencies = ["beta"]\n#\n# [tool.uv.sources]\n'
        f'# beta = {{ path = "wheels/{wheel.name}" }}\n# ///\n'
        'import beta, sys; print("beta", beta.VERSION, sys.prefix)\n',
        encoding="utf-8",
    )
    return path


def a_python(pythons: Path) -> Path:
    """This one's program, as uv keeps Pythons of its own."""
    version, minor = ".".join(map(str, sys.version_info[:3])), "{}.{}".format(*sys.version_info)
    own = pythons / f"cpython-{version}-linux-{os.uname().machine}-gnu"
    (own / "bin").mkdir(parents=True)
    shutil.copy(Path(sys.base_prefix) / f"bin/python{minor}", own / "bin")
    (own / "lib").symlink_to(Path(sys.base_prefix) / "lib")
    return own


@posix
def test_an_environment_of_a_store_can_be_moved_and_is_compiled(shop: Shop, tmp_path: Path) -> None:
    shop.wheel("alpha", program="alpha-go").write(g=["alpha"])
    site = shop.in_store(tmp_path / "Ablage für alle")
    assert shop.prepare("uv:g", site) == ["venv", "sync", "compile"]
    made = folder(shop, site)
    assert venv_settings(made)["relocatable"] == "true"
    assert (
        next(made.glob("lib/python*/site-packages/__pycache__/alpha.*.pyc")).read_bytes()[4] == 1
    )  # by hash, unchecked
    made.rename(tmp_path / "moved")
    program = tmp_path / "moved/bin/alpha-go"
    assert subprocess.run([program], capture_output=True, text=True, check=False).stdout == "alpha-go 1.0\n"


def test_it_is_in_step_and_started_without_uv(shop: Shop, tmp_path: Path) -> None:
    shop.wheel("alpha").write(g=["alpha"])
    site = shop.in_store(tmp_path / "store", UV_CACHE_DIR=str(tmp_path / "cache"))
    shop.prepare("uv:g", site)
    assert uv.prepare(shop.spec("uv:g"), ["python"], site) is None
    command = uv.wrap(
        Request(shop.spec("uv:g"), ["python", "-c", "import alpha; print(alpha.VERSION)"], {}, str(shop.repo)), site
    )
    assert "uv" not in Path(command.argv[0]).name
    assert run(command, site.host.environ) == (0, "1.0\n")


def test_that_its_python_is_not_in_the_store_is_said(shop: Shop, tmp_path: Path) -> None:
    shop.write(g=[])
    site = shop.in_store(tmp_path / "store")
    shop.prepare("uv:g", site)
    (note,) = site.notes.take()
    assert note.startswith("what is made in the store stands on ")


@posix
def test_a_python_of_the_store_is_taken_before_any_of_this_computer(shop: Shop, tmp_path: Path) -> None:
    shop.write(g=[])
    site = shop.in_store(tmp_path / "store")
    minor = "{}.{}".format(*sys.version_info)
    own = a_python(tmp_path / "store/pythons")
    spec = f"uv@{minor}:g"
    shop.prepare(spec, site)
    made = Path(uv.place(shop.spec(spec), site).folder)
    assert Path(venv_settings(made)["home"]).is_relative_to(own)
    assert site.notes.take() == []


@posix
def test_one_that_was_made_before_the_system_stood_in_its_path_is_moved_on(shop: Shop, tmp_path: Path) -> None:
    shop.wheel("alpha", program="alpha-go").write(g=["alpha"])
    share = tmp_path / "share"
    from dataclasses import replace

    before = replace(shop.site(), environments=share / "environments")
    shop.prepare("uv:g", before)
    old = folder(shop, before)
    inode = (old / "lib").stat().st_ino
    site = shop.in_store(share)
    made = folder(shop, site)
    assert made.parent.parent == old.parent
    assert in_store.all_older(site) == ["g-py3.11"]
    assert shop.prepare("uv:g", site) == ["venv", "sync", "compile"]
    assert ((made / "lib").stat().st_ino, old.exists(), old.with_name(f"{old.name}.json").exists()) == (
        inode,
        False,
        False,
    )
    assert (
        subprocess.run([made / "bin/alpha-go"], capture_output=True, text=True, check=False).stdout == "alpha-go 1.0\n"
    )
    assert condition(uv.place(shop.spec("uv:g"), site), site).state is State.IN_STEP
    assert in_store.all_older(site) == []


@posix
def test_one_that_a_program_runs_from_is_left_and_another_is_made(shop: Shop, tmp_path: Path) -> None:
    from dataclasses import replace

    shop.write(g=[])
    share = tmp_path / "share"
    before = replace(shop.site(), environments=share / "environments")
    shop.prepare("uv:g", before)
    old = folder(shop, before)
    with subprocess.Popen([old / "bin/python", "-c", "input()"], stdin=subprocess.PIPE) as running:
        site = shop.in_store(share)
        shop.prepare("uv:g", site)
        assert (old / "bin/python").exists()
        assert folder(shop, site).is_dir()
        running.communicate(b"\n")


@posix
@pytest.mark.parametrize("killed", ["before it was made right", "at its end"])
def test_a_move_that_was_cut_short_is_brought_to_its_end(shop: Shop, tmp_path: Path, killed: str) -> None:
    from dataclasses import replace

    shop.wheel("alpha", program="alpha-go").write(g=["alpha"])
    share = tmp_path / "share"
    shop.prepare("uv:g", replace(shop.site(), environments=share / "environments"))
    site = shop.in_store(share)
    preparation = uv.prepare(shop.spec("uv:g"), ["python"], site)
    assert preparation
    preparation.lock.parent.mkdir(parents=True)
    preparation.begin()
    if killed == "at its end":
        for command in preparation.commands:
            assert run(command, site.host.environ)[0] == 0
    shop.prepare("uv:g", site)
    made = folder(shop, site)
    assert (
        subprocess.run([made / "bin/alpha-go"], capture_output=True, text=True, check=False).stdout == "alpha-go 1.0\n"
    )


def test_a_script_has_its_environment_in_the_store_whatever_computer_asks(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = a_script(shop)
    site = shop.in_store(tmp_path / "store")
    preparation = script.prepare(SCRIPT, [str(path)], site)
    assert preparation
    assert carry_out(preparation, site) == ["venv", "sync", "compile"]
    monkeypatch.setattr("platform.node", lambda: "another-host")
    assert script.prepare(SCRIPT, [str(path)], shop.in_store(tmp_path / "store")) is None
    code, said = run(script.wrap(Request(SCRIPT, [str(path)], {}, str(shop.repo)), site), site.host.environ)
    assert (code, said.split()[:2]) == (0, ["beta", "2.0"])
    assert Path(said.split(maxsplit=2)[2].strip()).is_relative_to(site.environments)


@posix
def test_a_node_that_may_only_read_the_store_runs_all_kinds_without_a_write(shop: Shop, tmp_path: Path) -> None:
    shop.wheel("alpha").write(g=["alpha"])
    path = a_script(shop)
    data, store = tmp_path / "data", tmp_path / "store"
    data.mkdir()
    cells = make_environment(tmp_path / "cells")
    prints = "import alpha, sys; print('alpha', alpha.VERSION, alpha.__cached__)"
    segments = [
        {"name": "Group", "environment": "uv:g", "commands": ["python", "-c", prints]},
        {"name": "Script", "environment": "script", "commands": [str(path)]},
        {"name": "Both", "environment": f"conda:{cells} + uv:g", "commands": ["python", "-c", prints]},
    ]
    pipeline = data / "pipeline.yaml"
    pipeline.write_text(yaml.safe_dump({"run": segments}, width=1000), encoding="utf-8")
    environ = {**shop.environ, "RUN_PIPELINE_REPO": str(shop.repo), "RUN_PIPELINE_STORE": str(store)}
    environ.pop("UV_CACHE_DIR")
    argv = [sys.executable, "-m", "runner", "run", str(pipeline)]

    def ran(*words: str) -> str:
        done = subprocess.run(words, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    ran(*argv[:3], "env", "--store", str(store))
    assert "alpha 1.0" in ran(*argv)
    (data / "pipeline_status.yaml").unlink()
    only_read = f'mount --bind -o ro "{store}" "{store}"; ! touch "{store}/x" 2>/dev/null'
    said = ran(*on_host("node7", tmp_path, argv, first=only_read))
    assert said.count("alpha 1.0") == 2
    assert "beta 2.0" in said
    assert "preparing" not in said


@posix
def test_what_two_environments_share_is_compiled_once_and_takes_its_space_once(shop: Shop, tmp_path: Path) -> None:
    (shop.repo / "wheels").mkdir()
    shop.wheel("alpha").wheel("gamma").write(g=["alpha"], h=["alpha", "gamma"])
    site = shop.in_store(tmp_path / "store", UV_CACHE_DIR=str(tmp_path / "store/cache"))
    for group in ("uv:g", "uv:h"):
        shop.prepare(group, site)
    found = [
        path.stat().st_ino for path in Path(site.environments).glob("*/lib/python*/site-packages/__pycache__/alpha.*")
    ]
    assert len(found) == 2
    assert len(set(found)) == 1
    pool = Path(site.environments) / ".compiled"
    before = len(list(pool.rglob("*.pyc")))
    shutil.rmtree(folder(shop, site).with_name("h-py3.11"))
    in_store.forget_compiled(site)
    assert len(list(pool.rglob("*.pyc"))) == before - 1  # that of gamma
    where = "import alpha; print(alpha.main.__code__.co_filename, alpha.__cached__)"
    command = uv.wrap(Request(shop.spec("uv:g"), ["python", "-c", where], {}, str(shop.repo)), site)
    code, said = run(command, site.host.environ)
    assert code == 0
    assert all(Path(place).parent.is_relative_to(Path(site.environments) / "g-py3.11") for place in said.split())


@posix
def test_a_file_that_cannot_be_compiled_or_linked_stops_nothing(shop: Shop, tmp_path: Path) -> None:
    (shop.repo / "wheels").mkdir()
    shop.wheel("alpha").write(g=["alpha"])
    site = shop.in_store(tmp_path / "store")
    shop.prepare("uv:g", site)
    made = folder(shop, site)
    library = next(made.glob("lib/python*/site-packages"))
    (library / "torn.py").write_text("def (:\n")
    (library / "ü.py").write_text("x = 1\n", encoding="utf-8")
    program = Path(in_store.__file__).with_name("compiling.py")
    pool = tmp_path / "no pool"
    pool.write_text("a file")
    done = subprocess.run(
        [made / "bin/python", "-I", "-S", "-B", program, pool, made], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("compiled ")
    assert not list(library.glob("__pycache__/torn*"))
    assert list(library.glob("__pycache__/ü*.pyc"))
