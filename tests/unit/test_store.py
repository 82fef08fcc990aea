"""Where the parts of a store are, and what of the caller's own settings counts more."""

from dataclasses import replace
from pathlib import Path, PureWindowsPath

import click
import pytest

from runner.cli.common import ASKED_STORE, make_site
from runner.environments import Site
from runner.environments.store import Store, platform_folder, store_at
from runner.errors import UsageError
from runner.host import Host, this_host

OWN = (
    "UV_CACHE_DIR",
    "UV_PYTHON_INSTALL_DIR",
    "UV_LINK_MODE",
    "RUN_PIPELINE_ENVS",
    "RUN_PIPELINE_STORE",
    "RUN_PIPELINE_UV",
)


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in OWN:
        monkeypatch.delenv(name, raising=False)
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "pyproject.toml").write_text("[project]\nname = 'lab'\nversion = '1'\n", encoding="utf-8")
    return repo


def said(repo: Path, text: str) -> Site:
    (repo / "run-pipeline.toml").write_text(f"[uv]\n{text}\n", encoding="utf-8")
    return make_site(str(repo), interactive=False)


def told(site: Site) -> tuple[str, str, str]:
    environ = site.host.environ
    return environ["UV_CACHE_DIR"], environ["UV_PYTHON_INSTALL_DIR"], str(site.environments)


def here() -> str:
    return platform_folder(this_host(interactive=False))


def test_a_store_holds_cache_pythons_and_environments_of_this_system(repo: Path) -> None:
    site = said(repo, 'store = "/nas/Labor für ER"')
    folder = "/nas/Labor für ER"
    assert told(site) == (f"{folder}/cache", f"{folder}/pythons", f"{folder}/environments/{here()}")
    assert site.store == store_at(Path(folder))
    assert site.host.environ["UV_LINK_MODE"] in ("hardlink", "copy")


def test_each_of_them_may_lie_elsewhere(repo: Path, tmp_path: Path) -> None:
    site = said(repo, f'store = "/nas/lab"\ncache = "{tmp_path}/cache"\nenvironments = "/ssd/envs"')
    assert told(site) == (f"{tmp_path}/cache", "/nas/lab/pythons", f"/ssd/envs/{here()}")


def test_without_a_store_they_can_be_named_alone(repo: Path) -> None:
    site = said(repo, 'pythons = "/nas/pythons"\nenvironments = "envs"')
    assert site.store is None
    assert site.host.environ["UV_PYTHON_INSTALL_DIR"] == "/nas/pythons"
    assert site.environments == repo / "envs" / here()
    assert "UV_LINK_MODE" not in site.host.environ


def test_the_callers_variables_count_more(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", "/mine")
    monkeypatch.setenv("RUN_PIPELINE_ENVS", "/my/envs")
    assert told(said(repo, 'store = "/nas/lab"')) == ("/mine", "/nas/lab/pythons", "/my/envs")


def test_a_store_named_by_the_variable_has_all_parts_in_itself(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN_PIPELINE_STORE", "/other")
    site = said(repo, 'store = "/nas/lab"\ncache = "/ssd/cache"\nenvironments = "/nas/envs"')
    assert told(site) == ("/other/cache", "/other/pythons", f"/other/environments/{here()}")


def test_a_store_of_the_command_line_counts_more_than_any_other_place_of_environments(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUN_PIPELINE_STORE", "/other")
    monkeypatch.setenv("RUN_PIPELINE_ENVS", "/my/envs")
    with click.Context(click.Command("env")) as context:
        context.meta[ASKED_STORE] = Path("/asked")
        assert told(make_site(str(repo))) == ("/asked/cache", "/asked/pythons", f"/asked/environments/{here()}")


def test_a_variable_that_is_not_set_is_told_with_the_key_and_the_file(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCRATCH", raising=False)
    with pytest.raises(UsageError, match=r"`store` of \[uv\] in .*run-pipeline\.toml is \$SCRATCH/lab, which names a"):
        said(repo, 'store = "$SCRATCH/lab"')
    monkeypatch.setenv("SCRATCH", "/scratch/me")
    assert said(repo, 'store = "$SCRATCH/lab"').store == store_at(Path("/scratch/me/lab"))


def test_each_system_has_a_folder_of_its_own() -> None:
    host = this_host(interactive=False)

    def windows(machine: str) -> Host:
        return replace(host, platform="win32", environ={"PROCESSOR_ARCHITECTURE": machine})

    assert platform_folder(windows("AMD64")) == "windows-amd64"
    assert platform_folder(windows("ARM64")) == "windows-arm64"
    assert platform_folder(replace(host, platform="darwin")).startswith("macos-")
    assert platform_folder(replace(host, platform="linux")).startswith("linux-")


@pytest.mark.parametrize("folder", [r"\\nas\lab\store", "/nas/Labor für ER", r"D:\it's here", '/nas/a "b"'])
def test_any_path_is_written_into_the_file_so_that_it_is_read_back(folder: str) -> None:
    import tomllib

    from runner.cli.store import with_store

    text = with_store("# ours\n[uv]  # of the lab\ncache = 'x'\n", folder)
    assert tomllib.loads(text) == {"uv": {"cache": "x", "store": folder}}
    assert text.startswith("# ours\n[uv]  # of the lab\n")


def test_a_store_on_a_windows_share_keeps_its_unc_path() -> None:
    folder = PureWindowsPath(r"\\nas\lab\run-pipeline")
    assert store_at(folder) == Store(folder, folder / "cache", folder / "pythons", folder / "environments")
    assert str(store_at(folder).cache) == r"\\nas\lab\run-pipeline\cache"
