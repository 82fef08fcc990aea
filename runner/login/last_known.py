"""What is known here of a pipeline on a cluster while no login is open: from what came back until then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from runner.ground.files import state_error
from runner.records.layout import FOLDER, hide, latest_run
from runner.records.lines import read_lines
from runner.records.receipt import NAME, read_receipt


def own_folder(pipeline: Path, cluster: str) -> Path:
    """Where receipts and logs of the cluster come to; as a folder of records, it can be read like ours."""
    return pipeline.parent / FOLDER / pipeline.name / f"on-{cluster}"


def make_own(folder: Path) -> None:
    """Raises StateError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise state_error("write", folder, error) from error
    hide(folder.parent.parent)


def last_known(pipeline: Path, cluster: str) -> Iterator[str]:
    """A line for each segment of its last run there. Raises StateError."""
    run = latest_run(own_folder(pipeline, cluster))
    if run is None:
        return
    yield f"known until then of the run of {run.started[:16].replace('T', ' ')}:"
    for folder in sorted(path for path in run.folder.iterdir() if path.is_dir() and path.name[:2].isdigit()):
        yield f"  {folder.name}: {_of_segment(folder)}"


def _of_segment(folder: Path) -> str:
    receipt = read_receipt(folder / NAME)
    states: dict[str, str] = {}
    for path in sorted(folder.glob("receipts-*.jsonl")):
        states.update((one.key, one.state.value) for one in read_lines(path))
    counts = ", ".join(f"{count:,} {state}" for state, count in sorted(Counter(states.values()).items()))
    if receipt is None:
        return counts or "not ended"
    return f"{receipt.state}{f' ({counts})' if counts else ''}"
