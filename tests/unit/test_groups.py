"""A group's part of uv.lock: what changes it and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.environments.uv.groups import group_lock, read_project
from runner.errors import EnvironmentMissing

PROJECT = """\
[dependency-groups]
One_Group = ["a"]
two = ["b"]
three = []
[tool.uv]
dev-dependencies = ["a"]
[tool.uv.dependency-groups]
one-group = { requires-python = ">=3.12" }
"""

LOCK = """\
version = 1
[[package]]
name = "lab"
version = "1"
source = { virtual = "." }
[package.dev-dependencies]
one-group = [{ name = "a", extra = ["gui"] }]
two = [{ name = "b", version = "1" }]
[[package]]
name = "a"
version = "1"
source = { registry = "https://index/simple" }
dependencies = [{ name = "c" }]
wheels = [{ url = "https://index/a.whl", hash = "sha256:aa" }]
[package.optional-dependencies]
gui = [{ name = "d" }]
other = [{ name = "b", version = "1" }]
[[package]]
name = "b"
version = "1"
source = { registry = "https://index/simple" }
[[package]]
name = "b"
version = "2"
source = { registry = "https://index/simple" }
[[package]]
name = "c"
version = "1"
source = { directory = "packages/c" }
dependencies = [{ name = "a" }]
[[package]]
name = "d"
version = "1"
source = { registry = "https://index/simple" }
"""


def fingerprint(repo: Path, group: str, lock: str = LOCK, project: str = PROJECT) -> str:
    (repo / "pyproject.toml").write_text(project, encoding="utf-8")
    (repo / "uv.lock").write_text(lock, encoding="utf-8")
    part = group_lock(repo, group, read_project(repo))
    assert part is not None
    return part.fingerprint


def test_group_names_are_normalised_and_requires_python_belongs_to_its_group(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    project = read_project(tmp_path)
    assert project.groups == {"one-group": "One_Group", "two": "two", "three": "three", "dev": "dev"}
    assert project.requires_python == {"one-group": ">=3.12"}


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ('name = "a"\nversion = "1"', 'name = "a"\nversion = "1.1"', {"one-group"}),
        ("sha256:aa", "sha256:bb", {"one-group"}),
        ('name = "d"\nversion = "1"', 'name = "d"\nversion = "4"', {"one-group"}),  # of an extra
        ('name = "c"\nversion = "1"', 'name = "c"\nversion = "4"', {"one-group"}),  # of a dependency
        ('name = "b"\nversion = "2"', 'name = "b"\nversion = "3"', set()),  # a version that nobody asks for
        ('two = [{ name = "b", version = "1" }]', 'two = [{ name = "b", version = "2" }]', {"two"}),
    ],
)
def test_a_change_in_the_lock_concerns_the_groups_that_install_it(
    tmp_path: Path, old: str, new: str, changed: set[str]
) -> None:
    assert old in LOCK
    lock = LOCK.replace(old, new)
    for group in ("one-group", "two", "three"):
        differs = fingerprint(tmp_path, group, lock) != fingerprint(tmp_path, group)
        assert differs is (group in changed), group


def test_a_changed_demand_on_python_concerns_its_group_alone(tmp_path: Path) -> None:
    project = PROJECT.replace(">=3.12", ">=3.13")
    assert fingerprint(tmp_path, "one-group", project=project) != fingerprint(tmp_path, "one-group")
    assert fingerprint(tmp_path, "two", project=project) == fingerprint(tmp_path, "two")


def test_packages_in_folders_of_the_repository_are_named(tmp_path: Path) -> None:
    fingerprint(tmp_path, "one-group")
    part = group_lock(tmp_path, "one-group", read_project(tmp_path))
    assert part is not None
    assert part.folders == (tmp_path / "packages/c",)


def test_a_lock_that_does_not_know_the_group_gives_nothing(tmp_path: Path) -> None:
    fingerprint(tmp_path, "two")
    assert group_lock(tmp_path, "four", read_project(tmp_path)) is None


def test_files_that_are_missing_or_broken_are_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentMissing, match=r"there is no pyproject\.toml"):
        read_project(tmp_path)
    (tmp_path / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    with pytest.raises(EnvironmentMissing, match=r"there is no uv\.lock"):
        group_lock(tmp_path, "two", read_project(tmp_path))
    (tmp_path / "uv.lock").write_text("[x\n", encoding="utf-8")
    with pytest.raises(EnvironmentMissing, match=r"not valid TOML.*line 1"):
        group_lock(tmp_path, "two", read_project(tmp_path))
