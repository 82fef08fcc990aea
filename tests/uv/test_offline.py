"""Nothing of ours uses the network where it is not to be used, and what is missing is said before anything runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from runner.cli.common import make_site, offline_option
from runner.cli.main import cli
from runner.environments import Site
from runner.environments.offline import offline
from runner.environments.uv import kind as uv
from runner.errors import EnvironmentMissing
from runner.host import Captured
from runner.model import Finding
from runner.process.capture import capture
from tests.support.wheels import make_wheel
from tests.uv.index import Index
from tests.uv.shop import Shop


def said_by(shop: Shop, monkeypatch: pytest.MonkeyPatch, *, option: bool = False, **environ: str) -> tuple[str, str]:
    """The reason, and the UV_OFFLINE that what is started hears."""
    import click

    for name in ("UV_OFFLINE", "XDG_CONFIG_HOME", "UV_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**home_of(shop), **environ}.items():
        monkeypatch.setenv(name, value)
    found = []

    @click.command
    @offline_option
    def command() -> None:
        site = make_site(str(shop.repo), interactive=False)
        found.append((offline(site), site.host.environ.get("UV_OFFLINE", "")))

    CliRunner().invoke(command, ["--offline"] if option else [], catch_exceptions=False)
    return found[0]


def home_of(shop: Shop) -> dict[str, str]:
    home = shop.environ["HOME"]
    return {"HOME": home, "USERPROFILE": home, "APPDATA": str(Path(home) / ".config")}


def config(shop: Shop, name: str, text: str) -> Path:
    path = Path(shop.environ["HOME"]) / ".config" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_who_says_that_no_network_is_used(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop.repo / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    assert said_by(shop, monkeypatch) == ("", "")
    assert said_by(shop, monkeypatch, option=True) == ("--offline", "1")
    assert said_by(shop, monkeypatch, option=True, UV_OFFLINE="0") == ("--offline", "1")
    assert said_by(shop, monkeypatch, UV_OFFLINE="true") == ("UV_OFFLINE", "true")
    assert said_by(shop, monkeypatch, UV_OFFLINE="no") == ("", "no")


@pytest.mark.parametrize("where", ["run-pipeline.toml", "the user's run-pipeline.toml", "uv.toml", "pyproject.toml"])
def test_a_file_says_it_and_a_variable_counts_more(shop: Shop, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    project = shop.repo / "pyproject.toml"
    project.write_text("[project]\n", encoding="utf-8")
    if where == "pyproject.toml":
        path = project
        project.write_text("[tool.uv]\noffline = true\n", encoding="utf-8")
    elif where.startswith("the user's"):
        (shop.repo / "run-pipeline.toml").write_text("offline = false\n", encoding="utf-8")
        path = config(shop, "run-pipeline/run-pipeline.toml", "offline = true\n")
    elif where == "uv.toml":
        path = config(shop, "uv/uv.toml", "offline = true\n")
    else:
        path = shop.repo / "run-pipeline.toml"
        path.write_text('offline = true\n[uv]\ncache = "c"\n', encoding="utf-8")
    assert said_by(shop, monkeypatch) == (f"offline = true in {path}", "1")
    assert said_by(shop, monkeypatch, UV_OFFLINE="0") == ("", "0")
    assert said_by(shop, monkeypatch, option=True)[0] == "--offline"


def test_the_nearest_file_of_uv_counts_and_one_that_is_broken_says_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = shop.repo / "pyproject.toml"
    project.write_text("[tool.uv]\noffline = false\n", encoding="utf-8")
    config(shop, "uv/uv.toml", "offline = true\n")
    assert said_by(shop, monkeypatch) == ("", "")
    project.write_text("[project]\n", encoding="utf-8")
    config(shop, "uv/uv.toml", "offline = = true\n")
    assert said_by(shop, monkeypatch) == ("", "")


def test_a_wrong_word_in_the_site_file_is_refused_with_its_line(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop.repo / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    (shop.repo / "run-pipeline.toml").write_text('executor = "local"\noffline = "yes"\n', encoding="utf-8")
    monkeypatch.setenv("HOME", shop.environ["HOME"])
    done = CliRunner().invoke(cli, ["env", "list", "--repo", str(shop.repo)])
    assert done.exit_code == 2
    assert "line 2: `offline` must be true or false; this is 'yes'" in done.output


@dataclass
class Air:
    """A repository whose uv.lock names an index that is gone by now, and what uv has in its cache."""

    shop: Shop
    index: Index

    def site(self, **environ: str) -> Site:
        return self.shop.site(**{"UV_OFFLINE": "1", **environ})

    def findings(self, text: str, **environ: str) -> list[Finding]:
        return list(uv.check(self.shop.spec(text), ["python"], self.site(**environ)))

    def wheels(self, folder: Path, *names: str) -> Path:
        folder.mkdir(exist_ok=True)
        for name in names:
            for wheel in (self.index.folder / name).glob("*.whl"):
                shutil.copy(wheel, folder)
        return folder


@pytest.fixture
def air(shop: Shop, tmp_path: Path) -> Iterator[Air]:
    """alpha is in the cache; beta, gamma and delta are not."""
    index = Index(tmp_path / "index")
    for name in ("beta", "gamma", "delta"):
        index.add(name)
    shop.environ |= {**home_of(shop), "UV_CACHE_DIR": str(tmp_path / "cache"), "UV_OFFLINE": "0"}
    shop.more = f'[[tool.uv.index]]\nurl = "{index.url}"\ndefault = true\n'
    shop.write(one=["alpha"], two=["alpha", "gamma"], all=["alpha", "beta", "gamma", "delta"])
    shop.prepare("uv:one")
    shutil.rmtree(shop.repo / ".venvs")
    index.close()
    yield Air(shop, index)


def test_all_that_is_missing_is_told_at_once_with_what_brings_it(air: Air) -> None:
    assert air.findings("uv:one") == []
    (finding,) = air.findings("uv:all")
    assert finding.message == (
        "uv group `all` cannot be made without a network (UV_OFFLINE): 3 packages in neither uv's cache nor a folder "
        "of wheels: beta==1.0, delta==1.0, gamma==1.0"
    )
    assert finding.missing == ("beta==1.0", "delta==1.0", "gamma==1.0")
    assert "`run-pipeline bundle FILE.yaml -o lab.bundle`" in finding.cure
    assert "`run-pipeline env sync uv:all` with UV_CACHE_DIR" in finding.cure
    assert air.shop.environ["UV_CACHE_DIR"] in finding.cure
    assert not (air.shop.repo / ".venvs").exists()


def test_what_is_in_the_cache_is_made_and_then_uv_is_not_asked_at_all(air: Air) -> None:
    assert air.shop.prepare("uv:one", air.site()) == ["sync"]
    asked = []

    def capture_and_note(argv: Sequence[str], **how: Any) -> Captured:
        asked.append(argv)
        return capture(argv, **how)

    site = replace(air.site(), host=replace(air.site().host, capture=capture_and_note))
    assert uv.check(air.shop.spec("uv:one"), ["python"], site) == []
    assert uv.prepare(air.shop.spec("uv:one"), ["python"], site) is None
    assert [argv for argv in asked if "--version" not in argv] == []


def test_a_folder_of_wheels_brings_what_the_cache_lacks(air: Air, tmp_path: Path) -> None:
    wheels = air.wheels(tmp_path / "wheels for 'all'", "gamma", "delta")
    (finding,) = air.findings("uv:all", UV_FIND_LINKS=str(wheels))
    assert finding.missing == ("beta==1.0",)
    air.wheels(wheels, "beta")
    assert air.findings("uv:all", UV_FIND_LINKS=str(wheels)) == []
    assert air.shop.prepare("uv:all", air.site(UV_FIND_LINKS=str(wheels))) == ["sync", "pip", "sync"]
    assert air.shop.start("uv:all", "python", "-c", "import alpha, beta, delta; print(1)") == "1\n"
    assert air.shop.prepare("uv:all", air.site()) == []


def test_a_folder_of_wheels_counts_where_the_server_does_not_answer_too(air: Air, tmp_path: Path) -> None:
    wheels = air.wheels(tmp_path / "wheels", "gamma")
    site = air.site(UV_OFFLINE="0", UV_FIND_LINKS=str(wheels), UV_HTTP_RETRIES="0")
    assert air.shop.prepare("uv:two", site) == ["sync", "pip", "sync"]


@pytest.mark.parametrize("by", ["uv.toml", "UV_INDEX"])
def test_an_index_that_is_a_folder_brings_it_as_well(air: Air, by: str) -> None:
    url = air.index.folder.as_uri()
    environ = {by: f"lab={url}"} if by.isupper() else {}
    if not environ:
        config(air.shop, "uv/uv.toml", f'[[index]]\nurl = "{url}"\ndefault = true\n')
    assert air.findings("uv:all", **environ) == []
    assert air.shop.prepare("uv:all", air.site(**environ)) == ["sync", "pip", "sync"]


def test_a_wheel_that_is_another_one_or_of_another_system_is_none(air: Air, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    make_wheel(wheels, "gamma", "1.0", tag="cp311-cp311-win_amd64")
    (finding,) = air.findings("uv:two", UV_FIND_LINKS=str(wheels))
    assert finding.missing == ("gamma==1.0",)
    make_wheel(wheels, "gamma", "1.0", program="another")
    with pytest.raises(EnvironmentMissing) as caught:
        air.shop.prepare("uv:two", air.site(UV_FIND_LINKS=str(wheels)))
    assert "not in uv's cache" in caught.value.message


def test_packages_of_git_that_are_not_in_the_cache_are_refused_and_not_asked_for(air: Air, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "pyproject.toml").write_text('[project]\nname = "epsilon"\nversion = "1"\n', encoding="utf-8")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=theirs, check=True)
    air.shop.groups.clear()
    air.shop.more = f'epsilon = {{ git = "{theirs.as_uri()}" }}\n'
    air.shop.write(git=["epsilon"])
    nobody = "https://10.255.255.1/lab/epsilon"  # takes everything and answers nothing
    for name in ("pyproject.toml", "uv.lock"):
        path = air.shop.repo / name
        path.write_text(path.read_text("utf-8").replace(theirs.as_uri(), nobody), encoding="utf-8")
    began = time.monotonic()
    (finding,) = air.findings("uv:git")
    (missing,) = finding.missing
    assert missing.startswith(f"epsilon @ git+{nobody}@")
    with pytest.raises(EnvironmentMissing):
        air.shop.prepare("uv:git", air.site())
    assert time.monotonic() - began < 10


@dataclass
class Typed(Air):
    """The command line beside that repository."""

    def run(self, *args: str | Path, code: int, around: Sequence[str] = (), **environ: str) -> str:
        done = subprocess.run(
            [*around, sys.executable, "-m", "runner", *map(str, args), "--repo", str(self.shop.repo)],
            cwd=self.shop.repo.parent,
            env={**self.shop.environ, "UV_OFFLINE": "", "PYTHONIOENCODING": "utf-8", **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == code, done.stdout
        assert "Traceback" not in done.stdout
        return done.stdout

    def pipeline(self, *environments: str, command: str = "python") -> Path:
        path = self.shop.repo.parent / "pipeline.yaml"
        segments = [
            {"name": one, "environment": one, "commands": [command, "-c", "print('ran')"]} for one in environments
        ]
        path.write_text(yaml.safe_dump({"run": segments}), encoding="utf-8")
        return path


@pytest.fixture
def typed(air: Air) -> Typed:
    return Typed(air.shop, air.index)


def test_a_run_says_what_each_of_its_segments_lacks_and_runs_none(typed: Typed) -> None:
    pipeline = typed.pipeline("uv:one", "uv:two", "uv:all", "uv@3.99:one", "uv:two")
    said = typed.run("run", pipeline, "--offline", code=3)
    assert "ran" not in said
    assert "uv group `two` cannot be made without a network (--offline): 1 package" in said
    assert "uv group `all` cannot be made without a network (--offline): 3 packages" in said
    assert "needs Python 3.99" in said
    assert said.count("uv group `two`") == 1
    assert not pipeline.with_name("pipeline_status.yaml").exists()
    told = [json.loads(line) for line in typed.run("check", pipeline, "--offline", "--json", code=3).splitlines()]
    assert [one.get("missing") for one in told] == [
        ["gamma==1.0"], ["beta==1.0", "delta==1.0", "gamma==1.0"], ["python==3.99"], ["gamma==1.0"],
    ]  # fmt: skip
    said = typed.run("env", "sync", pipeline, "--offline", code=3)
    assert said.count("error: ") == 3
    assert "ran" in typed.run("run", typed.pipeline("uv:one"), "--offline", code=0)


def test_a_script_says_what_it_lacks(typed: Typed) -> None:
    script = typed.shop.repo.parent / "s.py"
    script.write_text('# /// script\n# dependencies = ["alpha", "gamma", "delta"]\n# ///\nprint("ran")\n', "utf-8")
    pipeline = typed.pipeline("script", command=str(script))
    empty = {"UV_CACHE_DIR": str(script.with_name("empty"))}
    said = typed.run("check", pipeline, "--offline", code=3, **empty)
    assert "has no lock, and uv cannot choose its packages without a network (--offline): alpha, gamma, delta" in said
    assert "run-pipeline env lock --script s.py" in said
    lock = (typed.shop.repo / "uv.lock").read_text("utf-8").split("\n\n")
    packages = [part for part in lock if any(f'name = "{name}"' in part for name in ("alpha", "gamma", "delta"))]
    wanted = ", ".join(f'{{ name = "{name}" }}' for name in ("alpha", "delta", "gamma"))
    head = f"{lock[0]}\n\n[manifest]\nrequirements = [{wanted}]"
    script.with_name("s.py.lock").write_text("\n\n".join([head, *packages[:3]]) + "\n", encoding="utf-8")
    (told,) = [json.loads(line) for line in typed.run("check", pipeline, "--offline", "--json", code=3).splitlines()]
    assert told["missing"] == ["delta==1.0", "gamma==1.0"]


@pytest.mark.skipif(sys.platform == "win32", reason="the parts of an environment are those of POSIX")
def test_an_environment_that_was_brought_ready_is_given_a_python_of_here_and_never_made_anew(
    air: Air, tmp_path: Path
) -> None:
    air.shop.wheel("tool", program="tool").write(ready=["alpha", "tool"])
    air.shop.prepare("uv:ready", air.site())
    repo = tmp_path / "elsewhere"
    subprocess.run(["tar", "-cf", tmp_path / "lab.tar", "-C", air.shop.repo, "."], check=True)
    repo.mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "lab.tar", "-C", repo], check=True)
    shutil.rmtree(air.shop.repo)
    there = Shop(repo, {**air.shop.environ, "UV_CACHE_DIR": str(tmp_path / "empty"), "UV_OFFLINE": "1"})
    folder = there.folder("uv:ready")
    packages = next((folder / "lib").glob("python*/site-packages"))
    (packages / "mark.py").write_text("", encoding="utf-8")  # goes where the environment is made anew
    settings = folder / "pyvenv.cfg"
    text = re.sub(r"home = .*", "home = /opt/not here/bin", settings.read_text("utf-8"))
    settings.write_text(text, encoding="utf-8")
    (folder / "bin" / "python").unlink()
    (folder / "bin" / "python").symlink_to("/opt/not here/bin/python3.11")
    assert uv.check(there.spec("uv:ready"), ["python"], there.site()) == []
    assert there.prepare("uv:ready") == ["venv", "lock"]
    assert there.start("uv:ready", "python", "-c", "import alpha, mark; print(alpha.VERSION)") == "1.0\n"
    assert there.start("uv:ready", "tool") == "tool 1.0\n"
    assert there.prepare("uv:ready") == []
    settings.write_text(text.replace("version_info = 3.11", "version_info = 3.7"), encoding="utf-8")
    (finding,) = uv.check(there.spec("uv:ready"), ["python"], there.site())
    assert "is ready but for its Python: it was made with Python 3.7 in /opt/not here/bin" in finding.message
    with pytest.raises(EnvironmentMissing):
        there.prepare("uv:ready")
    assert (packages / "mark.py").exists()


def test_a_lock_that_only_the_cache_decides_says_what_became_older(typed: Typed) -> None:
    index = Index(typed.shop.repo.parent / "second")
    try:
        for name in ("beta", "gamma", "delta"):
            index.add(name)
        typed.shop.more = f'[[tool.uv.index]]\nurl = "{index.url}"\ndefault = true\n'
        typed.shop.write()
        newer = typed.shop.repo / "uv.lock"
        text = newer.read_text("utf-8").replace('name = "alpha"\nversion = "1.0"', 'name = "alpha"\nversion = "2.0"')
        newer.write_text(text.replace("alpha-1.0", "alpha-2.0"), encoding="utf-8")
        said = typed.run("env", "lock", "--offline", "--upgrade", code=0)
    finally:
        index.close()
    assert "without a network (--offline) only uv's cache was looked at" in said
    assert "alpha 2.0 -> 1.0" in said


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run(["unshare", "-rnm", "true"], check=False).returncode != 0,
    reason="no namespace without a network can be made here",
)
def test_with_the_network_off_what_is_there_runs_and_a_cache_that_cannot_be_written_is_named(typed: Typed) -> None:
    pipeline, cache = typed.pipeline("uv:one"), typed.shop.environ["UV_CACHE_DIR"]
    off = (
        "unshare",
        "-rnm",
        "sh",
        "-c",
        'mount --bind "$0" "$0" && mount -o remount,$1,bind "$0" && shift && exec "$@"',
    )
    said = typed.run("run", pipeline, "--offline", code=3, around=(*off, cache, "ro"))
    assert f"uv group one: uv cannot write to its cache {cache}" in said
    assert "ran" in typed.run("run", pipeline, "--offline", code=0, around=(*off, cache, "rw"))
    said = typed.run("run", pipeline, "--offline", "--force", code=0, around=(*off, cache, "ro"))
    assert "ran" in said  # in step: uv's cache is not looked at


def test_a_comparison_says_what_both_lack_and_what_measures(typed: Typed) -> None:
    one, two = typed.pipeline("uv:two"), typed.shop.repo.parent / "two.yaml"
    two.write_text(one.read_text("utf-8").replace("uv:two", "uv:all"), encoding="utf-8")
    said = typed.run("compare", one, two, "--offline", code=3)
    for group, count in (("two", "1 package"), ("all", "3 packages"), ("compare", "")):
        assert f"uv group `{group}` cannot be made without a network (--offline): {count}" in said
    one.write_text(f"{typed.pipeline('uv:one').read_text('utf-8')}compare: {{}}\n", encoding="utf-8")
    assert "warning: uv group `compare` cannot be made" in typed.run("check", one, "--offline", code=0)


def test_a_package_in_a_folder_needs_what_builds_it(air: Air) -> None:
    folder = air.shop.repo / "own"
    folder.mkdir()
    text = '[project]\nname = "own"\nversion = "1"\n[build-system]\nrequires = ["beta"]\nbuild-backend = "beta"\n'
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    air.shop.groups.clear()
    air.shop.more = f'own = {{ path = "own" }}\n{air.shop.more}'
    air.shop.write(built=["own"])
    empty = {"UV_CACHE_DIR": str(air.shop.repo.parent / "empty")}
    (finding,) = air.findings("uv:built", **empty)
    assert f"own in {folder} is built here, and uv's cache has not all of what that takes: beta" in finding.message
    assert finding.missing == ("beta",)
    assert air.findings("uv:built", UV_FIND_LINKS=str(air.index.folder / "beta"), **empty) == []
