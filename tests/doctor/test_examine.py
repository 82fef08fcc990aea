"""All checks side by side: nothing hangs, nothing is hidden, and the order stays."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from runner.doctor import Check, Context, Line, State, ok
from runner.doctor.checks import CHECKS
from runner.doctor.examine import TOTAL, examine
from runner.errors import EnvironmentMissing
from runner.ground.words import time_text
from runner.process.identity import is_alive
from tests.doctor.machine import Machine, only


def test_a_check_that_hangs_is_given_up_and_the_others_are_shown(machine: Machine) -> None:
    release = threading.Event()

    def hangs(context: Context) -> list[Line]:
        release.wait(30)
        return []

    checks = [Check("share", "", hangs, limit=0.5), Check("quick", "", lambda context: [ok("fine")])]
    began = time.monotonic()
    share, quick = examine(checks, machine.context())
    release.set()
    assert time.monotonic() - began < 3
    assert only(share.lines).state is State.WARNING
    assert only(share.lines).text == "did not answer within 0.5 s"
    assert only(quick.lines).text == "fine"


def test_no_check_gets_more_time_than_all_together(machine: Machine) -> None:
    release = threading.Event()
    checks = [Check("slow", "", lambda context: [ok(str(release.wait(30)))], limit=60.0)]
    (slow,) = examine(checks, machine.context(), total=0.4)
    release.set()
    assert only(slow.lines).text == "did not answer within 0.4 s"


def test_a_program_that_hangs_is_ended_and_asked_only_once(machine: Machine) -> None:
    code = "import os, sys, time; print(os.getpid(), file=open(sys.argv[1], 'a'), flush=True); time.sleep(60)"
    note = machine.home / "asked"
    argv = [sys.executable, "-c", code, str(note)]

    def asks(context: Context) -> list[Line]:
        return [ok(context.site.host.capture(argv).error) for _ in range(3)]

    began = time.monotonic()
    results = examine([Check("a", "", asks), Check("b", "", asks)], machine.context(), longest=1.0)
    assert time.monotonic() - began < 8
    assert all("did not answer" in line.text for result in results for line in result.lines)
    (pid,) = note.read_text(encoding="utf-8").split()
    assert not is_alive(int(pid), None)


def test_what_two_checks_ask_is_asked_once(machine: Machine) -> None:
    note = machine.home / "asked"
    argv = [sys.executable, "-c", "import sys; open(sys.argv[1], 'a').write('x'); print('hello')", str(note)]

    def asks(context: Context) -> list[Line]:
        return [ok(context.site.host.capture(argv).stdout.decode().strip())]

    results = examine([Check(name, "", asks) for name in "abc"], machine.context())
    assert [only(result.lines).text for result in results] == ["hello"] * 3
    assert note.read_text(encoding="utf-8") == "x"


def test_a_check_that_breaks_says_so_and_an_error_of_ours_becomes_a_problem(machine: Machine) -> None:
    def breaks(context: Context) -> list[Line]:
        raise ZeroDivisionError("by nothing")

    def refuses(context: Context) -> list[Line]:
        raise EnvironmentMissing("it is gone", "Put it back.")

    broken, refused = examine([Check("a", "", breaks), Check("b", "", refuses)], machine.context())
    assert only(broken.lines).state is State.WARNING
    assert "ZeroDivisionError: by nothing" in only(broken.lines).text
    assert only(refused.lines) == Line(State.PROBLEM, "it is gone", "Put it back.")


def test_each_check_has_a_title_of_its_own_a_reason_and_a_limit() -> None:
    titles = [one.title for one in CHECKS]
    assert len(set(titles)) == len(titles)
    assert all(one.why.endswith(".") and one.limit < 30 for one in CHECKS)


def test_the_page_in_docs_lists_the_checks() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")
    rows = [f"| {one.title} | {one.why} | {time_text(min(one.limit, TOTAL))} |" for one in CHECKS]
    assert page.partition("|---|---|---|\n")[2].splitlines() == rows
