"""The default model on one image of 512 x 512 pixels, in onnxruntime on two threads; at most 0.2 s is asked for.

    uv run --only-group segment_er python benchmarks/er_default.py [TIMES]

Prints the median and the fastest, for the model alone, and with the stretch before and the specks' removal after it.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "standard_code" / "training"))
from predicting import classes, logits, session  # noqa: E402
from preparing import stretched  # noqa: E402
from synthetic_er import KINDS, generate  # noqa: E402


def seconds(work: Callable[[], object], times: int) -> list[float]:
    """How long each of the runs took."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return taken


def main() -> int:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    model = session(threads=2)
    image = generate(KINDS["sheets"], 512, 1).image
    prepared = stretched(image)
    for name, work in (
        ("model alone", lambda: logits(model, prepared)),
        ("with all steps", lambda: classes(model, image)),
    ):
        work()
        taken = seconds(work, times)
        print(f"{name}: median {statistics.median(taken):.3f} s, fastest {min(taken):.3f} s of {times}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
