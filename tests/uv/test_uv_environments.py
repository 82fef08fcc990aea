"""Environments of uv groups, made and kept in step by the real uv."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner.environments import Request, Site
from runner.environments.uv import kind as uv
from runner.environments.uv.stamp import whose
from runner.errors import EnvironmentMissing
from runner.model import ResolvedFlags
from tests.uv.shop import Shop, carry_out, make_wheel, run

TELL = "import alpha, sys; print(alpha.VERSION, sys.prefix)"


def tree(folder: Path) -> dict[str, int]:
    """Every path below, with its time."""
    return {str(path): path.lstat().st_mtime_ns for path in [folder, *folder.rglob("*")]}


def test_a_group_gets_an_environment_of_its_own_and_its_programs_run_there(shop: Shop) -> None:
    shop.wheel("alpha").wheel("beta").write(one=["alpha"], two=["beta"])
    assert shop.prepare("uv:one") == ["sync"]
    version, prefix = shop.start("uv:one", "-c", TELL).strip().split(" ", 1)
    assert version == "1.0"
    assert Path(prefix) == shop.repo / ".venvs" / "one-py3.11"
    packages = uv.fingerprint(shop.spec("uv:one"), [], shop.site())["packages"]
    assert packages == {"alpha": "1.0"}


def test_what_is_in_step_is_not_touched_and_starts_nothing(shop: Shop) -> None:
    shop.wheel("alpha").write(one=["alpha"])
    shop.prepare("uv:one")
    before = tree(shop.folder("uv:one"))
    assert shop.prepare("uv:one") == []
    assert tree(shop.folder("uv:one")) == before


def test_a_changed_group_is_synced_again_and_another_one_is_left_alone(shop: Shop) -> None:
    shop.wheel("alpha").wheel("beta").write(one=["alpha"], two=["beta"])
    shop.prepare("uv:one")
    shop.prepare("uv:two")
    shop.wheel("alpha", "2.0").write()
    before = tree(shop.folder("uv:two"))
    assert shop.prepare("uv:one") == ["sync"]
    assert shop.prepare("uv:two") == ["lock"]
    assert tree(shop.folder("uv:two")) == before
    assert shop.prepare("uv:two") == []
    assert shop.start("uv:one", "-c", TELL).startswith("2.0 ")


def test_the_same_version_asked_for_in_two_ways_is_one_environment(shop: Shop) -> None:
    shop.write(one=[], two=[])
    assert shop.folder("uv:one") == shop.folder("uv@3.11:ONE") == shop.repo / ".venvs" / "one-py3.11"
    assert shop.folder("uv@python3.12:one").name == "one-py3.12"
    shop.more = '\n[tool.uv.dependency-groups]\none = { requires-python = ">=3.11" }\n'
    shop.write()
    assert shop.folder("uv:one").name == "one"
    assert shop.folder("uv@3.11:one").name == "one-py3.11"


def test_the_default_python_of_the_caller_and_of_dotenv_count(shop: Shop) -> None:
    shop.write(one=[])
    site = shop.site(UV_DEFAULT_PYTHON="3.12")
    assert uv.place(shop.spec("uv:one"), site).python == "3.12"
    plain = shop.site()
    from_file = Site(plain.host, plain.repo, {"UV_DEFAULT_PYTHON": "3.13"}, plain.environments)
    assert uv.place(shop.spec("uv:one"), from_file).python == "3.13"


def test_a_group_name_counts_however_it_is_written(shop: Shop) -> None:
    shop.wheel("alpha").write(Segment_ERnet=["alpha"])
    assert uv.check(shop.spec("uv:segment-ernet"), ["python"], shop.site()) == []
    assert shop.prepare("uv:SEGMENT_ernet") == ["sync"]
    assert shop.folder("uv:segment_ernet").name == "segment-ernet-py3.11"


def test_a_removed_environment_or_stamp_is_made_again(shop: Shop) -> None:
    shop.wheel("alpha").write(one=["alpha"])
    shop.prepare("uv:one")
    where = uv.place(shop.spec("uv:one"), shop.site())
    where.stamp.write_text("{ torn")
    assert shop.prepare("uv:one") == ["sync"]
    Path(where.folder / "bin" / "python").unlink()
    assert shop.prepare("uv:one") == ["sync"]
    assert shop.start("uv:one", "-c", TELL).startswith("1.0 ")


def test_a_sync_that_fails_half_way_does_not_count_as_done_when_the_old_files_come_back(shop: Shop) -> None:
    shop.wheel("alpha").write(one=["alpha"])
    shop.prepare("uv:one")
    old = {name: (shop.repo / name).read_bytes() for name in ("pyproject.toml", "uv.lock")}
    shop.wheel("alpha", "2.0").write()
    (shop.repo / "wheels" / "alpha-2.0-py3-none-any.whl").unlink()
    with pytest.raises(EnvironmentMissing):
        shop.prepare("uv:one")
    for name, content in old.items():
        (shop.repo / name).write_bytes(content)
    assert shop.prepare("uv:one") == ["sync"]


def test_a_package_in_a_folder_of_the_repository_is_built_again_when_its_build_file_changes(shop: Shop) -> None:
    shop.write(one=[], two=[])
    folder = shop.repo / "tools"
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "tools"\nversion = "1"\n', encoding="utf-8")
    shop.more = 'tools = { path = "tools" }\n'
    shop.write(one=["tools"])
    part = uv.condition(uv.place(shop.spec("uv:one"), shop.site()), shop.site()).stamp["files"]
    assert set(part) == {"pyproject.toml", "uv.lock", "tools/pyproject.toml", "tools/setup.py", "tools/setup.cfg"}


def test_the_callers_own_environment_does_not_reach_in(shop: Shop) -> None:
    shop.wheel("alpha").write(one=["alpha"])
    poison = {
        "VIRTUAL_ENV": "/other", "PYTHONPATH": "/other", "PYTHONHOME": "/other", "CONDA_PREFIX": "/other",
        "UV_NO_SYNC": "1", "UV_PROJECT": "/other", "UV_PYTHON": "3.9", "UV_NO_GROUP": "one",
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_WORKING_DIR": "/other",
    }  # fmt: skip
    assert shop.prepare("uv:one", shop.site(**poison)) == ["sync"]
    told = shop.start("uv:one", "-c", "import os; print({k for k in os.environ if 'other' in os.environ[k]})", **poison)
    assert told.strip() == "set()"


def test_a_segments_own_variables_reach_it_but_cannot_move_the_environment(shop: Shop) -> None:
    shop.write(one=[])
    env = {"PYTHONPATH": "/mine", "UV_PROJECT_ENVIRONMENT": "/elsewhere", "PYTHONUNBUFFERED": ""}
    command = uv.wrap(Request(shop.spec("uv:one"), ["x.py"], env, str(shop.repo), dry=True), shop.site())
    assert command.env["PYTHONPATH"] == "/mine"
    assert command.env["PYTHONUNBUFFERED"] == ""
    assert command.env["UV_PROJECT_ENVIRONMENT"] == str(shop.folder("uv:one"))


def test_a_program_of_the_environment_is_started_by_its_name(shop: Shop) -> None:
    shop.wheel("alpha", program="alpha-tool").write(one=["alpha"])
    shop.prepare("uv:one")
    flags = ResolvedFlags((("--interpreter", "python"),))
    assert uv.check(shop.spec("uv:one"), ["alpha-tool", flags], shop.site()) == []
    assert shop.start("uv:one", "alpha-tool", flags) == "alpha-tool 1.0\n"


def test_a_program_that_the_environment_lacks_is_never_taken_from_the_callers_path(shop: Shop) -> None:
    shop.write(one=[])
    shop.prepare("uv:one")
    (finding,) = uv.check(shop.spec("uv:one"), ["sleep", "0"], shop.site())
    assert "no program `sleep`" in finding.message
    assert finding.key == "commands"
    with pytest.raises(EnvironmentMissing, match="no program `sleep`"):
        shop.start("uv:one", "sleep", "0")


def test_an_environment_that_is_not_there_is_not_run_as_an_empty_one(shop: Shop) -> None:
    shop.write(one=[])
    with pytest.raises(EnvironmentMissing, match="not in"):
        shop.start("uv:one", "-c", "pass")


def test_what_is_written_wrongly_is_found_before_anything_runs(shop: Shop) -> None:
    shop.write(segment_ernet=[])
    site = shop.site()

    def message(text: str, *entries: str) -> str:
        (finding,) = uv.check(shop.spec(text), entries or ["python"], site)
        return f"{finding.message} | {finding.cure}"

    assert "names no dependency group" in message("uv:")
    assert "names no dependency group" in message("uv@:g")
    assert "no dependency group `segment-ernt` | Did you mean `uv:segment_ernet`?" in message("uv:segment_ernt")
    assert "It has: segment_ernet." in message("uv:zzz")
    (shop.repo / "uv.lock").unlink()
    assert "there is no uv.lock" in message("uv:segment_ernet")
    (shop.repo / "pyproject.toml").write_text("[project]\nname = \n", encoding="utf-8")
    assert "line 2" in message("uv:segment_ernet")
    (shop.repo / "pyproject.toml").write_bytes(b"# \xff\n")
    assert "not UTF-8" in message("uv:segment_ernet")
    (shop.repo / "pyproject.toml").unlink()
    assert "there is no pyproject.toml" in message("uv:segment_ernet")
    assert sorted(path.name for path in shop.repo.iterdir()) == []


def test_a_python_that_is_not_there_is_found_before_anything_runs_where_none_may_be_fetched(shop: Shop) -> None:
    shop.write(one=[])
    (finding,) = uv.check(shop.spec("uv@3.99:one"), ["python"], shop.site())
    assert "needs Python 3.99" in finding.message
    assert 'uv python install "3.99"' in finding.cure
    assert uv.check(shop.spec("uv@3.99:one"), ["python"], shop.site(UV_OFFLINE="", UV_PYTHON_DOWNLOADS="")) == []


TWO_HOSTS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.uv.shop import Shop
import os
shop = Shop(Path(sys.argv[1]), dict(os.environ))
print("ready", flush=True)
sys.stdin.readline()
print(shop.prepare("uv:one"), flush=True)
"""
ROOT = Path(__file__).resolve().parents[2]


def start_preparing(shop: Shop, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", TWO_HOSTS, str(shop.repo), str(ROOT)], env={**shop.environ, **environ}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def test_two_hosts_that_make_one_environment_at_once_do_not_break_it(shop: Shop, tmp_path: Path) -> None:
    """uv's own lock lies in TMPDIR, which is each host's own."""
    names = [f"package-{number}" for number in range(12)]
    for name in names:
        shop.wheel(name)
    shop.wheel("alpha").write(one=["alpha", *names])
    hosts = []
    for number in range(3):
        private = tmp_path / f"tmp {number}"
        private.mkdir()
        hosts.append(start_preparing(shop, TMPDIR=str(private), TMP=str(private), TEMP=str(private)))
    for host in hosts:
        assert host.stdout is not None
        host.stdout.readline()
    for host in hosts:
        assert host.stdin is not None
        host.stdin.write("\n")
        host.stdin.flush()
    answers = sorted(host.communicate(timeout=60)[0].strip() for host in hosts)
    assert [host.returncode for host in hosts] == [0, 0, 0]
    assert answers == ["['sync']", "[]", "[]"]
    assert len(uv.packages(shop.folder("uv:one"), shop.site())) == 13
    assert sorted(path.name for path in (shop.repo / ".venvs").iterdir() if path.suffix == ".lock") == []


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_killed_sync_is_completed_by_the_next_one(shop: Shop) -> None:
    for number in range(30):
        shop.wheel(f"package-{number}")
    shop.write(one=[f"package-{number}" for number in range(30)])
    process = start_preparing(shop)
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    library = shop.folder("uv:one") / "pyvenv.cfg"
    deadline = time.monotonic() + 30
    while not library.exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert shop.prepare("uv:one") == ["sync"]
    assert len(uv.packages(shop.folder("uv:one"), shop.site())) == 30


def test_the_lock_is_beside_the_environment_and_gone_afterwards(shop: Shop) -> None:
    shop.write(one=[])
    site = shop.site()
    preparation = uv.prepare(shop.spec("uv:one"), ["python"], site)
    assert preparation is not None
    assert preparation.lock == shop.repo / ".venvs" / "one-py3.11.lock"
    assert carry_out(preparation, site) == ["sync"]
    assert sorted(path.name for path in (shop.repo / ".venvs").iterdir()) == ["one-py3.11", "one-py3.11.json"]


def test_exit_codes_of_a_script_come_through(shop: Shop) -> None:
    shop.write(one=[])
    shop.prepare("uv:one")
    site = shop.site()
    command = uv.wrap(Request(shop.spec("uv:one"), ["-c", "raise SystemExit(77)"], {}, str(shop.repo)), site)
    assert run(command, site.host.environ)[0] == 77


OWN_OF_UV = ("UV", "UV_RUN_RECURSION_DEPTH", "SHLVL", "_")
SHOWS = f"""import json, os, sys
own = {OWN_OF_UV!r}
print(json.dumps([sys.executable, sys.prefix, {{k: v for k, v in os.environ.items() if k not in own}}]))"""


@pytest.mark.parametrize("own", [{}, {"PATH": "/opt/tools"}, {"VIRTUAL_ENV": "/gone", "PYTHONUNBUFFERED": "0"}])
def test_one_of_many_items_is_started_directly_with_what_uv_run_would_give_it(shop: Shop, own: dict[str, str]) -> None:
    shop.write(one=[])
    shop.prepare("uv:one")
    site = shop.site(CONDA_PREFIX="/opt/conda", UV_INDEX="https://index.invalid")
    seen = []
    for many in (False, True):
        request = Request(shop.spec("uv:one"), ["-c", SHOWS], own, str(shop.repo), many=many)
        command = uv.wrap(request, site)
        assert command.stop_leader_only is not (many or site.host.windows)
        code, output = run(command, site.host.environ)
        assert code == 0, output
        seen.append(json.loads(output))
    assert seen[0] == seen[1]
    assert "run" not in command.argv


@pytest.mark.skipif(sys.platform == "win32", reason="a link to the base Python is made on POSIX")
@pytest.mark.parametrize("content", [None, "", "version = 3.11\n"])
def test_what_is_left_of_an_environment_is_removed_before_uv_takes_the_base_python_for_it(
    shop: Shop, content: str | None
) -> None:
    """Without a good pyvenv.cfg, bin/python is the base Python, and uv would empty that one."""
    shop.write(one=[])
    where = uv.place(shop.spec("uv:one"), shop.site())
    folder = Path(where.folder)
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    if content is not None:
        (folder / "pyvenv.cfg").write_text(content, encoding="utf-8")
    where.stamp.write_text("{}", encoding="utf-8")
    preparation = uv.prepare(shop.spec("uv:one"), ["python"], shop.site())
    assert preparation is not None
    assert preparation.still_needed()
    with pytest.raises(EnvironmentMissing, match="in the way"):
        preparation.begin()
    assert folder.exists()
    where.stamp.write_bytes(whose(where))  # as the runner leaves it when it is killed while uv works
    preparation.begin()
    assert not folder.exists()
    with pytest.raises(EnvironmentMissing):
        uv.wrap(Request(shop.spec("uv:one"), ["python"], {}, str(shop.repo)), shop.site())


def test_a_folder_of_somebody_else_is_not_removed(shop: Shop) -> None:
    shop.write(one=[])
    folder = shop.folder("uv:one")
    folder.mkdir(parents=True)
    (folder / "results.csv").write_text("1", encoding="utf-8")
    with pytest.raises(EnvironmentMissing, match="in the way"):
        shop.prepare("uv:one")
    assert (folder / "results.csv").exists()


@pytest.mark.parametrize("whole", [True, False])
def test_a_virtual_environment_of_the_users_own_is_neither_emptied_nor_removed(shop: Shop, whole: bool) -> None:
    """In RUN_PIPELINE_ENVS, say: uv sync would take all packages out that the group does not name."""
    shop.wheel("alpha").wheel("beta").write(one=["alpha"])
    folder = shop.folder("uv:one")
    shop.uv("venv", "--quiet", "--python", sys.executable, str(folder))
    shop.uv("pip", "install", "--quiet", "--python", str(folder), str(next((shop.repo / "wheels").glob("beta*"))))
    if not whole:
        (folder / "pyvenv.cfg").unlink()
    before = tree(folder)
    with pytest.raises(EnvironmentMissing, match="in the way"):
        shop.prepare("uv:one")
    assert tree(folder) == before


def test_an_environment_of_ours_behind_a_link_is_brought_up_to_date(shop: Shop, tmp_path: Path) -> None:
    shop.wheel("alpha").write(one=["alpha"])
    shop.prepare("uv:one")
    where = uv.place(shop.spec("uv:one"), shop.site())
    Path(where.folder).rename(tmp_path / "scratch disk")
    Path(where.folder).symlink_to(tmp_path / "scratch disk", target_is_directory=True)
    where.stamp.unlink()
    assert shop.prepare("uv:one") == ["sync"]
    assert (tmp_path / "scratch disk" / "run-pipeline.json").exists()


def test_groups_that_disagree_live_side_by_side_and_a_new_conflict_changes_no_installed_file(shop: Shop) -> None:
    shop.wheel("alpha").write(one=["alpha"])
    shop.prepare("uv:one")
    before = tree(shop.folder("uv:one"))
    make_wheel(shop.repo / "wheels", "alpha", "2.0")
    first, second = ("wheels/alpha-1.0-py3-none-any.whl", "wheels/alpha-2.0-py3-none-any.whl")
    path = shop.repo / "pyproject.toml"
    text = path.read_text(encoding="utf-8")
    text = text.replace("one = ['alpha']", "one = ['alpha']\ntwo = ['alpha']")
    text = text.replace("package = false", 'package = false\nconflicts = [[{ group = "one" }, { group = "two" }]]')
    text = text.replace(
        f'alpha = {{ path = "{first}" }}',
        f'alpha = [{{ path = "{first}", group = "one" }}, {{ path = "{second}", group = "two" }}]',
    )
    path.write_text(text, encoding="utf-8")
    shop.uv("lock", "--quiet")
    shop.prepare("uv:one")
    assert tree(shop.folder("uv:one")) == before
    shop.prepare("uv:two")
    assert shop.start("uv:one", "-c", TELL).startswith("1.0 ")
    assert shop.start("uv:two", "-c", TELL).startswith("2.0 ")
