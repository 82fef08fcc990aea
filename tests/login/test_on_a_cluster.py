"""A command of the runner on a cluster: the pipeline's files go there, its results come back; nothing is played."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.environments import Site
from runner.errors import EnvironmentMissing, UsageError
from runner.login.line import NotLoggedIn
from runner.login.remote import run_there
from tests.login.conftest import REPO, Place

PIPELINE = """\
run:
- name: double
  environment: cmd
  foreach: "%YAML%/in/*.txt"
  inputs: ["%YAML%/in"]
  commands: [{python}, "%REPO%/scripts/double.py", "%ITEM%", "%YAML%/out/%STEM%.csv"]
  outputs: ["%YAML%/out/%STEM%.csv"]
"""
DOUBLE = """\
import pathlib, sys
source, target = map(pathlib.Path, sys.argv[1:])
target.parent.mkdir(exist_ok=True)
target.write_text(str(2 * int(source.read_text())))
print("doubled", source.name)
"""


class Lab:
    def __init__(self, place: Place, *, inside: bool) -> None:
        self.place = place
        self.data = place.repo / "experiments" / "day 1" if inside else place.root / "dåta" / "day 1"
        self.pipeline = self.data / "p.yaml"
        (place.repo / "scripts").mkdir()
        (place.repo / "scripts" / "double.py").write_text(DOUBLE)
        (place.repo / ".env").write_text("SECRET=hunter2hunter2\n")
        (self.data / "in").mkdir(parents=True)
        for number in range(3):
            (self.data / "in" / f"{number}.txt").write_text(str(number))
        (self.data / ".git").mkdir()
        (self.data / ".git" / "config").write_text("x")
        self.pipeline.write_text(PIPELINE.format(python=sys.executable))
        self.said: list[str] = []
        self.out = b""
        place.sshd.home.joinpath(".bashrc").write_text(f"export PYTHONPATH='{REPO}'\n")

    @property
    def site(self) -> Site:
        host = self.place.host()
        return Site(host, self.place.repo, {}, self.place.repo / ".venvs")

    def run(self, command: str, *options: str, up: bool = False) -> int:
        self.out = b""

        def heard(which: int, data: bytes) -> None:
            self.out += data

        cluster = self.place.cluster()
        return run_there(
            cluster, [command], self.pipeline, options, self.site, say=self.said.append, output=heard, up=up
        )

    @property
    def there(self) -> Path:
        """The folder of the pipeline on the cluster."""
        return next(self.place.folder.rglob("p.yaml")).parent


@pytest.fixture
def lab(logged_in: Place) -> Callable[[bool], Lab]:
    return lambda inside: Lab(logged_in, inside=inside)


@pytest.mark.parametrize("inside", [True, False])
def test_inputs_go_up_the_command_runs_there_and_results_come_back(lab: Callable[[bool], Lab], inside: bool) -> None:
    here = lab(inside)
    assert here.run("run", up=True) == 0, here.out.decode()
    assert b"double" in here.out
    assert [(here.data / "out" / f"{n}.csv").read_text() for n in range(3)] == ["0", "2", "4"]
    there = {p.relative_to(here.place.folder).as_posix() for p in here.place.folder.rglob("*") if p.is_file()}
    assert not [one for one in there if ".git/" in one or one.endswith(".env")]
    assert "scripts/double.py" in there
    own = here.data / ".run-pipeline" / "p.yaml" / "on-hpc"
    assert list(own.glob("0*/01-double/receipts-*.jsonl"))
    assert list(own.glob("0*/01-double/log-*.txt"))
    assert (own / "p_status.yaml").is_file()
    assert not (here.data / "p_status.yaml").exists()  # what is done on the cluster is not done here
    assert "files went up" in here.said[0]
    assert "files came back" in here.said[-1]


def test_the_second_time_only_what_changed_goes_and_comes(lab: Callable[[bool], Lab]) -> None:
    here = lab(False)
    here.run("run", up=True)
    here.said.clear()
    (here.data / "in" / "1.txt").write_text("11")
    assert here.run("run", up=True) == 0
    assert "1 files went up" in here.said[0]
    assert "1 files came back" in here.said[-1]
    assert (here.data / "out" / "1.csv").read_text() == "22"


def test_outputs_that_were_made_here_do_not_go_up(lab: Callable[[bool], Lab]) -> None:
    here = lab(False)
    (here.data / "out").mkdir()
    (here.data / "out" / "1.csv").write_text("made here")
    here.run("run", up=True)
    assert (here.there / "out" / "1.csv").read_text() == "2"
    assert (here.data / "out" / "1.csv").read_text() == "made here"
    assert (here.data / "out" / "1 (hpc).csv").read_text() == "2"
    assert any("1.csv differs from the cluster's" in one for one in here.said)


def test_the_exit_code_is_that_of_the_command_there(lab: Callable[[bool], Lab]) -> None:
    here = lab(True)
    (here.data / "in" / "1.txt").write_text("no number")
    assert here.run("run", up=True) == 1
    assert (here.data / "out" / "2.csv").read_text() == "4"
    assert here.run("status") == 0
    assert b"double" in here.out


def test_a_declared_input_elsewhere_is_refused_before_anything_goes(lab: Callable[[bool], Lab]) -> None:
    here = lab(False)
    elsewhere = here.place.root / "elsewhere"
    text = here.pipeline.read_text().replace('inputs: ["%YAML%/in"]', f"inputs: ['{elsewhere}']")
    here.pipeline.write_text(text)
    with pytest.raises(UsageError, match=r"segment 1 reads .*elsewhere, which does not go to the cluster"):
        here.run("run", up=True)
    assert not list(here.place.folder.iterdir())


def test_an_argument_that_stays_behind_is_said(lab: Callable[[bool], Lab]) -> None:
    here = lab(False)
    model = here.place.root / "model.pt"
    model.write_text("weights")
    here.pipeline.write_text(here.pipeline.read_text().replace('"%ITEM%"', f'--model, "{model}", "%ITEM%"', 1))
    here.run("run", up=True)
    assert any("model.pt, which stays on this computer" in one for one in here.said)


def test_a_cluster_without_the_runner_says_what_to_do(lab: Callable[[bool], Lab]) -> None:
    here = lab(False)
    here.place.site()
    text = (
        (here.place.repo / "run-pipeline.toml")
        .read_text()
        .replace(f"'{sys.executable}', '-m'", "'python3', '-I', '-m'")
    )
    (here.place.repo / "run-pipeline.toml").write_text(text)
    with pytest.raises(EnvironmentMissing, match="there is no runner in") as failed:
        here.run("status")
    assert "git clone" in failed.value.cure


def test_without_a_login_status_says_what_is_known_and_since_when(lab: Callable[[bool], Lab]) -> None:
    here = lab(False)
    (here.data / "in" / "1.txt").write_text("no number")
    here.run("run", up=True)
    here.place.run("login", "hpc", "--close")
    here.said.clear()
    with pytest.raises(NotLoggedIn, match=r"nothing is known of hpc since .*closed.*; jobs there go on"):
        here.run("status")
    assert "known until then of the run of" in here.said[0]
    assert here.said[1] == "  01-double: failed (1 failed, 2 succeeded)"


def test_hidden_files_and_a_whole_home_folder_do_not_go_up(lab: Callable[[bool], Lab]) -> None:
    here = lab(False)
    for name in (".ssh/id", ".secret", "image.zarr/.zattrs"):
        (here.data / name).parent.mkdir(exist_ok=True)
        (here.data / name).write_text("x")
    here.run("run", up=True)
    there = {path.relative_to(here.there).as_posix() for path in here.there.rglob("*") if path.is_file()}
    assert "image.zarr/.zattrs" in there
    assert not there & {".ssh/id", ".secret"}
    home = here.place.root / "home"
    here.pipeline = here.pipeline.rename(home / "p.yaml")
    with pytest.raises(UsageError, match="all of which would go to the cluster"):
        here.run("run", up=True)


def test_an_output_without_a_receipt_is_whole_only_where_nothing_runs(tmp_path: Path) -> None:
    import json

    from runner.login.settled import Settled
    from runner.records.lines import ItemReceipt, ItemState, line_of

    run = tmp_path / "000001-2026-01-01-000000"
    (run / "01-cells").mkdir(parents=True)
    (run / "03").mkdir()
    receipt = ItemReceipt("a", ItemState.SUCCEEDED, outputs=(("/lab/out/a.csv", 4),))
    (run / "01-cells" / "receipts-abc-0.jsonl").write_bytes(line_of(receipt))
    for state, whole in (("submitted", False), ("running", False), ("done", True)):
        (run / "run.json").write_text(json.dumps({"state": state, "schema": 1}))
        known = Settled(tmp_path)
        assert known.is_whole(1, "/lab/out/a.csv", 4)
        assert known.is_whole(1, "/lab/out/a.csv", 3) == whole  # it was shorter when it was listed
        assert known.is_whole(1, "/lab/out/b.csv", 4) == whole
        assert known.is_whole(2, "/lab/out/c.csv", 4)  # of a segment that has not begun
        assert known.is_whole(3, "/lab/out/d.csv", 4) == whole
    assert Settled(tmp_path / "none").is_whole(1, "x", 1)
