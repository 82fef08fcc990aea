"""What a user's uv.toml says, and a workspace above the repository: neither gets into uv.lock by migrate."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.migrate.places import Place
from tests.support.wheels import make_wheel


def user_file(place: Place, text: str) -> Path:
    path = place.root / "home" / ".config" / "uv" / "uv.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_migrate_writes_no_address_of_a_users_mirror_into_uv_lock(place: Place) -> None:
    for name, version in (("spots", "1.5"), ("grid", "2.2")):
        make_wheel(place.root / "mirror", name, version)
    mirror = (place.root / "mirror").as_posix()
    user_file(place, f'find-links = ["{mirror}"]\n[[index]]\nurl = "{mirror}"\nformat = "flat"\ndefault = true\n')
    place.migrate(place.recipe("- spots"), "--yes")
    text = (place.repo / "uv.lock").read_text(encoding="utf-8")
    assert "mirror" not in text
    assert 'version = "1.4"' in text
    assert 'version = "1.5"' not in text


@pytest.mark.parametrize("text", ['exclude-newer = "2015-01-01T00:00:00Z"\n', "no-index = = true\n", "no-build = 7\n"])
def test_migrate_locks_beside_any_uv_toml_of_the_users(place: Place, text: str) -> None:
    path = user_file(place, text)
    place.migrate(place.recipe("- spots"), "--yes")
    path.unlink()
    place.uv("lock", "--check")


def test_migrate_writes_no_uv_lock_into_the_folder_above(place: Place) -> None:
    outer = place.root / "pyproject.toml"
    outer.write_text('[tool.uv.workspace]\nmembers = ["Labor*"]\n', encoding="utf-8")
    before = {name: (place.repo / name).read_bytes() for name in ("pyproject.toml", "uv.lock")}
    said = place.migrate(place.recipe("- spots"), "--yes", code=2)
    assert f"belongs to the workspace of {place.root}" in said
    assert "`[tool.uv.workspace]`" in said
    assert not (place.root / "uv.lock").exists()
    assert {name: (place.repo / name).read_bytes() for name in before} == before
    with (place.repo / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n[tool.uv.workspace]\n")
    place.uv("lock")
    place.migrate(place.recipe("- spots"), "--yes")
    assert not (place.root / "uv.lock").exists()


def test_a_broken_pyproject_above_is_named_by_migrate(place: Place) -> None:
    outer = place.root / "pyproject.toml"
    outer.write_text("[x\n", encoding="utf-8")
    assert f"{outer} is not valid TOML" in place.migrate(place.recipe("- spots"), "--yes", code=3)
