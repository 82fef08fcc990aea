"""run-pipeline.toml of the repository and of the user."""

from pathlib import Path, PurePosixPath

import pytest

from runner.errors import UsageError
from runner.host import Host, this_host
from runner.site_file import SiteFile, places, read_site_file


def host(tmp_path: Path, **environ: str) -> Host:
    from dataclasses import replace

    return replace(this_host(interactive=False), environ={"HOME": str(tmp_path / "home"), **environ})


def read(tmp_path: Path, repo: str = "", user: str | bytes = "", **environ: str) -> SiteFile:
    (tmp_path / "repo").mkdir(exist_ok=True)
    (tmp_path / "home/.config/run-pipeline").mkdir(parents=True, exist_ok=True)
    if repo:
        (tmp_path / "repo/run-pipeline.toml").write_text(repo, encoding="utf-8")
    if user:
        raw = user if isinstance(user, bytes) else user.encode()
        (tmp_path / "home/.config/run-pipeline/run-pipeline.toml").write_bytes(raw)
    return read_site_file(tmp_path / "repo", host(tmp_path, **environ))


def test_without_a_file_everything_runs_here(tmp_path: Path) -> None:
    assert read(tmp_path).executor_named(None).kind == "local"


def test_the_users_account_counts_and_the_labs_partition_stays(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        'executor = "gpu"\n[executors.gpu]\nkind = "slurm"\npartition = "a100"\naccount = "lab"\ntarget-time = "30m"\n',
        '[executors.gpu]\naccount = "me"\noptions = ["--mail-type=END"]\n',
    ).executor_named(None)
    assert (found.name, found.kind, found.partition, found.account) == ("gpu", "slurm", "a100", "me")
    assert (found.target_time, found.options) == (1800.0, ("--mail-type=END",))


def test_a_byte_order_mark_of_windows_editor_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, user=b'\xef\xbb\xbfexecutor = "slurm"\r\n').executor == "slurm"


def test_variables_of_this_machine_are_put_in_but_not_for_a_login_node(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        '[uv]\ncache = "/scratch/$USER/uv"\n[clusters.hpc]\nhost = "hpc"\nfolder = "/scratch/$USER"\n',
        USER="me",
    )
    assert found.uv.cache == "/scratch/me/uv"
    assert found.clusters["hpc"].folder == "/scratch/$USER"


def test_on_windows_it_lies_in_appdata(tmp_path: Path) -> None:
    from dataclasses import replace

    windows = replace(host(tmp_path), platform="win32", environ={"APPDATA": r"C:\Users\m\AppData\Roaming"})
    assert str(places(PurePosixPath("/repo"), windows)[1]).startswith(r"C:\Users\m\AppData\Roaming")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("executor = 3\n", "line 1: `executor` must be a text"),
        ("executor = \n", "is not valid TOML"),
        ('[executors.slurm]\n\npartion = "a"\n', "line 3: `partion` is no key of [executors.slurm]"),
        ("[executor.slurm]\n", "must be a text"),
        ('[executors.slurm]\ngpus = "many"\n', "line 2: `gpus` must be gpus or gres"),
        ('[executors.slurm]\ntarget-time = "soon"\n', 'line 2: `target-time` must be a time such as "30m"'),
        ('[executors.slurm]\noptions = "--x"\n', "line 2: `options` must be a list of texts"),
        ("[executors.slurm]\nretries = -1\n", "line 2: `retries` must be a whole number"),
        ("[executors.slurm]\nretries = true\n", "line 2: `retries` must be a whole number"),
        ("[executors.slurm]\nmargin = 0.5\n", "line 2: `margin` must be a number of at least 1"),
        ('[executors.big]\npartition = "a"\n', "does not say its kind"),
        ('[executors]\nslurm = "x"\n', "`executors.slurm` must be a table"),
        ('[sites]\na = "x"\n', "line 1: `sites` is no key of run-pipeline.toml"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert said in f"{caught.value.message} {caught.value.cure}"


def test_an_executor_that_nobody_knows_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no executor 'gpu'; known: local, slurm, pbs"):
        read(tmp_path).executor_named("gpu")


def test_the_cache_of_the_site_is_uvs_unless_the_shell_says_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.cli.common import make_site

    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'lab'\nversion = '1'\n")
    (tmp_path / "run-pipeline.toml").write_text('[uv]\ncache = "/scratch/uv"\nprogram = "/apps/uv"\n')
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    monkeypatch.delenv("RUN_PIPELINE_UV", raising=False)
    environ = make_site(str(tmp_path), interactive=False).host.environ
    assert (environ["UV_CACHE_DIR"], environ["RUN_PIPELINE_UV"]) == ("/scratch/uv", "/apps/uv")
    monkeypatch.setenv("UV_CACHE_DIR", "/mine")
    assert make_site(str(tmp_path), interactive=False).host.environ["UV_CACHE_DIR"] == "/mine"
