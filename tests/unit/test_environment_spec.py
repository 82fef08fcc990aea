"""What `environment:` is taken for."""

import pytest

from runner.environments.spec import is_prefix, normalised_group, parse_environment
from runner.model import EnvironmentSpec


def parse(text: str, distro: str = "", platform: str = "linux") -> tuple[str, str, str]:
    spec = parse_environment(text, distro, platform)
    return spec.kind, spec.name, spec.python


def test_a_uv_group_is_lower_cased_and_its_prefix_may_be_in_capitals() -> None:
    assert parse("UV:Segment_Threshold") == ("uv", "segment-threshold", "")


def test_a_uv_version_stands_before_the_colon() -> None:
    assert parse("uv@3.11:fill-holes-gpu") == ("uv", "fill-holes-gpu", "3.11")


def test_a_uv_form_without_a_group_or_a_version_has_no_name_for_check_to_refuse() -> None:
    assert parse("uv:") == ("uv", "", "")
    assert parse("uv@:x") == ("uv", "", "")


@pytest.mark.parametrize(
    ("text", "kind"), [("imagej", "imagej"), ("ImageJ", "imagej"), ("CMD", "shell"), ("Script", "script")]
)
def test_the_words_of_the_format_are_known_in_any_case(text: str, kind: str) -> None:
    assert parse(text) == (kind, "", "")


def test_base_is_the_conda_base_in_any_case() -> None:
    assert parse("Base") == ("conda", "base", "")
    assert parse("conda:BASE") == ("conda", "base", "")


def test_anything_else_is_a_conda_name_as_written() -> None:
    assert parse("ernet-gpu") == ("conda", "ernet-gpu", "")
    assert parse("Cellpose_3") == ("conda", "Cellpose_3", "")


def test_blanks_around_a_uv_group_make_it_a_conda_name_as_they_did_in_go() -> None:
    assert parse(" uv:default ") == ("conda", " uv:default ", "")


def test_the_explicit_form_reaches_conda_environments_that_have_a_reserved_name() -> None:
    assert parse("conda:script") == ("conda", "script", "")
    assert parse("conda:/data/envs/my env") == ("conda", "/data/envs/my env", "")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("conda:cuda12 + uv@3.12:My_Group", [("conda", "cuda12", ""), ("uv", "my-group", "3.12")]),
        ("Conda:vllm  +\tScript", [("conda", "vllm", ""), ("script", "", "")]),
        ("cuda12 + uv:g", [("conda", "cuda12", ""), ("uv", "g", "")]),
        ("conda:c++ + uv:g", [("conda", "c++", ""), ("uv", "g", "")]),
        ("conda:C:\\envs\\a b + uv:g", [("conda", "C:\\envs\\a b", ""), ("uv", "g", "")]),
        ("conda: + uv:g", [("conda", "", ""), ("uv", "g", "")]),
        ("uv:g + conda:a + cmd", [("uv", "g", ""), ("conda", "a", ""), ("shell", "", "")]),
    ],
)
def test_a_plus_sign_between_blanks_puts_two_together(text: str, parts: list[tuple[str, str, str]]) -> None:
    spec = parse_environment(text, "", "linux")
    assert (spec.kind, spec.text) == ("combined", text)
    assert [(part.kind, part.name, part.python) for part in spec.parts] == parts


@pytest.mark.parametrize(
    "text", ["c++", "a+b", "a+uv:b", "a + b", "/data/c++ + tools", "/data/my + script/", "a +uv:b"]
)
def test_any_other_plus_sign_belongs_to_the_name_of_a_conda_environment(text: str) -> None:
    assert parse(text) == ("conda", text, "")


def test_a_combined_environment_in_a_distribution_is_for_its_check_to_refuse() -> None:
    assert parse("conda:a + uv:b", "Ubuntu", "win32") == ("wsl", "", "")


def test_no_environment_is_a_conda_environment_without_a_name() -> None:
    assert parse("") == ("conda", "", "")


def test_a_distribution_counts_on_windows_alone() -> None:
    assert parse_environment("uv@3.11:a", "Ubuntu", "linux").kind == "uv"
    assert parse_environment("uv@3.11:a", " Ubuntu ", "win32") == EnvironmentSpec(
        "wsl", "a", "3.11", "Ubuntu", "uv@3.11:a"
    )


def test_the_default_distribution_is_known_in_any_case() -> None:
    assert parse_environment("uv:a", "Default", "win32").distro == "default"


def test_a_distribution_with_something_other_than_uv_keeps_the_text_for_check() -> None:
    assert parse_environment("ernet", "Ubuntu", "win32") == EnvironmentSpec("wsl", "", "", "Ubuntu", "ernet")


def test_groups_are_compared_as_uv_compares_them() -> None:
    assert normalised_group("Mask__Measure.GPU") == "mask-measure-gpu"


@pytest.mark.parametrize("name", ["/opt/envs/a", "./envs/a", "../a", "~/envs/a", "envs/a", "."])
def test_a_folder_is_told_from_a_name_on_posix(name: str) -> None:
    assert is_prefix(name, "linux")


@pytest.mark.parametrize("name", [r"C:\envs\a", r"\\server\share\envs\a", r"envs\a", "D:/envs/a", "D:envs"])
def test_a_folder_is_told_from_a_name_on_windows(name: str) -> None:
    assert is_prefix(name, "win32")


def test_a_name_is_no_folder() -> None:
    assert not is_prefix("ernet-gpu", "linux")
    assert not is_prefix(" uv:default ", "win32")
    assert not is_prefix(r"odd\name", "linux")
