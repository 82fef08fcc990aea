"""What `migrate` is doing while uv works, and for how long: a line that counts on a terminal, else one line a step."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from runner.ground.words import time_text
from runner.migrate.reasons import UNTOUCHED
from runner.report.console import Console

_EVERY = 1.0  # seconds


@contextmanager
def progress(console: Console) -> Iterator[Callable[[str], None]]:
    """What it gives is called with each step, whose seconds are shown until the next one, or the end of the `with`."""
    step, since, changing, over = "", 0.0, threading.Lock(), threading.Event()

    def begin(text: str) -> None:
        nonlocal step, since
        with changing:
            step, since = text, time.monotonic()
        if console.terminal:
            show()
        else:
            console.line(f"  {text}")

    def show() -> None:
        with changing:
            if step:
                console.live(f"  {step}: {time_text(time.monotonic() - since)}")

    def count() -> None:
        while not over.wait(_EVERY):
            show()

    thread = threading.Thread(target=count, daemon=True)
    if console.terminal:
        thread.start()
    try:
        yield begin
    finally:
        over.set()
        if thread.is_alive():
            thread.join()
        console.clear_live()
        if isinstance(sys.exc_info()[1], KeyboardInterrupt):
            console.line(UNTOUCHED)
