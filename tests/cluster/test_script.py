"""The script of a job, run by the shells that nodes have."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from runner.cluster.script import script_text, worker_words, write_script
from runner.errors import UsageError
from tests.support.lab import Lab
from tests.support.plate import Plate

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shells of Unix")

SHOW = 'import os, sys; print({n: v for n, v in os.environ.items() if n != "_"}); print(sys.argv[1:])'
ODD = '/lab/ä b/it\'s "quoted" $HOME `id` \\ *'


def run(
    folder: Path, text: str, *, shell: Sequence[str] = (), environ: Mapping[str, str] = {"SLURM_JOB_ID": "7"}
) -> subprocess.CompletedProcess[str]:
    path = folder / "jöb 1.sh"
    write_script(path, text)
    return subprocess.run([*shell, path], cwd="/", env=environ, capture_output=True, text=True, check=False)


def shown(done: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    assert done.returncode == 0, done
    found: dict[str, str] = eval(done.stdout.splitlines()[0])
    return found


def show(*arguments: str) -> list[str]:
    return [sys.executable, "-c", f"'{SHOW}'", *arguments]


@pytest.mark.parametrize("shell", [(), ("sh",), ("bash",), ("sh", "-u"), ("bash", "-eu")], ids=" ".join)
def test_all_values_come_through_whatever_signs_they_have(tmp_path: Path, shell: tuple[str, ...]) -> None:
    environ = {"PATH": f"/usr/bin:/bin:{ODD}", "HOME": ODD, "LC_TIME": "de_DE.UTF-8", "SECRET_OF_THE_SHELL": "1"}
    own = {"CACHE": ODD.replace("$HOME", ""), "EMPTY": "", "ALSO": "${SLURM_JOB_ID}/a b"}
    done = run(tmp_path, script_text(show('"$((${SLURM_JOB_ID} + 5))"'), environ, own, ()), shell=shell)
    found = shown(done)
    assert (found["PATH"], found["HOME"], found["LC_TIME"]) == (environ["PATH"], ODD, "de_DE.UTF-8")
    assert (found["CACHE"], found["EMPTY"], found["ALSO"]) == (own["CACHE"], "", "7/a b")
    assert found["LANG"] == "C.UTF-8"
    assert found["SLURM_JOB_ID"] == "7"
    assert "SECRET_OF_THE_SHELL" not in found
    assert done.stdout.splitlines()[1] == "['12']"


def test_no_password_is_written_to_the_share(tmp_path: Path) -> None:
    environ = {
        "UV_INDEX_LAB_PASSWORD": "geheim",
        "UV_PUBLISH_TOKEN": "geheim",
        "https_proxy": "http://me:geheim@proxy:3128",
        "UV_INDEX_URL": "https://me:geheim@lab.example/simple",
        "UV_CACHE_DIR": "/scratch/uv",
        "http_proxy": "http://proxy:3128",
    }
    text = script_text(show(), environ, {}, ())
    assert "geheim" not in text
    assert "/scratch/uv" in text
    assert "http://proxy:3128" in text


def test_packages_of_another_python_do_not_reach_the_worker(tmp_path: Path) -> None:
    done = run(tmp_path, script_text(show(), {}, {}, ()), environ={"PYTHONHOME": "/nowhere", "VIRTUAL_ENV": "/x"})
    assert not {"PYTHONHOME", "VIRTUAL_ENV"} & set(shown(done))


def test_a_variable_that_only_the_node_has_and_has_not_ends_the_job_with_its_name(tmp_path: Path) -> None:
    done = run(tmp_path, script_text(show(), {}, {"TMPDIR": "/scratch/$SLURM_TMP"}, ()))
    assert done.returncode != 0
    assert "SLURM_TMP" in done.stderr
    assert "is not set on this node" in done.stderr


def test_a_name_that_no_shell_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no name of a variable"):
        script_text(show(), {}, {"A-B": "1"}, ())


def test_a_python_that_the_node_does_not_see_is_named(tmp_path: Path) -> None:
    words = ["'/shared/of another lab/python'", *worker_words(tmp_path, "1")[1:]]
    done = run(tmp_path, script_text(words, {}, {}, ()))
    assert done.returncode == 3
    assert "does not see /shared/of another lab/python" in done.stderr


def test_modules_are_loaded_without_a_login_shell_and_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    init = tmp_path / "m o d" / "init" / "bash"
    init.parent.mkdir(parents=True)
    init.write_text('module() { [ "$2" != gone ] && export LOADED="$2"; }\n')
    environ = {"MODULESHOME": str(init.parent.parent), "PATH": "/usr/bin:/bin"}
    told = shown(run(tmp_path, script_text(show(), {}, {}, ["gcc/12"]), environ=environ))
    assert (told["LOADED"], told["RUN_PIPELINE_MODULES"]) == ("gcc/12", "gcc/12")
    done = run(tmp_path, script_text(show(), {}, {}, ["gone"]), environ=environ)
    assert done.returncode == 3
    assert "cannot load the module gone" in done.stderr


def test_a_worker_runs_from_its_script_as_it_does_by_hand(lab: Lab, tmp_path: Path) -> None:
    plate = Plate(lab)
    frozen = plate.freeze(plate.each("mask"))
    words = worker_words(frozen.record.folder, "1", "--generation", "0", "--index", "${SLURM_ARRAY_TASK_ID}")
    text = script_text(words, lab.environ(), {"SHOWN": "by the site"}, ())
    done = run(tmp_path, text, environ={"SLURM_ARRAY_TASK_ID": "1", "SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "8"})
    assert done.returncode == 0, done
    assert sorted(frozen.states(1)) == ["2.tif", "3.tif"]
    assert frozen.notes(1)["1.json"]["job"] == "8_1"
    assert (plate.data / "out" / "2.mask").read_text() == "by the site"
