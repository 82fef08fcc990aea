"""How items are cut into chunks, and what time is asked for."""

import pytest

from runner.cluster.chunks import Known, Part, alone, cut, parts
from runner.cluster.jobs import Chunk, Limits
from runner.items.item import Item
from runner.site_file import ExecutorSettings

SLURM = ExecutorSettings("slurm", "slurm")  # half an hour a chunk, twice the time


def some(count: int, labels: int = 1) -> list[Item]:
    found = [Item(f"{n:05d}.tif", f"/data/{n:05d}.tif") for n in range(count)]
    for number, item in enumerate(found):
        item.label = f"sigma-{number % labels}" if labels > 1 else ""
    return found


def sizes(chunks: tuple[Chunk, ...]) -> list[int]:
    return [len(chunk.places) for chunk in chunks]


def test_chunks_take_about_the_target_time_and_are_even() -> None:
    chunking = cut(some(500), Known(6.0, "run 12"), SLURM)
    assert sizes(chunking.chunks) == [250, 250]
    assert chunking.seconds == 50 * 60
    assert chunking.reason == "500 items in 2 chunks, up to 50 min each: 250 x 6 s (measured: run 12) x 2"


def test_every_item_is_in_one_chunk_and_chunks_are_numbered_from_0() -> None:
    for count in (0, 1, 2, 99, 100, 101, 1000):
        for known in (Known(), Known(0.0), Known(0.01), Known(7.0), Known(1e9), Known(most=100.0)):
            for batch in (1, 3, 64):
                chunks = cut(some(count, labels=3), known, SLURM, batch=batch).chunks
                assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
                assert sorted(place for chunk in chunks for place in chunk.places) == list(range(count))
                assert all(chunk.places for chunk in chunks)


def test_an_item_that_takes_longer_than_the_target_is_a_chunk_of_its_own() -> None:
    chunking = cut(some(3), Known(4000.0, "run 1"), SLURM)
    assert sizes(chunking.chunks) == [1, 1, 1]
    assert chunking.seconds == 8040  # whole minutes


def test_a_batch_is_of_one_combination_and_in_one_chunk() -> None:
    items = some(40, labels=2)
    chunks = cut(items, Known(600.0, "run 1"), SLURM, batch=3).chunks
    assert all(len(chunk.places) <= 3 for chunk in chunks)
    assert all(len({items[place].label for place in chunk.places}) == 1 for chunk in chunks)


def test_the_time_of_a_segment_is_a_limit_of_one_item_and_has_no_margin() -> None:
    chunking = cut(some(10), Known(most=600.0), SLURM)
    assert sizes(chunking.chunks) == [2, 3, 2, 3]
    assert chunking.seconds == 1800
    assert "3 x 10 min (`resources.time`)" in chunking.reason
    measured = cut(some(10), Known(1.0, "the canary", most=3600.0), SLURM)
    assert measured.seconds == 3600
    assert "less than the `time` of one item" in measured.reason


def test_a_short_chunk_is_asked_for_no_less_than_five_minutes_and_that_is_said() -> None:
    chunking = cut(some(10), Known(0.1, "run 3"), SLURM)
    assert chunking.seconds == 300
    assert chunking.reason.endswith("10 x 0.1 s (measured: run 3) x 2, and no less than 5 min")


def test_where_nothing_is_known_the_time_is_the_executors_or_none_and_that_is_said() -> None:
    chunking = cut(some(1000), Known(), SLURM)
    assert (len(chunking.chunks), chunking.seconds) == (100, 0.0)
    assert "no time limit asked for" in chunking.reason
    chunking = cut(some(5), Known(), ExecutorSettings("short", "slurm", time=90.0))
    assert (len(chunking.chunks), chunking.seconds) == (5, 120.0)
    assert "`time` of the executor short" in chunking.reason
    assert alone(Known(), SLURM).seconds == 0.0
    assert alone(Known(most=60.0), SLURM).seconds == 60.0


def test_several_items_at_once_make_chunks_larger_and_not_longer() -> None:
    chunking = cut(some(600), Known(60.0, "run 1"), SLURM, at_once=4)
    assert sizes(chunking.chunks) == [120] * 5
    assert chunking.seconds == 3600
    assert "120 side by side, 30 in a row x 1 min" in chunking.reason


def test_a_segment_behind_another_can_take_over_its_cut() -> None:
    first = cut(some(100), Known(60.0, "run 1"), SLURM)
    second = cut(some(100), Known(600.0, "run 1"), SLURM, like=first.chunks)
    assert second.chunks == first.chunks
    assert second.seconds == 25 * 600 * 2


def test_by_hand_each_computer_has_every_nth_item_or_batch() -> None:
    from runner.cluster.by_hand import settings_for

    chunking = cut(some(7), Known(9.0, "run 1"), settings_for(3))
    assert [chunk.places for chunk in chunking.chunks] == [(0, 3, 6), (1, 4), (2, 5)]
    assert (chunking.seconds, chunking.reason) == (0.0, "7 items in 3 parts")
    assert len(cut(some(2), Known(), settings_for(4)).chunks) == 2
    items = some(12, labels=2)
    batches = cut(items, Known(), settings_for(2), batch=3).chunks
    assert all(sizes(batches)[n] == 6 for n in (0, 1))


@pytest.mark.parametrize(
    ("numbers", "limits", "wanted"),
    [
        (range(3), Limits(), [Part(0, (0, 1, 2))]),
        (range(5), Limits(array_size=2), [Part(0, (0, 1)), Part(2, (0, 1)), Part(4, (0,))]),
        ([1, 4], Limits(array_size=3), [Part(0, (1,)), Part(3, (1,))]),
        (range(5), Limits(array_size=1001, jobs=2), [Part(0, (0, 1)), Part(0, (2, 3)), Part(0, (4,))]),
        ([], Limits(array_size=3), []),
    ],
)
def test_indices_stay_below_the_limit_of_an_array(numbers: range, limits: Limits, wanted: list[Part]) -> None:
    assert parts(numbers, SLURM, limits) == wanted


def test_where_the_scheduler_does_not_tell_the_site_file_does() -> None:
    assert len(parts(range(10), ExecutorSettings("a", "pbs", most_jobs=4), Limits())) == 3
