"""A uv workspace above the repository, and a uv.lock that two people changed."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from runner.environments.uv import kind as uv
from runner.environments.uv.workspace import workspace_root
from runner.errors import EnvironmentMissing
from tests.uv.shop import Shop


def above(shop: Shop, text: str) -> Path:
    path = shop.repo.parent / "pyproject.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_member_of_a_workspace_uses_the_workspaces_lock(shop: Shop) -> None:
    above(shop, '[tool.uv.workspace]\nmembers = ["Labor*"]\n')
    shop.wheel("alpha").write(one=["alpha"], two=[])
    assert not (shop.repo / "uv.lock").exists()
    assert uv.check(shop.spec("uv:one"), ["python"], shop.site()) == []
    assert shop.prepare("uv:one") == ["sync"]
    assert shop.prepare("uv:one") == []
    assert shop.start("uv:one", "python", "-c", "import alpha; print(alpha.VERSION)") == "1.0\n"
    shop.write(two=["alpha"])
    assert shop.prepare("uv:one") == ["lock"]
    shop.wheel("alpha", "2.0").write()
    assert shop.prepare("uv:one") == ["sync"]
    assert shop.start("uv:one", "python", "-c", "import alpha; print(alpha.VERSION)") == "2.0\n"


def test_a_workspace_without_a_lock_says_where_that_belongs(shop: Shop) -> None:
    shop.write(one=[])
    above(shop, '[tool.uv.workspace]\nmembers = ["Labor*"]\n')
    (finding,) = uv.check(shop.spec("uv:one"), ["python"], shop.site())
    assert finding.message.startswith(
        f"there is no uv.lock in {shop.repo.parent}, the workspace that {shop.repo} belongs"
    )


def test_a_broken_pyproject_above_is_named_with_its_place(shop: Shop) -> None:
    shop.write(one=[])
    outer = above(shop, "[project]\n[x\n")
    (finding,) = uv.check(shop.spec("uv:one"), ["python"], shop.site())
    assert finding.message.startswith(f"{outer} is not valid TOML")
    assert "line 2" in finding.message
    assert str(outer) in finding.cure


@pytest.mark.parametrize(
    ("text", "member"),
    [
        ('members = ["lab/*"]', True),
        ('members = ["./lab/repo/"]', True),
        ('members = ["**/repo"]', True),
        ('members = ["lab/rep?"]', True),
        ('members = ["[kl]ab/[!a-q]ep[a-z]"]', True),
        ('members = ["[!kl]ab/repo"]', False),
        ('members = ["{lab,other}/repo"]', False),
        ('members = ["*"]', False),
        ('members = ["other/*"]', False),
        ('members = ["lab"]', False),
        ('members = ["lab/*"]\nexclude = ["lab/re*"]', False),
        ('members = ["lab/*"]\nexclude = ["lab/x*"]', True),
        ("members = 3", False),
        ("", False),
    ],
)
def test_who_is_a_member_is_decided_as_uv_does(shop: Shop, tmp_path: Path, text: str, member: bool) -> None:
    repo = tmp_path / "lab" / "repo"
    repo.mkdir(parents=True)
    (repo / "pyproject.toml").write_text('[project]\nname = "r"\nversion = "1"\nrequires-python = ">=3.11"\n', "utf-8")
    (tmp_path / "pyproject.toml").write_text(f"[tool.uv.workspace]\n{text}\n", "utf-8")
    assert (workspace_root(repo) == tmp_path) is member
    if "3" not in text:
        shop.repo = repo
        shop.uv("lock", "--quiet")
        assert (tmp_path / "uv.lock").exists() is member


def test_a_project_in_between_and_a_workspace_of_ones_own_end_the_search(tmp_path: Path) -> None:
    repo = tmp_path / "lab" / "repo"
    repo.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["**"]\n', "utf-8")
    (repo / "pyproject.toml").write_text('[project]\nname = "r"\n', "utf-8")
    assert workspace_root(repo) == tmp_path
    (tmp_path / "lab" / "pyproject.toml").write_text("[tool.black]\n", "utf-8")
    assert workspace_root(repo) == repo
    (tmp_path / "lab" / "pyproject.toml").unlink()
    (repo / "pyproject.toml").write_text('[project]\nname = "r"\n[tool.uv.workspace]\n', "utf-8")
    assert workspace_root(repo) == repo


def test_the_cure_for_a_lock_with_the_marks_of_a_merge_works(shop: Shop) -> None:
    shop.wheel("alpha").write(one=["alpha"])
    lock = shop.repo / "uv.lock"
    text = lock.read_text(encoding="utf-8")
    lock.write_text(text.replace("[[package]]", "<<<<<<< HEAD\n[[package]]\n=======\n>>>>>>> b\n", 1), encoding="utf-8")
    with pytest.raises(EnvironmentMissing) as caught:
        uv.prepare(shop.spec("uv:one"), ["python"], shop.site())
    assert f"{lock} is not valid TOML" in caught.value.message
    assert "marks of a merge" in caught.value.cure
    assert "git checkout --ours uv.lock" in caught.value.cure
    lock.write_text(text, encoding="utf-8")  # one side, whole
    shop.uv("lock", "--quiet")
    assert shop.prepare("uv:one") == ["sync"]


def test_a_byte_order_mark_in_pyproject_is_as_good_as_to_uv(shop: Shop) -> None:
    shop.wheel("alpha").write(one=["alpha"])
    outer = above(shop, "[project]\nname = 'o'\nversion = '1'\n")
    for path in (shop.repo / "pyproject.toml", outer):
        path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    shop.uv("lock", "--check")
    assert uv.check(shop.spec("uv:one"), ["python"], shop.site()) == []
    assert shop.prepare("uv:one") == ["sync"]
