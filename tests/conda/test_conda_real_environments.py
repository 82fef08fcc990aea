"""Environments that a real conda makes, lists, changes and removes, and what the runner says of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from runner.environments import Site, kind
from runner.environments.conda.activation import asked_change, own_change
from runner.environments.conda.base import find_base
from runner.environments.conda.prefix import environment_names, prefix_of
from runner.environments.spec import parse_environment
from tests.conda.conda_layout import make_environment
from tests.support.lab import Lab, segment
from tests.support.real_conda import RealConda

pytestmark = pytest.mark.skipif(os.name == "nt", reason="these environments are laid out as on POSIX")
SiteOf = Callable[..., Site]
SHOW = "import os; print(*(f'{name}={os.environ.get(name)}' for name in ('CONDA_DEFAULT_ENV', 'CELL_MODELS')))"


@pytest.fixture
def lab_with_conda(lab: Lab, conda: RealConda) -> Lab:
    """A laboratory whose `.env` names a real conda."""
    (lab.repo / ".env").write_text(f"CONDA_PATH={conda.program}\n", encoding="utf-8")
    return lab


def lists_of_users() -> list[Path]:
    """The lists of environments that a conda of root reads, and cleans of what is gone."""
    if os.name == "nt" or os.geteuid() != 0:
        return []
    import pwd

    lists = [Path(entry.pw_dir, ".conda", "environments.txt") for entry in pwd.getpwall()]
    return [path for path in lists if path.exists()]


def findings(environment: str, words: list[str], site: Site) -> list[tuple[str, str]]:
    spec = parse_environment(environment, "", "linux")
    return [(found.message, found.cure) for found in kind(spec).check(spec, words, site)]


@pytest.mark.skipif(bool(lists_of_users()), reason="root's conda would tidy the environments.txt of all users")
def test_the_runner_finds_every_environment_that_conda_lists(
    tmp_path: Path, channel: Path, conda: RealConda, site_of: SiteOf
) -> None:
    # conda takes no name with a blank, and yet lists and activates such a folder among its environments
    wanted = {
        "mäuse": conda.create("mäuse", channel=channel),
        "mit blank ü": conda.create(tmp_path / "envs dir" / "mit blank ü", channel=channel),
        "far": conda.create(tmp_path / "elsewhere" / "far", channel=channel),
    }
    conda.run("config", "--add", "envs_dirs", tmp_path / "envs dir")
    site = site_of({"CONDA_PATH": str(conda.program)}, **conda.variables)
    base = find_base(site).base
    # root's conda looks into the homes that the system knows, and not into this one
    noted = (conda.home / ".conda" / "environments.txt").read_text(encoding="utf-8").splitlines()
    listed = {Path(path) for path in conda.told("env", "list")["envs"] + noted}
    assert {path for path in listed if path.is_relative_to(tmp_path)} - {base} == set(wanted.values())
    assert set(wanted) <= set(environment_names(base, site.host))
    for name, prefix in wanted.items():
        assert prefix_of(name, base, site.repo, site.host) == prefix
    assert prefix_of("base", base, site.repo, site.host) == Path(conda.run("info", "--base").strip())


def test_a_wrapper_on_path_leads_to_the_base(tmp_path: Path, conda: RealConda, site_of: SiteOf) -> None:
    wrapper = tmp_path / "bin of mine" / "conda"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec "{conda.program}" "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    site = site_of({})
    site = replace(site, host=replace(site.host, which=lambda name: str(wrapper) if name == "conda" else None))
    assert find_base(site).base == Path(conda.run("info", "--base").strip())


def test_the_receipt_has_the_packages_that_conda_lists(channel: Path, conda: RealConda, site_of: SiteOf) -> None:
    prefix = conda.create("mäuse", "cell-tools", "lab-vars", channel=channel)
    (packages,) = (prefix / "lib").glob("python*/site-packages")
    own = packages / "Own_Tool-1.5.dist-info"
    own.mkdir()
    (own / "METADATA").write_text("Metadata-Version: 2.1\nName: Own_Tool\nVersion: 1.5\n", encoding="utf-8")
    (own / "RECORD").write_text("Own_Tool-1.5.dist-info/METADATA,,\n", encoding="utf-8")
    (own / "INSTALLER").write_text("pip\n", encoding="utf-8")
    spec = parse_environment("mäuse", "", "linux")
    held = kind(spec).fingerprint(spec, [], site_of({"CONDA_PATH": str(conda.program)}, **conda.variables))
    listed = conda.told("list", "--name", "mäuse")
    from_conda = [one for one in listed if one["channel"] != "pypi"]
    assert held["packages"] == {one["name"]: one["version"] for one in from_conda}
    assert held["builds"] == {one["name"]: one["build_string"] for one in from_conda}
    assert held["pip"] == {one["name"]: one["version"] for one in listed if one["channel"] == "pypi"}
    assert held["pip"] == {"own-tool": "1.5"}


def test_a_pipeline_runs_in_it_and_follows_its_changes(lab_with_conda: Lab, channel: Path, conda: RealConda) -> None:
    lab = lab_with_conda
    prefix = conda.create("mäuse", "cell-tools", channel=channel)
    pipeline = lab.pipeline([segment("Show", "python", "-c", SHOW, environment="mäuse")])
    extra = dict(conda.variables)
    assert "CONDA_DEFAULT_ENV=mäuse CELL_MODELS=None" in lab.run(pipeline, **extra).stdout
    source = ("--override-channels", "--channel", channel.as_uri())
    conda.run("install", "--yes", "--offline", *source, "--prefix", prefix, "lab-vars")
    assert f"CELL_MODELS={prefix}/share/cell models" in lab.run(pipeline, "--force", **extra).stdout
    conda.run("remove", "--yes", "--offline", "--prefix", prefix, "lab-vars")
    assert "CELL_MODELS=None" in lab.run(pipeline, "--force", **extra).stdout


def test_a_program_that_a_package_brought_keeps_its_words_and_its_exit_code(
    lab_with_conda: Lab, channel: Path, conda: RealConda
) -> None:
    lab = lab_with_conda
    prefix = conda.create(lab.data / "ënv 1", "cell-tools", "lab-vars", channel=channel)
    keys = {"environment": str(prefix), "retries": 0}
    pipeline = lab.pipeline([segment("Count", "cell-count", "a  b", "it's $HOME", "", **keys)])
    done = lab.run(pipeline, check=1, **conda.variables)
    assert f"{prefix}\n{prefix}/share/cell models\na  b\nit's $HOME\n" in done.stdout
    assert "It ended with exit code 7." in done.stdout


def test_an_environment_that_conda_removed_is_told_with_those_that_are_left(
    lab_with_conda: Lab, channel: Path, conda: RealConda
) -> None:
    lab = lab_with_conda
    prefix = conda.create("läuse", channel=channel)
    make_environment(prefix.with_name("läuse2"))
    pipeline = lab.pipeline([segment("Show", "python", "-c", SHOW, environment="läuse")])
    conda.run("env", "remove", "--yes", "--prefix", prefix)
    done = lab.run(pipeline, check=3, **conda.variables)
    assert "there is no conda environment 'läuse'" in done.stderr
    assert "Did you mean läuse2?" in done.stderr


def test_the_cure_for_an_environment_without_python_works(lab_with_conda: Lab, channel: Path, conda: RealConda) -> None:
    lab = lab_with_conda
    prefix = conda.create("leer", channel=channel)
    pipeline = lab.pipeline([segment("Show", "python", "-c", SHOW, environment="leer")])
    done = lab.run(pipeline, check=3, **conda.variables)
    assert f'conda install -p "{prefix}" python' in done.stderr
    source = ("--yes", "--offline", "--override-channels", "--channel", channel.as_uri())
    conda.run("install", *source, "-p", prefix, "python")
    assert "CONDA_DEFAULT_ENV=leer" in lab.run(pipeline, **conda.variables).stdout


@pytest.mark.parametrize("file", ["conda-meta/state", "etc/conda/env_vars.d/lab.json"])
def test_what_conda_cannot_activate_is_told_before_the_run(
    file: str, tmp_path: Path, conda: RealConda, site_of: SiteOf
) -> None:
    prefix = make_environment(tmp_path / "ënv 1", state={"A": "1"}, variables={"lab.json": {"B": "2"}})
    site = site_of({"CONDA_PATH": str(conda.program)}, **conda.variables)
    assert findings(str(prefix), ["python"], site) == []
    for text in ('{"env_vars": {', "", "[1]"):
        (prefix / file).write_text(text, encoding="utf-8")
        # the shortest of the three; each makes conda write its report of an error, which takes it a second
        assert text or conda.run("shell.posix", "activate", prefix, code=1) == ""
        ((message, cure),) = findings(str(prefix), ["python"], site)
        assert f"{prefix / file} is damaged" in message
        assert cure.startswith("Correct the file, or remove it and ")
    (prefix / file).unlink()
    conda.run("shell.posix", "activate", prefix)
    assert findings(str(prefix), ["python"], site) == []


def test_values_that_are_no_text_become_what_conda_makes_of_them(
    tmp_path: Path, conda: RealConda, site_of: SiteOf
) -> None:
    prefix = make_environment(tmp_path / "odd")
    odd = {"N": 1, "T": True, "X": 0.5, "GONE": None, "Mixed": "a", "MIXED": "b"}
    (prefix / "conda-meta" / "state").write_text(json.dumps({"version": 1, "env_vars": odd}), encoding="utf-8")
    site = site_of({"CONDA_PATH": str(conda.program)}, **conda.variables)
    base = find_base(site).base
    assert own_change(prefix, base, site.host) == asked_change(prefix, base, site.host.environ, site.host)


def test_doctor_shows_this_conda_and_misses_no_environment(
    lab_with_conda: Lab, channel: Path, conda: RealConda
) -> None:
    lab = lab_with_conda
    prefix = conda.create("läuse", "python", channel=channel)
    pipeline = lab.pipeline([segment("Show", "python", "-c", SHOW, environment="läuse")])
    version = conda.run("--version").strip()
    printed = lab.run("doctor", pipeline, "--json", **conda.variables).stdout
    lines = [line for line in map(json.loads, printed.splitlines()) if line.get("check") == "conda"]
    assert [(line["state"], line["text"]) for line in lines] == [("ok", f"{version}, {conda.program}")]
    conda.run("env", "remove", "--yes", "--prefix", prefix)
    told = lab.run("doctor", pipeline, check=1, **conda.variables).stdout
    assert "there is no conda environment 'läuse'" in told
