"""`check`, and a run before it starts, know what the programs that ship take, without their environments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import REPO
from tests.support.lab import Lab, segment, shell

CODE = "%REPO%/standard_code/python"
INPUT = {"--input-search-pattern": "%YAML%/raw/*.tif"}
OUTPUT = {"--output-folder": "%YAML%/labels"}


def looked_at(lab: Lab, *segments: dict[str, Any], code: int = 2) -> list[dict[str, Any]]:
    """What `check` finds in a pipeline of these segments, in the repository with the programs that ship."""
    pipeline = lab.pipeline(segments)
    done = lab.run("check", pipeline, "--repo", REPO, "--json", check=code)
    return [json.loads(line) for line in done.stdout.splitlines()]


def threshold(*more: Any, program: str = "segment_threshold", group: str = "") -> dict[str, Any]:
    return segment("Segment", "python", f"{CODE}/{program}.py", *more, environment=f"uv:{group or program}")


@pytest.fixture
def raw(lab: Lab) -> Path:
    """An image where the pipelines look for one."""
    folder = lab.data / "raw"
    folder.mkdir()
    (folder / "cell.tif").touch()
    return folder


def only(found: list[dict[str, Any]]) -> tuple[str, str, str, int]:
    (one,) = found
    return one["severity"], one["message"], one["cure"], one["line"]


def test_a_flag_that_a_shipped_program_lacks_is_told_with_the_one_that_was_meant(lab: Lab, raw: Path) -> None:
    found = looked_at(lab, threshold(INPUT, {"--ouput-folder": "%YAML%/labels"}))
    assert only(found) == (
        "error", "segment_threshold.py has no argument --ouput-folder", "Did you mean --output-folder?", 8
    )  # fmt: skip


def test_a_flag_without_a_blank_behind_its_colon_is_told_with_how_to_write_it(lab: Lab, raw: Path) -> None:
    pipeline = lab.pipeline([threshold("GLUED", OUTPUT)])
    pipeline.write_text(
        pipeline.read_text("utf-8").replace("GLUED", "--input-search-pattern:'%YAML%/raw/*.tif'"), "utf-8"
    )
    done = lab.run("check", pipeline, "--repo", REPO, check=2)
    assert "error: segment_threshold.py has no argument `--input-search-pattern:'%YAML%/raw/*.tif'`" in done.stdout
    assert "apart: `- --input-search-pattern: '%YAML%/raw/*.tif'`" in done.stdout
    assert "could run" not in done.stdout
    assert "1 problem" in done.stdout


@pytest.mark.parametrize("glued", ["--flag:'x'", '--flag: "x"', "--flag='x'", "--flag x", "--flag :'x'", "-f: 'x y'"])
def test_a_flag_glued_to_its_value_is_told_for_every_program(lab: Lab, glued: str) -> None:
    lab.script("own.py", "")
    pipeline = lab.pipeline([segment("own", "python", "%REPO%/scripts/own.py", glued)])
    done = lab.run("check", pipeline)
    assert "is one argument" in done.stdout
    assert f"apart: `- {glued.split(':')[0].split('=')[0].split(' ')[0]}: 'x" in done.stdout
    assert "could run, but look at the warning" in done.stdout


@pytest.mark.parametrize(
    "text", ["--flag", "--flag=x y", "-x", "--eq=a:b", "/o:x", "a b: 'c'", "-5", "--logger:trx", "- x"]
)
def test_other_texts_are_no_flags_with_values(lab: Lab, text: str) -> None:
    lab.script("own.py", "")
    done = lab.run("check", lab.pipeline([segment("own", "python", "%REPO%/scripts/own.py", text)]))
    assert "could run as it is" in done.stdout


@pytest.mark.parametrize(
    ("argument", "message", "cure"),
    [
        ({"--sigma": "much"}, "--sigma of segment_threshold.py: 'much' is not a number of at least 0", ""),
        ({"--k": "much"}, "--k of segment_threshold.py: 'much' is not a number", ""),
        ({"--window-size": 4}, "'4' is not an odd number of at least 3", ""),
        ({"--min-size": "1,5"}, "'1,5' is not a whole number of at least 0", ""),
        ({"--method": "otzu"}, "--method of segment_threshold.py: `otzu` is none of its choices", "Did you mean otsu?"),
        ({"--classes": 9}, "`9` is none of its choices", "Take one of: 2, 3, 4, 5."),
        ({"--classes": "two"}, "--classes of segment_threshold.py: 'two' is not a whole number", ""),
        ({"--method": None}, "--method of segment_threshold.py needs a value", "`- --method: VALUE`"),
        ({"--dark-objects": True}, "takes no value, and `true` follows it", "Write `- --dark-objects` alone"),
        ({"--output-folder": ""}, "--output-folder of segment_threshold.py needs a value", ""),
        ({"--min-size": [1, 2]}, "takes one value, and `2` follows it", ""),
        ("--min_size", "has no argument --min_size", "Did you mean --min-size?"),
        ("--Method=li", "has no argument --Method", "Did you mean --method?"),
        ({"--output-suffix": "-mask"}, "its value `-mask` begins with a dash", "`- --output-suffix=-mask`"),
        ({"min-size": 5}, "takes one value, and `min-size` follows it", "Did you mean --min-size?"),
        ({"-- min-size": 5}, "`-- min-size` follows it", "Did you mean --min-size?"),
        ({"\u2013min-size": 5}, "`\u2013min-size` follows it", "Did you mean --min-size?"),
        ("--min-size 5", "`--min-size 5` follows it", "apart: `- --min-size: '5'`"),
        ("--mni-size: '5'", "`--mni-size: '5'` follows it", "apart: `- --mni-size: '5'`"),
        ({"--channel-index": 1.5}, "'1.5' is not a whole number of at least 0", ""),
        ("stray", "takes one value, and `stray` follows it", "Write the flag of that value"),
        ("--watershed-large-labels", "--watershed-large-labels needs --max-size", "programs segment_threshold"),
    ],
    ids=str,
)  # fmt: skip
def test_what_a_shipped_program_would_refuse_is_told_at_its_line(
    lab: Lab, raw: Path, argument: Any, message: str, cure: str
) -> None:
    found = looked_at(lab, threshold(INPUT, OUTPUT, argument))
    severity, said, what_to_do, line = only([one for one in found if one["severity"] == "error"])
    assert severity == "error"
    assert message in said
    assert cure in what_to_do
    assert line == (5 if "needs --max-size" in message else 9)


def test_several_mistakes_are_told_at_once_and_a_correct_line_is_not(lab: Lab, raw: Path) -> None:
    found = looked_at(lab, threshold({"--sigma": "x", "--k": "y"}, {"--channel-index": -1}), threshold(INPUT, OUTPUT))
    assert [one["message"].partition(" of ")[0] for one in found] == [
        "--sigma", "--k", "--channel-index",
        "segment_threshold.py needs --input-search-pattern, which is not given",
        "segment_threshold.py needs --output-folder, which is not given",
    ]  # fmt: skip
    assert {one["segment"] for one in found} == {1}


def test_one_of_several_arguments_that_is_missing_is_told_with_all_of_them(lab: Lab, raw: Path) -> None:
    found = looked_at(lab, threshold(INPUT, OUTPUT, program="mask_measure"))
    assert only(found)[1] == "mask_measure.py needs --mask-folder or --mask-search-pattern, which is not given"


def test_arguments_that_exclude_each_other_are_told(lab: Lab, raw: Path) -> None:
    masks = {"--mask-folder": "%YAML%/raw", "--mask-search-pattern": "%YAML%/raw/*.tif"}
    found = looked_at(lab, threshold(INPUT, OUTPUT, masks, program="mask_measure"))
    assert "--mask-search-pattern: not allowed with argument --mask-folder" in only(found)[1]


def test_a_flag_given_twice_is_a_warning(lab: Lab, raw: Path) -> None:
    found = looked_at(lab, threshold(INPUT, OUTPUT, {"--sigma": 1}, {"--sigma": 2}), code=0)
    assert only(found)[:2] == ("warning", "--sigma of segment_threshold.py is given before; the last one counts")


@pytest.mark.parametrize("environment", ["uv:segment_threshold", "uv@3.11:segment_threshold"])
@pytest.mark.parametrize("start", [["python"], ["python", "-u"], []], ids=str)
def test_a_program_is_known_however_it_is_started(lab: Lab, raw: Path, environment: str, start: list[str]) -> None:
    one = segment("x", *start, f"{CODE}/segment_threshold.py", INPUT, OUTPUT, "--nosuch", environment=environment)
    assert "no argument --nosuch" in only(looked_at(lab, one))[1]


def test_a_request_for_help_is_no_mistake(lab: Lab, raw: Path) -> None:
    assert looked_at(lab, threshold("--help"), threshold(INPUT, OUTPUT, "-h"), code=0) == []


def test_a_program_that_is_started_as_a_module_is_known_too(lab: Lab, raw: Path) -> None:
    words = ("python", "-m", "standard_code.python.segment_threshold", INPUT, OUTPUT, "--nosuch")
    found = looked_at(lab, segment("x", *words, environment="uv:segment_threshold"))
    assert "segment_threshold.py has no argument --nosuch" in only(found)[1]


def test_a_long_pipeline_is_asked_about_at_once(lab: Lab, raw: Path) -> None:
    many = [threshold(INPUT, OUTPUT, {"--sigma": number}) for number in range(200)]
    assert looked_at(lab, *many, threshold(INPUT, OUTPUT, "--nosuch"))[0]["segment"] == 201


def test_older_names_of_arguments_and_values_with_a_dash_are_known(lab: Lab, raw: Path) -> None:
    older = {"--threshold-methods": "Li", "--min-sizes": 5, "--threshold": -5, "--offset": "-.5"}
    assert looked_at(lab, threshold(INPUT, OUTPUT, older), code=0) == []
    er = threshold(
        INPUT, {"--output-dir": "%YAML%/x", "--output-suffix": "- mask"}, program="_segment_ernet", group="segment_er"
    )
    assert looked_at(lab, er, code=0) == []
    merge = threshold(
        INPUT, OUTPUT, {"--channel-names": ["DAPI", "GFP"]}, program="merge_channels", group="convert_to_tif"
    )
    assert [one["severity"] for one in looked_at(lab, merge, code=0)] == ["warning"]  # of the list


def test_a_run_is_stopped_before_anything_runs_and_nothing_is_written(lab: Lab, raw: Path) -> None:
    first = shell("first", "echo first > ran")
    pipeline = lab.pipeline([first, threshold(INPUT, {"--ouput-folder": "%YAML%/labels"})])
    before = sorted(lab.data.rglob("*"))
    done = lab.run(pipeline, "--repo", REPO, check=2)
    assert "Did you mean --output-folder?" in done.stderr
    assert sorted(lab.data.rglob("*")) == before


def test_a_program_of_the_laboratory_is_asked_too_where_it_can_be(lab: Lab, raw: Path) -> None:
    code = lab.repo / "standard_code" / "python"
    code.mkdir(parents=True)
    asked = (REPO / "standard_code/python/_programs.py").read_text(encoding="utf-8")
    (code / "_programs.py").write_text(asked, encoding="utf-8")
    text = "import argparse\n{}\ndef arguments():\n    parser = argparse.ArgumentParser()\n{}    return parser\n{}"
    plain, guard = "    parser.add_argument('--size', type=int)\n", "if __name__ == '__main__':\n    arguments()\n"
    (code / "own.py").write_text(text.format("", plain, guard), encoding="utf-8")
    (code / "heavy.py").write_text(text.format("import no_such_package", plain, guard), encoding="utf-8")
    (code / "careless.py").write_text("open('ran', 'w')\n", encoding="utf-8")
    names = ("own", "heavy", "careless")
    found = [
        lab.run("check", lab.pipeline([segment(n, "python", f"{CODE}/{n}.py", {"--siez": 3})]), check=None).returncode
        for n in names
    ]
    assert found == [2, 0, 0]
    assert not list(lab.root.rglob("ran"))
    assert not list(lab.root.rglob("__pycache__"))


def test_a_first_pattern_that_matches_no_file_is_a_warning_with_what_is_there(lab: Lab, raw: Path) -> None:
    for pattern, cure in (
        ("%YAML%/raw/*.png", f"{raw} holds cell.tif."),
        ("%YAML%/rwa/*.tif", f"There is no `rwa` in {lab.data}. Did you mean raw?"),
        ("%YAML%/raw", f"It is a folder. Name the files in it, for example '{raw / '**' / '*.tif'}'."),
        ("%YAML%/raw/cel.tif", f"There is no `cel.tif` in {raw}. Did you mean cell.tif?"),
    ):
        found = looked_at(lab, threshold({"--input-search-pattern": pattern}, OUTPUT), code=0)
        path = pattern.replace("%YAML%", str(lab.data))
        assert only(found) == ("warning", f"no file matches {path}", cure, 7)


def test_a_pattern_is_seen_however_it_is_written(lab: Lab, raw: Path) -> None:
    flag, missing = "--input-search-pattern", "%YAML%/raw/*.png"
    for words in ((flag, missing), (f"{flag}={lab.data}/raw/*.png",), ({flag: missing},)):
        assert "no file matches" in only(looked_at(lab, threshold(OUTPUT, *words), code=0))[1]
    earlier = threshold(flag, "%YAML%/raw/*.tif", OUTPUT)
    assert "no file matches" in only(looked_at(lab, earlier, threshold({flag: missing}, OUTPUT), code=0))[1]


def test_a_name_that_no_disk_can_have_is_left_to_the_program(lab: Lab, raw: Path) -> None:
    for name in ("x" * 300, "\u0001"):
        looked_at(lab, threshold({"--input-search-pattern": f"%YAML%/{name}/{name}"}, OUTPUT), code=0)


def test_a_pattern_that_an_earlier_segment_can_fulfil_is_not_told(lab: Lab, raw: Path) -> None:
    def second(pattern: str) -> dict[str, Any]:
        return threshold({"--input-search-pattern": pattern}, {"--output-folder": "%YAML%/two"})

    first = threshold(INPUT, OUTPUT)
    assert looked_at(lab, first, second("%YAML%/labels/**/*.tif"), code=0) == []
    assert looked_at(lab, first, second("%YAML%/labels/deep/er/*.tif"), code=0) == []
    declared = {**first, "outputs": ["%YAML%/other/*.csv"]}
    assert looked_at(lab, declared, second("%YAML%/other/*.tif"), code=0) == []
    assert looked_at(lab, first, shell("any", "echo"), second("%YAML%/nowhere/*.tif"), code=0) == []
    ((severity, message, _, _),) = [only(looked_at(lab, first, second("%YAML%/lables/*.tif"), code=0))]
    assert (severity, message) == (
        "warning", f"no file matches {lab.data / 'lables' / '*.tif'}, and no earlier segment names a place there"
    )  # fmt: skip
    # a segment reads from a place, and does not write there
    assert "*.png" in only(looked_at(lab, first, second("%YAML%/raw/*.png"), code=0))[1]


def test_input_folders_and_files_are_looked_for_too(lab: Lab, raw: Path) -> None:
    found = looked_at(lab, threshold(INPUT, OUTPUT, {"--mask-folder": "%YAML%/maks"}, program="mask_measure"), code=0)
    assert only(found)[:2] == ("warning", f"there is no folder {lab.data / 'maks'}")


def test_a_program_of_ones_own_is_told_only_of_what_is_plainly_an_input(lab: Lab, raw: Path) -> None:
    lab.script("own.py", "")

    def said(**flags: str) -> str:
        flags = {f"--{name.replace('_', '-')}": value for name, value in flags.items()}
        return lab.run("check", lab.pipeline([segment("own", "python", "%REPO%/scripts/own.py", flags)])).stdout

    assert "no file matches" in said(input_search_pattern="%YAML%/raw/*.png")
    assert "no file matches" in said(input="%YAML%/nothing")
    for fine in ({"input": "%YAML%/raw"}, {"input_type": "tif"}, {"input": "a/b"}, {"inputs": "%YAML%/a,b"}):
        assert "could run as it is" in said(**fine)
    assert "could run as it is" in said(input_pattern="%YAML%/raw/(.*).png", folder="%YAML%/new")


def test_a_pattern_is_looked_for_in_folders_whose_names_have_brackets(lab: Lab) -> None:
    folder = lab.data / "day [1]"
    folder.mkdir()
    (folder / "a.tif").touch()
    pattern = {"--input-search-pattern": "%YAML%/day [1]/**/*.tif"}
    assert looked_at(lab, threshold(pattern, OUTPUT), code=0) == []


def test_every_program_that_ships_tells_what_it_takes_and_has_an_example_that_check_passes(lab: Lab) -> None:
    import tomllib

    groups = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    shown = lab.run("programs", "--repo", REPO, "--json").stdout.splitlines()
    programs = {facts["program"]: facts for facts in map(json.loads, shown)}
    scripts = {
        path.name
        for path in (REPO / "standard_code/python").glob("*.py")
        if "if __name__ ==" in path.read_text(encoding="utf-8") and path.name != "_programs.py"
    }
    assert set(programs) == scripts
    segments = []
    for name, facts in programs.items():
        assert facts["group"] in groups, name
        page = lab.run("programs", name, "--repo", REPO).stdout
        for argument in (one for group in facts["groups"] for one in group["arguments"]):
            assert argument["names"][0] in page
        segments += yaml.safe_load(page[page.index("- name:") :])
    found = looked_at(lab, *segments, code=0)
    assert {one["severity"] for one in found} <= {"warning"}


def test_a_program_is_found_by_any_form_of_its_name_and_a_near_one_is_offered(lab: Lab) -> None:
    for name in ("segment_threshold", "segment_threshold.py", str(REPO / "standard_code/python/segment_threshold.py")):
        page = lab.run("programs", name, "--repo", REPO).stdout
        assert "--sigma: a finite number of at least 0; default 1.0" in page
        assert "--method, --threshold-methods: one of otsu, li," in page
    done = lab.run("programs", "segment_treshold", "--repo", REPO, check=2)
    assert "Did you mean segment_threshold?" in done.stderr
    assert "no programs" in lab.run("programs", check=2).stderr  # the lab's own repository has none


def test_what_stands_for_an_item_is_no_missing_file_and_no_wrong_number_but_a_wrong_flag_is_told(lab: Lab) -> None:
    words = [
        {"--input-search-pattern": "%ITEM%"},
        {"--output-folder": "%YAML%/%COL:s%/%STEM%"},
        {"--min-size": "%COL:s%"},
    ]
    good = threshold(*words) | {"foreach": "%YAML%/raw/*.tif", "matrix": {"s": [1, 2]}, "cwd": "%PARENT%"}
    after = threshold({"--input-search-pattern": "%YAML%/1/cell/*.tif"}, OUTPUT)
    (lab.data / "raw").mkdir(exist_ok=True)
    (lab.data / "raw" / "a.tif").touch()
    assert looked_at(lab, good, after, code=0) == []
    wrong = threshold(*words, "--ouput-folder") | {"foreach": "%YMAL%/raw/*.tif", "matrix": {"s": [1, 2]}}
    found = looked_at(lab, wrong)
    assert {one["message"] for one in found} == {
        "segment_threshold.py has no argument --ouput-folder",
        "there is no token %YMAL%: it stays as it is",
        "there is no item: nothing matches %YMAL%/raw/*.tif",
    }
