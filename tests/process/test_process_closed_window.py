"""A window that is closed ends the segment in it, perhaps before the runner hears of it: that is no failure."""

from __future__ import annotations

import threading
import time

import pytest

from runner.process.stop import StopRequest, closed_with_us


@pytest.mark.parametrize("code", [0xC000013A, 0xC000013A - 2**32, 0x40010004, 200, 143])
def test_a_segment_that_ended_with_its_window_was_stopped_and_did_not_fail(code: int) -> None:
    stop = StopRequest()
    told = threading.Timer(0.3, lambda: stop.kind("the window was closed"))
    told.start()
    assert closed_with_us(code, stop, "win32")
    told.join()


def test_without_a_stop_it_is_a_failure_after_a_second() -> None:
    began = time.monotonic()
    assert not closed_with_us(0xC000013A, StopRequest(), "win32")
    assert 0.9 < time.monotonic() - began < 5


@pytest.mark.parametrize(("code", "platform"), [(1, "win32"), (0, "win32"), (None, "win32"), (143, "linux")])
def test_other_codes_and_systems_are_not_waited_for(code: int | None, platform: str) -> None:
    stop = StopRequest()
    began = time.monotonic()
    assert not closed_with_us(code, stop, platform)
    assert time.monotonic() - began < 0.9
