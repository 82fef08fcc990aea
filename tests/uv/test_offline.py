"""Nothing of ours uses the network where it is not to be used, and what is missing is said before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from runner.cli.common import make_site, offline_option
from runner.cli.main import cli
from runner.environments.offline import offline
from tests.uv.shop import Shop


def said_by(shop: Shop, monkeypatch: pytest.MonkeyPatch, *, option: bool = False, **environ: str) -> tuple[str, str]:
    """The reason, and the UV_OFFLINE that what is started hears."""
    import click

    for name in ("UV_OFFLINE", "XDG_CONFIG_HOME", "UV_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": shop.environ["HOME"], "USERPROFILE": shop.environ["HOME"], **environ}.items():
        monkeypatch.setenv(name, value)
    found = []

    @click.command
    @offline_option
    def command() -> None:
        site = make_site(str(shop.repo), interactive=False)
        found.append((offline(site), site.host.environ.get("UV_OFFLINE", "")))

    CliRunner().invoke(command, ["--offline"] if option else [], catch_exceptions=False)
    return found[0]


def config(shop: Shop, name: str, text: str) -> Path:
    path = Path(shop.environ["HOME"]) / ".config" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_who_says_that_no_network_is_used(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop.repo / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    assert said_by(shop, monkeypatch) == ("", "")
    assert said_by(shop, monkeypatch, option=True) == ("--offline", "1")
    assert said_by(shop, monkeypatch, option=True, UV_OFFLINE="0") == ("--offline", "1")
    assert said_by(shop, monkeypatch, UV_OFFLINE="true") == ("UV_OFFLINE", "true")
    assert said_by(shop, monkeypatch, UV_OFFLINE="no") == ("", "no")


@pytest.mark.parametrize("where", ["run-pipeline.toml", "the user's run-pipeline.toml", "uv.toml", "pyproject.toml"])
def test_a_file_says_it_and_a_variable_counts_more(shop: Shop, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    project = shop.repo / "pyproject.toml"
    project.write_text("[project]\n", encoding="utf-8")
    if where == "pyproject.toml":
        path = project
        project.write_text("[tool.uv]\noffline = true\n", encoding="utf-8")
    elif where.startswith("the user's"):
        (shop.repo / "run-pipeline.toml").write_text("offline = false\n", encoding="utf-8")
        path = config(shop, "run-pipeline/run-pipeline.toml", "offline = true\n")
    elif where == "uv.toml":
        path = config(shop, "uv/uv.toml", "offline = true\n")
    else:
        path = shop.repo / "run-pipeline.toml"
        path.write_text('offline = true\n[uv]\ncache = "c"\n', encoding="utf-8")
    assert said_by(shop, monkeypatch) == (f"offline = true in {path}", "1")
    assert said_by(shop, monkeypatch, UV_OFFLINE="0") == ("", "0")
    assert said_by(shop, monkeypatch, option=True)[0] == "--offline"


def test_the_nearest_file_of_uv_counts_and_one_that_is_broken_says_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = shop.repo / "pyproject.toml"
    project.write_text("[tool.uv]\noffline = false\n", encoding="utf-8")
    config(shop, "uv/uv.toml", "offline = true\n")
    assert said_by(shop, monkeypatch) == ("", "")
    project.write_text("[project]\n", encoding="utf-8")
    config(shop, "uv/uv.toml", "offline = = true\n")
    assert said_by(shop, monkeypatch) == ("", "")


def test_a_wrong_word_in_the_site_file_is_refused_with_its_line(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop.repo / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    (shop.repo / "run-pipeline.toml").write_text('executor = "local"\noffline = "yes"\n', encoding="utf-8")
    monkeypatch.setenv("HOME", shop.environ["HOME"])
    done = CliRunner().invoke(cli, ["env", "list", "--repo", str(shop.repo)])
    assert done.exit_code == 2
    assert "line 2: `offline` must be true or false; this is 'yes'" in done.output
