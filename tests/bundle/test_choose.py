"""What of a lock a computer is given: by its markers and tags, whatever computer chooses."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.bundle.choose import Source, choose
from runner.bundle.target import NAMES, here, target_of
from runner.environments import Locked
from runner.environments.uv.travel import python_of
from runner.errors import EnvironmentMissing, UsageError

HASH = "a" * 64
HEAD = 'lock-version = "1.0"\ncreated-by = "uv"\nrequires-python = ">=3.11"\n'


def package(name: str, *wheels: str, marker: str = "", sdist: bool = False) -> str:
    text = f'[[packages]]\nname = "{name}"\nversion = "1.0"\n' + (f'marker = "{marker}"\n' if marker else "")
    if sdist:
        text += f'sdist = {{ url = "https://x.invalid/{name}-1.0.tar.gz", hashes = {{ sha256 = "{HASH}" }} }}\n'
    rows = [f'{{ url = "https://x.invalid/{name}-1.0-{tag}.whl", hashes = {{ sha256 = "{HASH}" }} }}' for tag in wheels]
    return text + f"wheels = [{', '.join(rows)}]\n"


def chosen(text: str, platform: str = "linux", python: str = "3.11", glibc: str = "") -> list[str]:
    found = choose(Locked(HEAD + text, Path("/repo")), target_of(platform, glibc), python, "uv:g")
    return [part.requirement if isinstance(part, Source) else part.file for _, part in found.parts]


COMPILED = package(
    "gamma",
    *("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", "cp311-cp311-manylinux_2_34_x86_64"),
    *("cp311-cp311-manylinux_2_28_aarch64", "cp311-cp311-musllinux_1_2_x86_64", "cp311-cp311-win_amd64"),
    *("cp311-cp311-win32", "cp311-cp311-macosx_10_9_universal2", "cp312-cp312-win_amd64", "cp311-cp311t-win_amd64"),
)


@pytest.mark.parametrize(
    ("platform", "glibc", "python", "tag"),
    [
        ("linux", "", "3.11", "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"),
        ("linux", "2.35", "3.11", "cp311-cp311-manylinux_2_34_x86_64"),
        ("linux-aarch64", "", "3.11.9", "cp311-cp311-manylinux_2_28_aarch64"),
        ("windows", "", "3.11", "cp311-cp311-win_amd64"),
        ("windows", "", "3.12", "cp312-cp312-win_amd64"),
        ("macos", "", "3.11", "cp311-cp311-macosx_10_9_universal2"),
        ("macos-x86_64", "", "3.11", "cp311-cp311-macosx_10_9_universal2"),
    ],
)
def test_the_wheel_is_that_of_the_system_and_of_python(platform: str, glibc: str, python: str, tag: str) -> None:
    assert chosen(COMPILED, platform, python, glibc) == [f"gamma-1.0-{tag}.whl"]


def test_a_wheel_of_the_stable_interface_serves_later_pythons() -> None:
    assert chosen(package("s", "cp39-abi3-win_amd64", "cp313-abi3-win_amd64"), "windows") == [
        "s-1.0-cp39-abi3-win_amd64.whl"
    ]


def test_what_a_marker_excludes_is_left_out() -> None:
    text = package("a", "py3-none-any", marker="sys_platform == 'win32'")
    text += package("b", "py3-none-any", marker="platform_machine == 'aarch64'")
    text += package("c", "py3-none-any", marker="implementation_name == 'pypy'")
    assert [chosen(text, one) for one in ("windows", "linux-aarch64", "macos")] == [
        ["a-1.0-py3-none-any.whl"], ["b-1.0-py3-none-any.whl"], [],
    ]  # fmt: skip


def test_what_only_some_patches_of_a_version_need_is_in_it_unless_the_patch_is_told() -> None:
    text = package("old", "py3-none-any", marker="python_full_version < '3.11.4'")
    text += package("new", "py3-none-any", marker="python_full_version >= '3.11.4'")
    assert chosen(text) == ["old-1.0-py3-none-any.whl", "new-1.0-py3-none-any.whl"]
    assert chosen(text, python="3.11.9") == ["new-1.0-py3-none-any.whl"]


def test_a_package_without_a_wheel_for_it_is_told_with_what_there_is() -> None:
    with pytest.raises(EnvironmentMissing) as refused:
        chosen(COMPILED, "windows", "3.13")
    assert refused.value.message == "uv:g: of gamma 1.0 there is no wheel for Windows x86_64, Python 3.13"
    assert "gamma-1.0-cp312-cp312-win_amd64.whl" in refused.value.cure
    with pytest.raises(EnvironmentMissing, match=r"Linux x86_64 with glibc 2.12 or later"):
        chosen(COMPILED, "linux", glibc="2.12")


def test_its_source_distribution_is_built_where_it_has_no_wheel() -> None:
    text = package("p", "cp311-cp311-win_amd64", sdist=True)
    assert chosen(text, "windows") == ["p-1.0-cp311-cp311-win_amd64.whl"]
    assert chosen(text, "linux") == ["p @ https://x.invalid/p-1.0.tar.gz"]


def test_a_lock_for_other_systems_alone_is_told() -> None:
    with pytest.raises(EnvironmentMissing, match="cannot be had for macOS"):
        chosen("environments = [\"sys_platform == 'win32'\"]\n" + package("a", "py3-none-any"), "macos")


@pytest.mark.parametrize(
    ("asked", "rule", "python"),
    [
        ("", "", "3.12"), ("3.13", "", "3.13"), ("3.11.4", "", "3.11.4"), ("cpython@3.11", "", "3.11"),
        ("", "==3.11.*", "3.11"), ("", ">=3.11,<3.15", "3.12"), ("", ">=3.14", "3.14"), (">=3.13", "", "3.13"),
        ("", ">=3.8,<3.12", "3.11"),
    ],
)  # fmt: skip
def test_the_python_is_what_is_asked_for_or_what_the_rule_allows(asked: str, rule: str, python: str) -> None:
    assert python_of(asked, rule, "3.12", "uv group g") == python


@pytest.mark.parametrize("glibc", ["3.1", "2", "x", "2.4", "2.28.1"])
def test_a_glibc_that_cannot_be_is_refused(glibc: str) -> None:
    with pytest.raises(UsageError, match="--glibc"):
        target_of("linux", glibc)


def test_this_machine_is_one_of_those_that_are_known() -> None:
    assert here() in NAMES
