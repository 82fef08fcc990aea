"""What looks right in a pipeline file and is not: told by `check` and before a run, and passed on as it stands."""

from __future__ import annotations

import pytest

from tests.support.lab import Lab, segment


@pytest.mark.parametrize(
    ("entry", "message", "cure"),
    [
        ("%YMAL%/x", "there is no token %YMAL%", "Did you mean %YAML%?"),
        ("%yaml%/x", "there is no token %yaml%", "Did you mean %YAML%?"),
        ("%DATEN%/x", "there is no token %DATEN%", "Did you mean %DATA%?"),
        ("%MASKS%", "there is no token %MASKS%", "Write MASKS=VALUE into .env"),
        ("--eq=%YAML%/x", "%YAML% is replaced at the beginning of a text only", "`- --eq: '%YAML%/x'`"),
        ({"--range": "a;%DATA%/b"}, "%DATA% is replaced at the beginning of a text only", ""),
        ("%YAML/x", "%YAML is no token", "Write '%YAML%/x'"),
        ("${YAML}/x", "${YAML} is no token", "Write '%YAML%/x'"),
        ("$DATA/x", "$DATA is no token", "Write '%DATA%/x'"),
        ("％YAML％/x", "％YAML％ is no token", "Write '%YAML%/x'"),
        ("%YAML %", "%YAML % is no token", "Write '%YAML%'"),
        ("%OUT-DIR%/x", "there is no token %OUT-DIR%", "OUT-DIR=VALUE"),
    ],
)
def test_a_token_that_is_none_or_stands_inside_a_text_is_told(lab: Lab, entry: object, message: str, cure: str) -> None:
    (lab.repo / ".env").write_text("DATA=/data\n", encoding="utf-8")
    lab.script("show.py", "import sys\nprint(sys.argv[1:])\n")
    pipeline = lab.pipeline([segment("a", "python", "%REPO%/scripts/show.py", entry)])
    done = lab.run("check", pipeline)
    assert message in done.stdout
    assert cure in done.stdout
    assert "could run as it is" not in done.stdout
    ran = lab.run(pipeline)
    assert message in ran.stderr
    assert str(entry if isinstance(entry, str) else entry["--range"]) in ran.stdout  # type: ignore[index]


@pytest.mark.parametrize("text", ["%H%M%S", "%Y-%m-%d", "img_%03d_%04d.tif", "100%", "%s_%s", "%d%%", "a % b % c"])
def test_formats_and_percentages_are_no_tokens(lab: Lab, text: str) -> None:
    lab.script("show.py", "")
    pipeline = lab.pipeline([segment("a", "python", "%REPO%/scripts/show.py", text)])
    done = lab.run("check", pipeline)
    assert "could run as it is" in done.stdout
    assert "token" not in done.stdout


@pytest.mark.parametrize(
    ("value", "message", "cure"),
    [
        ("%REPO%/x", "%REPO% in the value of DATA in .env stays as it is", "Write the folder in full"),
        ("%ROOT%/x", "%ROOT% in the value of DATA in .env stays as it is", "Write ${ROOT}"),
        ("", "the value of DATA in .env is empty, so this is /in", "Write DATA=VALUE"),
    ],
)
def test_a_value_of_dotenv_that_is_no_folder_is_told_where_it_is_used(
    lab: Lab, value: str, message: str, cure: str
) -> None:
    (lab.repo / ".env").write_text(f"ROOT=/r\nDATA={value}\n", encoding="utf-8")
    lab.script("show.py", "")
    done = lab.run("check", lab.pipeline([segment("a", "python", "%REPO%/scripts/show.py", {"--in": "%DATA%/in"})]))
    assert message in done.stdout
    assert cure in done.stdout


def test_tokens_in_lists_and_in_the_line_of_a_shell_are_told(lab: Lab) -> None:
    (lab.repo / ".env").write_text("DATA=/data\n", encoding="utf-8")
    lab.script("show.py", "")
    line = "cp %YMAL%/a %DATA%/b %TEMP%/c %OWN%/d $DATA"
    shell = {"name": "b", "environment": "cmd", "env": {"OWN": "x", "A": "%REEPO%"}, "commands": [line]}
    listed = segment("a", "python", "%REPO%/scripts/show.py", {"--in": ["%DATA%", "%YAL%/x"]})
    said = lab.run("check", lab.pipeline([listed, shell])).stdout
    for told in ("no token %YAL%", "no token %YMAL%", "no token %REEPO%", "%DATA% is replaced at the beginning"):
        assert told in said
    for fine in ("TEMP", "OWN%", "$DATA is"):
        assert fine not in said.replace(line, "")


def test_a_token_in_env_cwd_and_outputs_is_told_too_and_a_shell_has_its_own(lab: Lab) -> None:
    lab.script("show.py", "")
    keys = {"env": {"A": "%REEPO%"}, "cwd": "%YAML%", "outputs": ["x%YAML%"]}
    folder = {"name": "c", "environment": "%ENVS%/x", "commands": ["python", "-V"]}
    shell = {"name": "b", "environment": "cmd", "commands": ["echo %USERNAME%"]}
    pipeline = lab.pipeline([segment("a", "python", "%REPO%/scripts/show.py", **keys), shell, folder])
    done = lab.run("check", pipeline, check=None)
    assert "there is no token %REEPO%" in done.stdout
    assert "%YAML% is replaced at the beginning of a text only" in done.stdout
    assert "there is no token %ENVS%" in done.stdout
    assert "USERNAME" not in done.stdout


def test_a_folder_whose_name_looks_the_same_or_nearly_is_named(lab: Lab) -> None:
    lab.script("show.py", "")
    there, meant = "Zellen a\u0308", "Zellen \u00e4"
    (lab.data / there / "in").mkdir(parents=True)
    cwd = segment("a", "python", "%REPO%/scripts/show.py", cwd=f"%YAML%/{meant}/in")
    script = segment("b", "python", f"%YAML%/{meant}/in/show.py")
    said = lab.run("check", lab.pipeline([cwd, script]), check=2).stdout
    assert said.count(f"{there} looks the same and is another name: its sign 8 is U+0061") == 2
    assert "looks the same" in lab.run("status", lab.data / meant / "x.yaml", check=2).stderr
    assert "Did you mean scripts?" in lab.run("status", lab.repo / "script" / "in" / "x.yaml", check=2).stderr


def test_the_folder_of_environments_may_name_the_home_folder(lab: Lab) -> None:
    (lab.repo / ".env").write_text("RUN_PIPELINE_ENVS=$HOME/envs\n", encoding="utf-8")
    lab.script("show.py", "")
    lab.run(lab.pipeline([segment("a", "python", "%REPO%/scripts/show.py")]))
    assert (lab.home / "envs").is_dir()
    assert not any("$" in path.name for path in lab.repo.iterdir())


def test_a_folder_of_environments_with_a_variable_that_is_not_set_is_refused(lab: Lab) -> None:
    lab.script("show.py", "")
    pipeline = lab.pipeline([segment("a", "python", "%REPO%/scripts/show.py")])
    done = lab.run(pipeline, check=2, RUN_PIPELINE_ENVS="$NOT_SET_HERE/envs")
    assert "RUN_PIPELINE_ENVS is $NOT_SET_HERE/envs" in done.stderr
    assert sorted(path.name for path in lab.data.iterdir()) == [pipeline.name]
