"""What a segment gets beside what `conda activate` and `conda run` of a real conda give."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from runner.environments import Site
from runner.environments.conda.activation import asked_change, own_change
from runner.environments.conda.activation_cache import activated
from runner.environments.conda.base import conda_program, find_base
from runner.environments.conda.outer import without_outer
from tests.conda.conda_layout import make_environment
from tests.support.real_conda import RealConda

SiteOf = Callable[..., Site]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these environments are laid out as on POSIX")
# what the shell and the Python that ran conda's own text add
SHELLS = {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE", "__CF_USER_TEXT_ENCODING"}
DUMP = "import os; os.write(3, b'\\0'.join(k + b'=' + v for k, v in os.environb.items()))"
# `conda run` activates base first, and conda's own process leaves CONDA_ROOT behind
RUNS = {"CONDA_SHLVL", "CONDA_PREFIX_1", "CONDA_ROOT"}
ACTIVATE = 'eval "$("$0" shell.posix activate "$1")"'
STACK = 'eval "$("$0" shell.posix activate --stack "$1")"'


def in_shell(conda: RealConda, lines: str, *places: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment after `lines` of bash, in which $0 is conda and $1, $2 … are `places`."""
    # not `env -0`, which older systems of Apple do not know
    text = f'exec 3>&1 1>&2; {lines}; exec "$PYTHON_OF_TESTS" -I -S -c "$DUMP_OF_TESTS"'
    own = {"PYTHON_OF_TESTS": sys.executable, "DUMP_OF_TESTS": DUMP}
    argv = ["bash", "--noprofile", "--norc", "-c", text, conda.program, *places]
    done = subprocess.run(argv, env={**conda.variables, **environ, **own}, capture_output=True, check=True, timeout=120)
    return {k: v for k, v in variables_of(done.stdout.decode()).items() if k not in own}


def variables_of(answer: str) -> dict[str, str]:
    pairs = (entry.split("=", 1) for entry in answer.split("\0") if "=" in entry)
    return {k: v for k, v in pairs if k not in SHELLS}


def activated_by_conda(conda: RealConda, prefix: Path, environ: Mapping[str, str]) -> dict[str, str]:
    told = in_shell(conda, ACTIVATE, prefix, environ=environ)
    # there conda keeps what a variable was before, for going back
    return {k: v for k, v in told.items() if not k.startswith("__CONDA_SHLVL_")}


def given_by_runner(prefix: Path, site: Site) -> dict[str, str]:
    """The environment of a segment in `prefix`."""
    change = activated(site, prefix, find_base(site).base)
    kept = {name: value for name, value in site.host.environ.items() if name not in change.unset}
    return {k: v for k, v in (kept | dict(change.variables)).items() if k not in SHELLS}


def site_for(conda: RealConda, site_of: SiteOf, **environ: str) -> Site:
    return site_of({"CONDA_PATH": str(conda.program)}, **conda.variables, **environ)


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return make_environment(
        tmp_path / "envs" / "mäuse und käse",
        scripts={"a.sh": 'export A="$CONDA_PREFIX/x y"; unset GONE; echo noise\n', "b.sh": "export B=$A\n"},
        deactivate={"a.sh": "unset A\n", "b.sh": "unset B\n"},
        variables={"v.json": {"Static": "a b$c", "BOTH": "package"}},
        state={"BOTH": "user", "OUT": "***unset***"},
    )


def test_a_segment_gets_what_condas_own_activation_gives(prefix: Path, conda: RealConda, site_of: SiteOf) -> None:
    site = site_for(conda, site_of, GONE="1", STATIC="old", OUT="kept")
    assert given_by_runner(prefix, site) == activated_by_conda(conda, prefix, site.host.environ)


def test_base_is_activated_as_by_conda(conda: RealConda, site_of: SiteOf) -> None:
    site = site_for(conda, site_of)
    base = Path(conda.run("info", "--base").strip())
    assert find_base(site).base == base
    assert given_by_runner(base, site) == activated_by_conda(conda, base, site.host.environ)


def test_what_we_compute_is_what_conda_answers(prefix: Path, conda: RealConda, site_of: SiteOf) -> None:
    site = site_for(conda, site_of)
    base = find_base(site).base
    assert base is not None
    assert conda_program(base, site.host) is not None
    asked = asked_change(prefix, base, without_outer(site.host), site.host)
    assert asked == own_change(prefix, base, site.host)


def test_variables_that_conda_was_told_to_set_and_to_forget_reach_a_segment(
    channel: Path, conda: RealConda, site_of: SiteOf
) -> None:
    prefix = conda.create("mäuse", "cell-tools", "lab-vars", channel=channel)
    conda.run("env", "config", "vars", "set", "--prefix", prefix, "LAB_BOTH=user", 'Lab_own=ü "$HOME" \\')
    told = given_by_runner(prefix, site_for(conda, site_of))
    assert (told["LAB_BOTH"], told["LAB_OWN"], told["LAB_STATIC"]) == ("user", 'ü "$HOME" \\', "a b$c")
    assert told["CELL_MODELS"] == f"{prefix}/share/cell models"
    assert told == activated_by_conda(conda, prefix, site_for(conda, site_of).host.environ)
    conda.run("env", "config", "vars", "unset", "--prefix", prefix, "LAB_BOTH", "Lab_own")
    told = given_by_runner(prefix, site_for(conda, site_of))
    assert "LAB_OWN" not in told
    assert told == activated_by_conda(conda, prefix, site_for(conda, site_of).host.environ)


def test_a_segment_gets_what_conda_run_gives(channel: Path, conda: RealConda, site_of: SiteOf) -> None:
    prefix = conda.create("mäuse", "cell-tools", "lab-vars", channel=channel)
    site = site_for(conda, site_of, LANG="C.UTF-8")
    program = ("python", "-c", "import os; print('', *(f'{k}={v}' for k, v in os.environ.items()), sep=chr(0))")
    theirs = variables_of(conda.run("run", "--no-capture-output", "--name", "mäuse", *program))
    ours = given_by_runner(prefix, site)
    assert {k: v for k, v in ours.items() if k not in RUNS} == {k: v for k, v in theirs.items() if k not in RUNS}


@pytest.mark.parametrize("second", [ACTIVATE, STACK], ids=["activated", "stacked"])
def test_environments_that_are_active_around_the_runner_leave_nothing(
    second: str, prefix: Path, tmp_path: Path, conda: RealConda, site_of: SiteOf
) -> None:
    outer = [
        make_environment(
            tmp_path / name,
            scripts={"o.sh": f"export {name.upper()}=$CONDA_PREFIX\n"},
            deactivate={"o.sh": f"unset {name.upper()}\n"},
            variables={"v.json": {"STATIC": name, f"OF_{name}": name, "MINE": name}},
        )
        for name in ("first", "second")
    ]
    clean = site_for(conda, site_of, MINE="my own").host.environ
    once = in_shell(conda, ACTIVATE, outer[0], environ=clean)
    twice = in_shell(conda, second, outer[1], environ=once)
    assert (once["MINE"], twice["MINE"], twice["CONDA_SHLVL"]) == ("first", "second", "2")
    for active in (once, twice):
        site = site_for(conda, site_of, **{k: v for k, v in active.items() if k not in conda.variables})
        assert given_by_runner(prefix, site) == activated_by_conda(conda, prefix, clean)
