"""Segments in conda environments: what is started, and what the started program sees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from runner.environments import Request, Site, kind
from runner.environments.spec import parse_environment
from runner.errors import EnvironmentMissing
from runner.model import Command, ResolvedEntry, ResolvedFlags
from tests.conda.conda_layout import make_environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these environments are laid out as on POSIX")

SiteOf = Callable[..., Site]
SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], sys.prefix, dict(os.environ)]))"

SPEC_A = parse_environment("a", "", "linux")


def wrap(text: str, entries: list[ResolvedEntry], site: Site, *, dry: bool = False) -> Command:
    spec = parse_environment(text, "", "linux")
    return kind(spec).wrap(Request(spec, entries, {"OWN": "1"}, str(site.repo), dry=dry), site)


def messages(text: str, entries: list[ResolvedEntry], site: Site) -> list[tuple[str, str, str]]:
    spec = parse_environment(text, "", "linux")
    return [(found.key, found.message, found.cure) for found in kind(spec).check(spec, entries, site)]


def run(command: Command, site: Site) -> tuple[list[str], str, dict[str, str]]:
    caller = {name: value for name, value in site.host.environ.items() if name not in command.unset}
    environ = caller | dict(command.activation) | dict(command.env)
    done = subprocess.run(command.argv, env=environ, cwd=command.cwd, capture_output=True, check=True, timeout=60)
    words, prefix, seen = json.loads(done.stdout)
    return words, prefix, seen


def test_the_environments_own_python_is_started_directly(base: Path, site_of: SiteOf) -> None:
    prefix = make_environment(base / "envs" / "ernet-gpu")
    entries: list[ResolvedEntry] = ["python", "/repo/a.py", ResolvedFlags((("--input", "/data/in put"), ("-v", None)))]
    command = wrap("ernet-gpu", entries, site_of({"CONDA_PATH": str(base)}))
    assert command.argv == (str(prefix / "bin/python"), "/repo/a.py", "--input", "/data/in put", "-v")
    assert command.env == {"OWN": "1"}


def test_base_is_an_environment_of_its_own(any_base: Path, site_of: SiteOf) -> None:
    command = wrap("Base", ["python", "--version"], site_of({"CONDA_PATH": str(any_base)}))
    assert command.argv == (str(any_base / "bin/python"), "--version")
    assert command.activation["CONDA_DEFAULT_ENV"] == "base"


def test_the_program_sees_what_activation_gives(any_base: Path, site_of: SiteOf) -> None:
    prefix = make_environment(
        any_base / "envs" / "mäuse 1",
        scripts={"b.sh": 'export SECOND="$FIRST/b"\n', "a.sh": 'export FIRST="$CONDA_PREFIX/a b"\nunset GONE\n'},
        variables={"p.json": {"STATIC": "a b$c", "BOTH": "package"}},
        state={"Both": "user", "TAKEN_OUT": "***unset***"},
    )
    site = site_of({"CONDA_PATH": str(any_base)}, GONE="x", PYTHONPATH="/elsewhere", VIRTUAL_ENV="/some/venv", KEPT="1")
    words, seen_prefix, seen = run(wrap("mäuse 1", ["python", "-c", SHOW, "it's", "", "$x"], site), site)
    assert words == ["it's", "", "$x"]
    assert seen_prefix == str(prefix)
    assert seen["FIRST"] == f"{prefix}/a b"
    assert seen["SECOND"] == f"{prefix}/a b/b"
    assert seen["STATIC"] == "a b$c"
    assert seen["BOTH"] == "user"
    assert seen["CONDA_PREFIX"] == str(prefix)
    assert (seen["CONDA_SHLVL"], seen["CONDA_DEFAULT_ENV"], seen["KEPT"]) == ("1", "mäuse 1", "1")
    assert seen["PATH"] == f"{prefix}/bin:{any_base}/condabin:/usr/bin:/bin"
    assert seen["PYTHONUNBUFFERED"] == "1"
    assert not {"GONE", "PYTHONPATH", "VIRTUAL_ENV", "TAKEN_OUT"} & set(seen)


def test_a_program_of_the_environment_is_started_by_its_name(base: Path, site_of: SiteOf) -> None:
    prefix = make_environment(base / "envs" / "tools")
    site = site_of({"CONDA_PATH": str(base)})
    assert wrap("tools", ["erode", "x"], site).argv == (str(prefix / "bin/erode"), "x")
    assert messages("tools", ["erode"], site) == []


def test_a_script_or_an_option_as_first_word_is_given_to_python(base: Path, site_of: SiteOf) -> None:
    python = str(make_environment(base / "envs" / "tools") / "bin/python")
    site = site_of({"CONDA_PATH": str(base)})
    assert wrap("tools", ["/repo/a b.py", "-x"], site).argv == (python, "/repo/a b.py", "-x")
    assert wrap("tools", ["-m", "erode"], site).argv == (python, "-m", "erode")


def test_a_word_that_the_environment_does_not_have_stays_as_it_is(base: Path, site_of: SiteOf) -> None:
    make_environment(base / "envs" / "tools")
    site = site_of({"CONDA_PATH": str(base)})
    assert wrap("tools", ["sort", "a"], site).argv == ("sort", "a")
    assert [key for key, _, _ in messages("tools", ["sort"], site)] == ["commands.0"]
    ((key, message, _),) = messages("tools", ["erodee"], site)
    assert key == "commands.0"
    assert "'erodee' was not found" in message
    assert messages("tools", ["tools/relative"], site) == []
    assert len(messages("tools", ["/no/such/program"], site)) == 1


def test_what_scripts_print_stays_out_of_the_way(any_base: Path, site_of: SiteOf) -> None:
    make_environment(
        any_base / "envs" / "loud", scripts={"a.sh": "printf 'X=1\\0\\0'; echo no >&2; false; export GOOD=1\n"}
    )
    site = site_of({"CONDA_PATH": str(any_base)})
    _, _, seen = run(wrap("loud", ["python", "-c", SHOW], site), site)
    assert seen["GOOD"] == "1"
    assert "X" not in seen


def test_what_a_script_complains_of_is_told_and_what_it_says_is_not(any_base: Path, site_of: SiteOf) -> None:
    scripts = {
        "a.sh": "echo welcome\n",
        "b.sh": "echo starting; module load cuda-nowhere; export AFTER=1\n",
        "c.sh": "cat /no/such/licence\n",
    }
    prefix = make_environment(any_base / "envs" / "limps", scripts=scripts)
    for _ in range(2):  # not only the first time, though the rest is kept
        site = site_of({"CONDA_PATH": str(any_base)})
        assert wrap("limps", ["python"], site).activation["AFTER"] == "1"
        first, second = site.notes
        assert first.startswith(f"while {prefix} was activated, {prefix}/etc/conda/activate.d/b.sh reported:\n    ")
        assert "module: command not found" in first
        assert "c.sh reported" in second and "/no/such/licence" in second
        assert "welcome" not in first + second and "starting" not in first + second


def test_the_answer_is_the_same_on_macos(any_base: Path, site_of: SiteOf) -> None:
    make_environment(any_base / "envs" / "a", scripts={"a.sh": "export LINES_='two\nlines' U=ü; unset GONE\n"})
    changes = []
    for platform in ("linux", "darwin"):
        site = site_of({"CONDA_PATH": str(any_base)}, GONE="1")
        command = wrap("a", ["python"], replace(site, host=replace(site.host, platform=platform)))
        changes.append((command.activation, command.unset))
    assert changes[0] == changes[1]
    assert changes[0][0]["LINES_"] == "two\nlines"
    assert changes[0][1] == ("GONE",)


def test_a_script_that_ends_the_shell_is_named(any_base: Path, site_of: SiteOf) -> None:
    scripts = {"a.sh": "export A=1\n", "b.sh": "echo no licence; exit 5\n", "c.sh": "export C=1\n"}
    make_environment(any_base / "envs" / "broken", scripts=scripts)
    with pytest.raises(EnvironmentMissing) as error:
        wrap("broken", ["python"], site_of({"CONDA_PATH": str(any_base)}))
    assert "b.sh" in error.value.message
    assert "code 5" in error.value.message
    assert "no licence" in error.value.message


def test_a_script_that_ends_the_shell_with_0_is_an_error_too(base: Path, site_of: SiteOf) -> None:
    make_environment(base / "envs" / "broken", scripts={"a.sh": "exit 0\n"})
    with pytest.raises(EnvironmentMissing, match=r"a\.sh"):
        wrap("broken", ["python"], site_of({"CONDA_PATH": str(base)}))


def test_a_script_that_does_not_end_is_ended_and_named(
    base: Path, site_of: SiteOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_environment(base / "envs" / "slow", scripts={"a.sh": "echo waiting for a licence; sleep 300\n"})
    monkeypatch.setattr("runner.environments.conda.activation_scripts.TIMEOUT", 1.0)
    with pytest.raises(EnvironmentMissing, match=r"(?s)a\.sh.*waiting for a licence"):
        wrap("slow", ["python"], site_of({"CONDA_PATH": str(base)}))


def test_a_conda_that_does_not_know_the_json_form_is_done_without(base: Path, site_of: SiteOf) -> None:
    prefix = make_environment(base / "envs" / "a")
    old = base / "bin" / "conda"
    old.write_text("#!/bin/sh\necho 'usage: conda [-h]'; exit 2\n", encoding="utf-8")
    old.chmod(0o755)
    site = site_of({"CONDA_PATH": str(base)})
    change = wrap("a", ["python"], site).activation
    assert site.host.capture.started == ["conda"]
    assert change["CONDA_PREFIX"] == str(prefix)
    assert change["CONDA_EXE"] == str(old)


def test_scripts_that_cannot_be_run_are_told_to_the_user(base: Path, site_of: SiteOf) -> None:
    make_environment(base / "envs" / "a", scripts={"vars.sh": "export A=1\n"})
    site = site_of({"CONDA_PATH": str(base)})
    site = replace(site, host=replace(site.host, which=lambda name: None))
    assert "A" not in wrap("a", ["python"], site).activation
    (note,) = site.notes
    assert "vars.sh" in note
    assert "bash was not found" in note


def test_an_outer_environment_does_not_leak_in(any_base: Path, site_of: SiteOf) -> None:
    outer = make_environment(
        any_base / "envs" / "outer", deactivate={"o.sh": "unset OUTER\n"}, variables={"o.json": {"STATIC": "outer"}}
    )
    prefix = make_environment(any_base / "envs" / "inner")
    site = site_of(
        {"CONDA_PATH": str(any_base)},
        PATH=f"{outer}/bin:{any_base}/bin:/usr/bin:/bin",
        CONDA_PREFIX=str(outer),
        CONDA_PREFIX_1=str(any_base),
        CONDA_SHLVL="2",
        CONDA_DEFAULT_ENV="outer",
        OUTER="1",
        STATIC="outer",
    )
    _, _, seen = run(wrap("inner", ["python", "-c", SHOW], site), site)
    assert seen["PATH"] == f"{prefix}/bin:{any_base}/condabin:/usr/bin:/bin"
    assert (seen["CONDA_SHLVL"], seen["CONDA_DEFAULT_ENV"]) == ("1", "inner")
    assert not {"OUTER", "STATIC", "CONDA_PREFIX_1"} & set(seen)


def test_environments_under_a_stacked_one_do_not_leak_in(any_base: Path, site_of: SiteOf) -> None:
    levels = [
        make_environment(
            any_base / "envs" / name,
            deactivate={"o.sh": f"unset {name}; export LEFT=${{LEFT}}{name}\n"},
            state={"SHARED": name},
        )
        for name in ("one", "two", "three")
    ]
    make_environment(any_base / "envs" / "inner")
    site = site_of(
        {"CONDA_PATH": str(any_base)},
        PATH=":".join([*(f"{prefix}/bin" for prefix in reversed(levels)), "/usr/bin:/bin"]),
        CONDA_PREFIX=str(levels[2]),
        CONDA_PREFIX_2=str(levels[1]),
        CONDA_PREFIX_1=str(levels[0]),
        CONDA_SHLVL="3",
        CONDA_STACKED_2="true",
        SHARED="three",
        __CONDA_SHLVL_2_SHARED="two",
        __CONDA_SHLVL_1_SHARED="one",
        __CONDA_SHLVL_0_SHARED="mine",
        three="1",
        one="1",
    )
    _, _, seen = run(wrap("inner", ["python", "-c", SHOW], site), site)
    # the second was left when the third was activated, the first was not: the second stood on it
    assert seen["LEFT"] == "threeone"
    assert seen["SHARED"] == "mine"
    assert not {"three", "one", "CONDA_STACKED_2"} & set(seen)


def test_activation_is_worked_out_once_and_kept_until_something_changes(base: Path, site_of: SiteOf) -> None:
    prefix = make_environment(base / "envs" / "a", scripts={"a.sh": 'export A="$B"\n'})

    def started(**environ: str) -> tuple[list[str], str]:
        site = site_of({"CONDA_PATH": str(base)}, **environ)
        first, second = (wrap("a", ["python"], site) for _ in range(2))
        assert first == second
        return site.host.capture.started, first.activation["A"]

    assert started(B="1") == (["bash"], "1")
    assert started(B="1", SSH_TTY="/dev/pts/7") == ([], "1")
    assert started(B="2") == (["bash"], "2")
    script = prefix / "etc/conda/activate.d/a.sh"
    script.write_text('export A="new $B"\n', encoding="utf-8")
    assert started(B="2") == (["bash"], "new 2")
    history = prefix / "conda-meta/history"
    os.utime(history, ns=(1, 1))
    assert started(B="2") == (["bash"], "new 2")


def test_eight_threads_that_need_it_at_once_activate_it_once(base: Path, site_of: SiteOf) -> None:
    make_environment(base / "envs" / "a", scripts={"a.sh": "sleep 0.1; export A=1\n"})
    site = site_of({"CONDA_PATH": str(base)})
    with ThreadPoolExecutor(8) as pool:
        commands = list(pool.map(lambda _: wrap("a", ["python"], site), range(8)))
    assert {command.activation["A"] for command in commands} == {"1"}
    assert site.host.capture.started == ["bash"]
    assert wrap("a", ["python"], site).argv[0] == str(kind(SPEC_A).program("python", SPEC_A, site))
    assert kind(SPEC_A).folder(SPEC_A, [], site) == base / "envs" / "a"


def test_a_damaged_answer_on_disk_is_made_anew(base: Path, site_of: SiteOf) -> None:
    make_environment(base / "envs" / "a", scripts={"a.sh": "export A=1\n"})
    site = site_of({"CONDA_PATH": str(base)})
    wrap("a", ["python"], site)
    (kept,) = (Path(site.environments) / "activation").iterdir()
    kept.write_text('{"key": [', encoding="utf-8")
    assert wrap("a", ["python"], site_of({"CONDA_PATH": str(base)})).activation["A"] == "1"


def test_an_environment_without_scripts_starts_no_process(base: Path, site_of: SiteOf) -> None:
    make_environment(base / "envs" / "a")
    site = site_of({"CONDA_PATH": str(base)})
    wrap("a", ["python"], site)
    assert site.host.capture.started == []


def test_a_dry_run_asks_nothing_and_shows_the_best_it_knows(base: Path, site_of: SiteOf) -> None:
    prefix = make_environment(base / "envs" / "a", scripts={"a.sh": "exit 1\n"})
    site = site_of({"CONDA_PATH": str(base)})
    assert wrap("a", ["python", "x.py"], site, dry=True).argv == (str(prefix / "bin/python"), "x.py")
    assert wrap(" uv:default ", ["python", " a.py "], site, dry=True).argv == ("python", " a.py ")
    assert wrap("", ["python", "a.py"], site, dry=True).argv == ("python", "a.py")
    assert site.host.capture.started == []
    assert not Path(site.environments).exists()


def test_a_prefix_may_be_given_as_a_folder(tmp_path: Path, site_of: SiteOf) -> None:
    prefix = make_environment(tmp_path / "share" / "it's env")
    site = site_of()
    command = wrap(str(prefix), ["python", "-c", SHOW], site)
    assert run(command, site)[1] == str(prefix)
    assert messages(str(prefix), ["python"], site) == []
    ((_, message, _),) = messages(str(prefix) + "x", ["python"], site)
    assert "does not exist" in message


def test_a_folder_that_conda_did_not_make_is_refused(base: Path, site_of: SiteOf) -> None:
    (base / "envs" / "odd" / "bin").mkdir(parents=True)
    ((_, message, _),) = messages("odd", ["python"], site_of({"CONDA_PATH": str(base)}))
    assert "no conda environment" in message


def test_a_damaged_file_of_variables_is_told_before_the_run(base: Path, site_of: SiteOf) -> None:
    prefix = make_environment(base / "envs" / "a", state={"A": "1"})
    (prefix / "conda-meta" / "state").write_text('{"env_vars": {"A"', encoding="utf-8")
    ((key, message, cure),) = messages("a", ["python"], site_of({"CONDA_PATH": str(base)}))
    assert key == "environment"
    assert f"{prefix / 'conda-meta' / 'state'} is damaged (no JSON: " in message
    assert f'conda env config vars set -p "{prefix}" NAME=VALUE' in cure


def test_an_environment_that_is_not_there_names_the_recipe(base: Path, site_of: SiteOf) -> None:
    site = site_of({"CONDA_PATH": str(base)})
    recipes = Path(site.repo) / "conda_envs"
    recipes.mkdir()
    (recipes / "segment_ernet.yml").write_text("name: ernet\nchannels: []\n", encoding="utf-8")
    (recipes / "ernet.yml").write_text("name: other\n", encoding="utf-8")
    ((key, message, cure),) = messages("ernet", ["python"], site)
    assert key == "environment"
    assert "'ernet'" in message
    assert f'conda env create -f "{recipes / "segment_ernet.yml"}"' in cure


def test_an_environment_that_is_not_there_names_the_near_ones(base: Path, site_of: SiteOf) -> None:
    make_environment(base / "envs" / "cellpose3")
    ((_, _, cure),) = messages("Cellpose_3", ["python"], site_of({"CONDA_PATH": str(base)}))
    assert cure.startswith("Did you mean cellpose3?")
    with pytest.raises(EnvironmentMissing, match="Cellpose_3"):
        wrap("Cellpose_3", ["python"], site_of({"CONDA_PATH": str(base)}))


def test_a_segment_without_an_environment_is_told_so(site_of: SiteOf) -> None:
    ((_, message, cure),) = messages("", ["python"], site_of())
    assert message == "the segment names no environment"
    assert "uv:NAME" in cure


def test_blanks_around_a_uv_group_are_pointed_out(base: Path, site_of: SiteOf) -> None:
    ((_, _, cure),) = messages(" uv:default ", ["python"], site_of({"CONDA_PATH": str(base)}))
    assert cure == "Did you mean 'uv:default', without the blanks?"


def test_an_environment_without_python_is_told_so(base: Path, site_of: SiteOf) -> None:
    prefix = make_environment(base / "envs" / "a")
    (prefix / "bin" / "python").unlink()
    ((_, message, cure),) = messages("a", ["python"], site_of({"CONDA_PATH": str(base)}))
    assert "has no Python" in message
    assert "conda install" in cure


def test_the_receipt_lists_packages_with_their_channels(base: Path, site_of: SiteOf) -> None:
    make_environment(base / "envs" / "a")
    spec = parse_environment("a", "", "linux")
    held = kind(spec).fingerprint(spec, [], site_of({"CONDA_PATH": str(base)}))
    assert held["kind"] == "conda"
    assert held["packages"] == {"erosion-tools": "2.0", "python": "{}.{}.{}".format(*sys.version_info[:3])}
    assert held["channels"] == {"erosion-tools": "local", "python": "conda-forge"}
    assert held["pip"] == {"extra-tool": "1.5"}
