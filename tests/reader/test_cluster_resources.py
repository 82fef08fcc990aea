"""`resources` that only a cluster goes by."""

from pathlib import Path

import pytest

from runner.errors import PipelineError
from runner.model import Resources
from runner.pipeline.reader import read_pipeline


def resources(tmp_path: Path, text: str) -> Resources:
    file = tmp_path / "p.yaml"
    file.write_text(f"run:\n  - name: a\n    environment: cmd\n    commands: [echo]\n    resources: {text}\n")
    return read_pipeline(file).segments[0].resources


def test_time_modules_queue_account_and_options_are_read(tmp_path: Path) -> None:
    text = "{time: 1h30m, modules: [gcc/12, cuda], queue: gpu, account: lab, scheduler-options: --exclusive}"
    assert resources(tmp_path, text) == Resources(
        time=5400, modules=("gcc/12", "cuda"), queue="gpu", account="lab", scheduler_options=("--exclusive",)
    )


def test_an_account_may_be_a_number(tmp_path: Path) -> None:
    assert resources(tmp_path, "{account: 4711}").account == "4711"


def test_what_only_a_cluster_goes_by_takes_nothing_of_this_machine(tmp_path: Path) -> None:
    assert not resources(tmp_path, "{time: 2h, queue: gpu}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{time: soon}", "`time` must be a time"),
        ("{time: 0}", "`time` must be a time"),
        ("{modules: [1]}", "modules"),
        ("{queue: -x}", "`queue` must be a name"),
        ("{partition: gpu}", "Did you mean `queue`"),
        ("{walltime: 2h}", "Did you mean `time`"),
    ],
)
def test_what_is_wrong_there_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PipelineError) as caught:
        resources(tmp_path, text)
    assert said in "\n".join(f"{one.message} {one.cure}" for one in caught.value.diagnostics)
