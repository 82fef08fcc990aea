"""What is asked of the machine: once an invocation, also where several threads need the answer."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

import pytest

from runner.environments.site import Once, Site
from runner.host import Host, this_host


def site(host: Host | None = None) -> Site:
    own = PurePosixPath("/repo")
    return Site(host or this_host(interactive=False), own, {}, own)


def test_a_question_is_asked_once_though_eight_threads_need_its_answer() -> None:
    asked: list[str] = []
    together = threading.Barrier(8)

    @Once
    def length(site: Site, word: str) -> int:
        asked.append(word)
        threading.Event().wait(0.05)
        return len(word)

    def need(number: int) -> int:
        together.wait()
        return length(here, "ab" if number % 2 else "abc")

    here = site()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(need, range(8))) == [3, 2] * 4
    assert sorted(asked) == ["ab", "abc"]
    assert length(site(), "ab") == 2, "another invocation asks for itself"
    assert len(asked) == 3


def test_two_questions_do_not_wait_for_each_other() -> None:
    first, second = threading.Event(), threading.Event()

    @Once
    def slow(site: Site) -> bool:
        first.set()
        return second.wait(30)

    @Once
    def quick(site: Site) -> bool:
        second.set()
        return True

    here = site()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(slow, here)
        assert first.wait(30)
        assert quick(here)
        assert answer.result(30)


def test_what_failed_is_asked_again_and_what_a_person_says_counts() -> None:
    tries: list[int] = []

    @Once
    def place(site: Site) -> str:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("the share is away")
        return "found"

    here = site()
    assert place.known(here) is None
    with pytest.raises(OSError, match="away"):
        place(here)
    assert place(here) == place(here) == "found"
    assert len(tries) == 2
    place.tell(here, "told")
    assert place(here) == place.known(here) == "told"


def test_a_note_is_shown_once() -> None:
    notes = site().notes
    with ThreadPoolExecutor(8) as pool:
        for _ in range(100):
            pool.submit(notes.add, "conda is slow here")
    assert list(notes) == notes.take() == ["conda is slow here"]
    notes.add("conda is slow here")
    notes.add("another")
    assert notes.take() == ["another"]
    assert notes.take() == []
