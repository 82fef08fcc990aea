"""Every case recorded from the Go runner: the same hashes, the same arguments, the same files refused."""

import json
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest

from runner.environments import words
from runner.errors import PipelineError
from runner.model import Pipeline, ResolvedEntry, ResolvedFlags
from runner.pipeline.reader import read_pipeline
from runner.pipeline.tokens import resolve_entries, resolve_env

RECORDED = Path(__file__).parent.parent / "examples" / "go_runner"
CASES = sorted(path.stem for path in (RECORDED / "cases").glob("*.yaml"))
FACTS: dict[str, dict[str, Any]] = {
    platform: json.loads((RECORDED / f"{platform}.json").read_text(encoding="utf-8"))
    for platform in ("linux", "windows")
}
PLACES = {
    "linux": (PurePosixPath("/opt/run pipeline"), PurePosixPath("/lab/müller/data"), "/mnt/disk/data"),
    "windows": (PureWindowsPath("C:\\run pipeline"), PureWindowsPath("\\\\nas\\lab\\müller\\data 1"), "E:\\data"),
}


def read(case: str) -> Pipeline:
    return read_pipeline(RECORDED / "cases" / f"{case}.yaml")


def filled_in(text: str, platform: str) -> str:
    """A recorded text with the places of this test for its placeholders."""
    repo, folder, data = PLACES[platform]
    for name, place in (("REPO", repo), ("YAML_PARENT", folder.parent), ("YAML", folder), ("DATA", data)):
        text = text.replace(f"${{{name}}}", str(place))
    return text


def laid_out(launcher: str, entries: list[ResolvedEntry]) -> list[str]:
    """What the Go runner put behind its launcher, made of what we resolved."""
    if launcher == "uv":
        found = words(entries)
        return found[1:] if found[:1] and found[0].lower() == "python" else found
    if launcher == "cmd":
        return [" ".join(words(entries))]
    if launcher == "imagej":
        pairs = sorted(item for e in entries if isinstance(e, ResolvedFlags) for item in e.items)
        macro = next(e for e in entries if isinstance(e, str))
        options = ",".join(f"{key}='{value}'" for key, value in pairs)
        return [text.replace("\\", "/") for text in (macro, options)]
    return words(entries)


def test_every_case_has_its_facts() -> None:
    assert CASES
    for facts in FACTS.values():
        assert sorted(facts) == CASES


@pytest.mark.parametrize("case", [case for case in CASES if "segments" in FACTS["linux"][case]])
def test_names_and_content_hashes_are_those_of_the_go_runner(case: str) -> None:
    found = [[s.name, s.content_hash] for s in read(case).segments if not s.is_control]
    assert found == FACTS["linux"][case]["segments"]


@pytest.mark.parametrize("platform", ["linux", "windows"])
@pytest.mark.parametrize("case", [case for case in CASES if "segments" in FACTS["linux"][case]])
def test_arguments_and_variables_are_those_of_the_go_runner(case: str, platform: str) -> None:
    repo, folder, data = PLACES[platform]
    places: Any = {"repo": repo, "folder": folder, "dotenv": {"DATA": data}, "windows": platform == "windows"}
    segments = [s for s in read(case).segments if not s.is_control]
    runs = FACTS[platform][case]["runs"]
    for segment, run in zip(segments, runs, strict=False):  # behind a `stop` nothing was run
        expected = [filled_in(text, platform) for text in run["arguments"]]
        if run["launcher"] == "imagej":
            expected = [text.replace("\\", "/") for text in expected]
        if case == "list_value":  # the one argument `[0 1 2]` there, which no script can use
            expected = ["s.py", "--channels", "0", "1", "2", "--names", "a", "b c", "1.5", "true", "<nil>", "--empty"]
        if case == "python_upper_and_later":  # it dropped the word python wherever it stood
            expected = ["-m", "tool", "python", "--interpreter", "python"]
        if case == "scalars_null":  # it took the text 'null' for no value, also in quotes
            expected.insert(expected.index("--d") + 1, "null")
        assert laid_out(run["launcher"], resolve_entries(segment, **places)) == expected
        variables = {name: filled_in(text, platform) for name, text in run.get("env", {}).items()}
        assert resolve_env(segment, **places) == variables


@pytest.mark.parametrize("case", [case for case in CASES if "refused" in FACTS["linux"][case]])
def test_what_the_go_runner_refused_is_refused_with_place_and_cure(case: str) -> None:
    with pytest.raises(PipelineError) as caught:
        read(case)
    for diagnostic in caught.value.diagnostics:
        assert diagnostic.mark is not None
        assert diagnostic.message
        assert diagnostic.cure


def test_a_flag_map_with_several_keys_keeps_the_order_of_the_file() -> None:
    (segment,) = read("long_flow").segments
    entries = resolve_entries(segment, repo=PurePosixPath("/r"), folder=PurePosixPath("/d"), dotenv={}, windows=False)
    assert words(entries) == ["python", "a.py", "--x", "1", "--y", "2"]
