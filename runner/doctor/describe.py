"""docs/doctor.md, written from the checks themselves: `python -m runner.doctor.describe`."""

from __future__ import annotations

from pathlib import Path

from runner.doctor.checks import CHECKS
from runner.doctor.examine import TOTAL
from runner.ground.words import time_text

PAGE = Path(__file__).resolve().parents[2] / "docs" / "doctor.md"
_HEAD = """\
# run-pipeline doctor

<!-- Written by `python -m runner.doctor.describe` from the checks in runner/doctor. -->

```
run-pipeline doctor                   this machine and this repository
run-pipeline doctor pipeline.yaml     what that pipeline needs
run-pipeline doctor --gpu             also compute on the GPU, with the PyTorch of each group that brings CUDA
run-pipeline doctor --json            one JSON object a line
```

Look at the page before a long run, or when something does not work. Each line is `ok`, `warning` (a run may still go
well) or `problem` (it will not), with what to do about it. The exit status is 1 when there is a problem, else 0; 2
when there is no such file or repository.

Nothing is changed: nothing is installed and nothing is written. Only `--gpu` prepares the environments that it tries,
as a run would. All checks run side by side; one whose program or network drive hangs is given up with a warning, so
that the page is there within 30 seconds. A check that has nothing to look at on a machine shows no line there.

With `--json` each line is `{"event": "line", "check": …, "state": …, "text": …, "cure": …}`, and the last one
`{"event": "summary", "ok": …, "warnings": …, "problems": …, "seconds": …}`.

## The checks

| check | why | at most |
|---|---|---|
"""


def page() -> str:
    """The whole text."""
    rows = (f"| {check.title} | {check.why} | {time_text(min(check.limit, TOTAL))} |" for check in CHECKS)
    return _HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
