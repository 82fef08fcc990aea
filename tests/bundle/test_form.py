"""What a bundle's manifest may say."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from runner.bundle.form import (
    PROGRAM,
    START,
    Environment,
    Manifest,
    Packed,
    Python,
    Unusable,
    place_of,
    read_manifest,
    to_bytes,
)

REPO = Path(__file__).resolve().parents[2]

MANIFEST = Manifest(
    *("lab", "2026-11-27T12:00:00+01:00", "0.1.0", "linux", "x86_64", "3.11", ("runs/a b.yaml",)),
    *({"repo/ü b.txt": Packed(1, "a" * 64, True)}, (Environment("g", "uv:g", "3.11", "runs/a b.yaml", 1),)),
    *((Python("3.11", ""),), ("Fiji",)),
)


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert read_manifest(to_bytes(MANIFEST)) == MANIFEST


@pytest.mark.parametrize(
    "name",
    [
        "../a",
        "/a",
        "a/../b",
        "a//b",
        "C:/x",
        "a\\b",
        "con",
        "a/nul.txt",
        "COM1.log",
        "a. ",
        "a/b.",
        "",
        "a/",
        "./a",
        "a\0",
    ],
)
def test_a_name_that_leaves_the_folder_or_that_windows_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(Unusable, match="name of an entry"):
        read_manifest(to_bytes(MANIFEST._replace(files={name: Packed(1, "a" * 64)})))


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b'{"format": 1}', b'{"format": 2}', to_bytes(MANIFEST)[:300], b"[" * 100_000]
)
def test_what_is_no_manifest_is_refused_and_not_crashed_on(data: bytes) -> None:
    with pytest.raises(Unusable):
        read_manifest(data)


def test_files_of_the_repository_lie_in_the_folder_itself_and_the_rest_apart() -> None:
    assert place_of("repo/runner/model.py") == "runner/model.py"
    assert place_of("wheels/a.whl") == ".bundle/wheels/a.whl"


@pytest.mark.parametrize(
    "names",
    [
        ["repo/A.txt", "repo/a.txt"],
        ["repo/\u00fc", "repo/u\u0308"],
        ["wheels/a", "repo/.bundle/wheels/a"],
        ["repo/.Bundle/x"],
        ["repo/a", "repo/a/b"],
        ["repo", "repo/x/y", "repo/x/Y"],
    ],
)
def test_two_entries_of_one_place_are_refused(names: list[str]) -> None:
    with pytest.raises(Unusable, match="entr"):
        read_manifest(to_bytes(MANIFEST._replace(files={name: Packed(1, "a" * 64) for name in names})))


def test_what_unpacks_a_bundle_is_python_3_8_and_its_standard_library() -> None:
    ast.parse(START, feature_version=(3, 8))
    for name in PROGRAM:
        path = REPO / name
        tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
        used = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        used |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        ours = {one for one in used if one.startswith("runner.")}
        assert {one.replace(".", "/") + ".py" for one in ours} <= set(PROGRAM)
        assert {one.split(".")[0] for one in used - ours} <= sys.stdlib_module_names
