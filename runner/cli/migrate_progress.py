"""What `migrate` is doing while uv works, and for how long: a line that counts on a terminal, else one line a step."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from runner.ground.words import time_text
from runner.migrate.reasons import UNTOUCHED
from runner.report.console import Console

_EVERY = 1.0  # seconds


class Progress:
    """Call it with each step; it shows the seconds of the step until the next one, or the end of the `with`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._step, self._since = "", 0.0
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._count, daemon=True)

    def __call__(self, step: str) -> None:
        with self._changed:
            self._step, self._since = step, time.monotonic()
            if self._console.terminal:
                self._show()
            else:
                self._console.line(f"  {step}")

    def __enter__(self) -> Progress:
        if self._console.terminal:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._over = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()
        self._console.clear_live()
        if kind is KeyboardInterrupt:
            self._console.line(UNTOUCHED)

    def _count(self) -> None:
        with self._changed:
            while not self._over:
                if self._step:
                    self._show()
                self._changed.wait(_EVERY)

    def _show(self) -> None:
        self._console.live(f"  {self._step}: {time_text(time.monotonic() - self._since)}")
