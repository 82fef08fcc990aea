"""Links and pictures lead somewhere, and no page tells of the machine that it was written on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, REPO, name, prose, text_of

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")
LINKS = [(page, one or two) for page in PAGES for one, two in _LINK.findall(prose(page))]
# a repository is read on other machines: no absolute path of a POSIX home or of temporary files, no package registry
PRIVATE = re.compile(r"/root\b|/tmp\b|/work\b|pypi\.org|pythonhosted|anaconda\.org|\bTODO\b|\bFIXME\b")


def anchors(page: Path) -> set[str]:
    """The headings of a page as the names that links use."""
    heads = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize(("page", "link"), [pytest.param(p, t, id=f"{name(p)} {t}") for p, t in LINKS])
def test_a_link_leads_to_a_file_and_a_heading_that_exist(page: Path, link: str) -> None:
    if link.startswith("https://"):
        return
    target, _, anchor = link.partition("#")
    path = (page.parent / target).resolve() if target else page
    assert path.exists()
    assert not anchor or anchor in anchors(path)


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached = {REPO / "README.md"}
    while (
        found := {
            target
            for page, link in LINKS
            if page in reached and (target := (page.parent / link.partition("#")[0]).resolve()) in PAGES
        }
        - reached
    ):
        reached |= found
    assert set(PAGES) <= reached


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_names_nothing_of_the_machine_that_it_was_written_on(page: Path) -> None:
    assert not PRIVATE.findall(text_of(page))


@pytest.mark.parametrize("picture", sorted((REPO / "docs/pictures").iterdir()), ids=lambda path: path.name)
def test_a_picture_is_small_shown_somewhere_and_names_no_private_path(picture: Path) -> None:
    assert picture.stat().st_size < 400_000
    assert any(link.endswith(f"pictures/{picture.name}") for _, link in LINKS)
    if picture.suffix == ".svg":
        assert not PRIVATE.findall(picture.read_text(encoding="utf-8"))
