"""Our activation beside that of a real conda: the one in RUN_PIPELINE_TEST_CONDA, or on PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.environments import Site
from runner.environments.activation import asked_change, own_change
from runner.environments.activation_cache import activated
from runner.environments.conda_base import conda_program, find_base
from runner.environments.outer import without_outer
from tests.conda.conda_layout import make_environment

CONDA = os.environ.get("RUN_PIPELINE_TEST_CONDA") or shutil.which("conda")
pytestmark = pytest.mark.skipif(not CONDA or sys.platform == "win32", reason="needs a real conda on POSIX")

# what the shell that ran conda's own text adds, and what conda keeps for going back
IGNORED = {"PWD", "OLDPWD", "SHLVL", "_"}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return make_environment(
        tmp_path / "envs" / "mäuse und käse",
        scripts={"a.sh": 'export A="$CONDA_PREFIX/x y"; unset GONE; echo noise\n', "b.sh": "export B=$A\n"},
        variables={"v.json": {"Static": "a b$c", "BOTH": "package"}},
        state={"BOTH": "user", "OUT": "***unset***"},
    )


def real_activation(prefix: Path, environ: dict[str, str]) -> dict[str, str]:
    text = 'exec 3>&1 1>&2; eval "$("$0" shell.posix activate "$1")"; env -0 >&3'
    argv = ["bash", "--noprofile", "--norc", "-c", text, str(CONDA), str(prefix)]
    done = subprocess.run(argv, env=environ, capture_output=True, check=True, timeout=120)
    pairs = (entry.split("=", 1) for entry in done.stdout.decode().split("\0") if entry)
    return {name: value for name, value in pairs if name not in IGNORED and not name.startswith("__CONDA_SHLVL_")}


def test_the_child_gets_what_condas_own_activation_gives(prefix: Path, site_of: Callable[..., Site]) -> None:
    environ = {"GONE": "1", "STATIC": "old", "OUT": "kept"}
    site = site_of({"CONDA_PATH": str(CONDA)}, **environ)
    base = find_base(site).base
    change = activated(prefix, base, site)
    ours = {name: value for name, value in site.host.environ.items() if name not in change.unset}
    assert ours | dict(change.variables) == real_activation(prefix, dict(site.host.environ))


def test_what_we_compute_is_what_conda_answers(prefix: Path, site_of: Callable[..., Site]) -> None:
    site = site_of({"CONDA_PATH": str(CONDA)})
    base = find_base(site).base
    assert base is not None
    assert conda_program(base, site.host) is not None
    asked = asked_change(prefix, base, without_outer(site.host), site.host)
    assert asked == own_change(prefix, base, site.host)
