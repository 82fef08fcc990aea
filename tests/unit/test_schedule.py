"""What starts next: everything once, in its order, never more than the machine has, and nobody is forgotten."""

import time
from collections import Counter
from collections.abc import Callable, Collection

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.budget import Budget
from runner.graph import Graph, make_graph
from runner.machine import Machine
from runner.model import Foreach, Many, Need, Resources, Segment, SegmentType
from runner.schedule import ALONE, Ending, Schedule, Start

MANY = Many(Foreach(pattern="*"))
EIGHT = Machine(8, 1000, ("0", "1"))


def judge_by_failures(schedule: Schedule, failed: Collection[int]) -> None:
    for number in schedule.finished():
        schedule.close(number, Ending.PARTLY if number in failed else Ending.DONE)


def chain(*many: bool) -> Graph:
    return make_graph(
        [
            Segment(n, f"s{n}", SegmentType.NORMAL, "", many=MANY if of_many else None)
            for n, of_many in enumerate(many, 1)
        ]
    )


def graph(before: dict[int, tuple[int, ...]], items: tuple[tuple[int, int], ...] = (), stream: bool = True) -> Graph:
    return Graph(before, frozenset(items), frozenset(items) if stream else frozenset())


def begin(schedule: Schedule, keys: dict[int, list[str]], resources: dict[int, Resources] | None = None) -> None:
    for number in schedule.open():
        schedule.add(number, keys.get(number), (resources or {}).get(number, Resources()))


def names(starts: list[Start]) -> list[tuple[int, str]]:
    return [(start.segment, ",".join(start.keys)) for start in starts]


def test_segments_as_written_run_one_at_a_time() -> None:
    schedule = Schedule(chain(False, False), Budget(EIGHT))
    begin(schedule, {})
    first = schedule.next()
    assert names(first) == [(1, ALONE)]
    assert (schedule.open(), schedule.next()) == ([], [])
    schedule.ended(first[0])
    assert schedule.finished() == [1]
    schedule.close(1, Ending.DONE)
    begin(schedule, {})
    assert names(schedule.next()) == [(2, ALONE)]


def test_a_diamond_runs_side_by_side() -> None:
    schedule = Schedule(graph({1: (), 2: (1,), 3: (1,), 4: (2, 3)}), Budget(EIGHT))
    schedule.close(1, Ending.DONE)
    begin(schedule, {})
    both = schedule.next()
    assert names(both) == [(2, ALONE), (3, ALONE)]
    schedule.ended(both[1])
    judge_by_failures(schedule, ())
    assert schedule.open() == []
    schedule.ended(both[0])
    judge_by_failures(schedule, ())
    assert schedule.open() == [4]


def test_an_item_that_streams_starts_when_its_own_forerunner_ended() -> None:
    schedule = Schedule(graph({1: (), 2: (1,)}, ((2, 1),)), Budget(Machine(3, 0)))
    begin(schedule, {1: ["a", "b", "c", "d"]})
    assert schedule.open() == [2]
    schedule.add(2, ["a", "b", "c", "d", "done before"])
    first = schedule.next()
    assert names(first) == [(1, "a"), (1, "b"), (1, "c")]
    schedule.ended(first[1])
    second = schedule.next()  # segments take turns
    assert names(second) == [(2, "done before")]
    schedule.ended(first[0], {"a"})
    schedule.ended(second[0])
    assert names(schedule.next()) == [(1, "d"), (2, "b")]
    assert schedule.left_out() == [(2, "a", 1)]


def test_items_go_on_without_those_that_failed_and_a_table_of_all_does_not() -> None:
    schedule = Schedule(chain(True, True, False), Budget(EIGHT))
    keys = {1: ["a", "b", "c"], 2: ["a", "b", "c"]}
    begin(schedule, keys)
    for start in schedule.next():
        schedule.ended(start, {"b"} & set(start.keys))
    judge_by_failures(schedule, {1})
    begin(schedule, keys)
    second = schedule.next()
    assert names(second) == [(2, "a"), (2, "c")]
    assert schedule.left_out() == [(2, "b", 1)]
    for start in second:
        schedule.ended(start)
    assert schedule.finished() == [2]
    schedule.close(2, Ending.PARTLY)
    assert (schedule.blocked(), schedule.over) == ([(3, 2)], True)


def test_a_failed_segment_names_itself_to_all_that_wait_for_it_and_others_go_on() -> None:
    schedule = Schedule(graph({1: (), 2: (1,), 3: (2,), 4: ()}), Budget(EIGHT))
    schedule.close(1, Ending.FAILED)
    assert schedule.blocked() == [(2, 1), (3, 1)]
    assert schedule.open() == [4]


def test_a_chain_of_items_left_out_may_be_long() -> None:
    length = 3000
    line = graph({n: (n - 1,) if n > 1 else () for n in range(1, length)}, tuple((n, n - 1) for n in range(2, length)))
    schedule = Schedule(line, Budget(EIGHT))
    while opened := schedule.open():
        for number in opened:
            schedule.add(number, ["a"])
    schedule.ended(schedule.next()[0], {"a"})
    assert len(schedule.left_out()) == length - 2
    assert len(schedule.finished()) == length - 1


def test_a_batch_is_given_to_one_start_and_the_last_may_be_small() -> None:
    schedule = Schedule(graph({1: ()}), Budget(EIGHT))
    schedule.add(schedule.open()[0], map(str, range(7)), batch=3)
    assert names(schedule.next()) == [(1, "0,1,2"), (1, "3,4,5"), (1, "6")]


def test_a_batch_that_can_get_no_fuller_starts_as_it_is() -> None:
    schedule = Schedule(graph({1: (), 2: (1,)}, ((2, 1),)), Budget(EIGHT))
    begin(schedule, {1: ["a", "b"]})
    schedule.add(schedule.open()[0], ["a", "b"], batch=3)
    first = schedule.next()
    schedule.ended(first[0])
    assert schedule.next() == []
    schedule.ended(first[1], {"b"})
    assert names(schedule.next()) == [(2, "a")]


def test_a_segment_without_items_left_is_finished_at_once() -> None:
    schedule = Schedule(graph({1: ()}), Budget(EIGHT))
    schedule.add(1, [])
    assert (schedule.next(), schedule.finished(), schedule.finished()) == ([], [1], [])


def test_an_item_that_needs_more_memory_runs_again_before_the_others() -> None:
    schedule = Schedule(graph({1: ()}), Budget(Machine(1, 1000)))
    schedule.add(1, ["a", "b"], Resources(memory=100))
    [start] = schedule.next()
    schedule.again(start, Resources(memory=200))
    [again] = schedule.next()
    assert (again.keys, again.lease.memory) == (("a",), 200)


def run(
    schedule: Schedule, keys: dict[int, list[str]], resources: dict[int, Resources], most: int = 1000
) -> list[Start]:
    """To the end; of what runs, the first started ends first."""
    order: list[Start] = []
    running: list[Start] = []
    while not schedule.over:
        begin(schedule, keys, resources)
        new = schedule.next()
        order += new
        running += new
        if running:
            schedule.ended(running.pop(0))
        judge_by_failures(schedule, ())
        most -= 1
        assert most, "it hangs"
    return order


def test_a_big_one_gets_its_turn_among_many_small_ones() -> None:
    schedule = Schedule(graph({1: (), 2: ()}), Budget(EIGHT))
    keys = {1: [str(n) for n in range(200)], 2: ["x", "y"]}
    order = run(schedule, keys, {2: Resources(cpus=8)})
    places = [place for place, start in enumerate(order) if start.segment == 2]
    assert places == [8, 17], places


def test_what_waits_for_a_gpu_does_not_hold_up_what_wants_cores() -> None:
    schedule = Schedule(graph({1: (), 2: ()}), Budget(EIGHT))
    keys = {1: list("abcdef"), 2: list("uvwxyz")}
    begin(schedule, keys, {1: Resources(gpus=1)})
    assert Counter(start.segment for start in schedule.next()) == {1: 2, 2: 6}


def test_equal_segments_share_the_machine() -> None:
    schedule = Schedule(graph({1: (), 2: ()}), Budget(Machine(2, 0)))
    order = run(schedule, {1: list("abcdef"), 2: list("uvwxyz")}, {})
    assert {start.segment for start in order[:4]} == {1, 2}


def test_what_can_never_start_is_told_and_does_not_hang() -> None:
    schedule = Schedule(graph({1: (), 2: ()}), Budget(EIGHT, free_disk=lambda: 10))
    begin(schedule, {1: ["a"], 2: ["b"]}, {1: Resources(disk=11)})
    [start] = schedule.next()
    assert (start.segment, schedule.stuck()) == (2, [])
    schedule.ended(start)
    [(number, reason)] = schedule.stuck()
    assert number == 1 and "free where outputs go" in reason


@pytest.mark.parametrize("stream", [True, False])
def test_an_item_costs_the_same_among_1000_and_among_100000(stream: bool) -> None:
    def seconds(count: int) -> float:
        keys = [str(n) for n in range(count)]
        budget = Budget(EIGHT)
        schedule = Schedule(graph({1: (), 2: (1,)}, ((2, 1),), stream), budget)
        failed = frozenset(keys[::10])
        began = time.process_time()
        running: list[Start] = []
        while not schedule.over:
            begin(schedule, {1: keys, 2: keys})
            running += schedule.next()
            if running:
                start = running.pop()
                schedule.ended(start, failed & set(start.keys) if start.segment == 1 else ())
            judge_by_failures(schedule, {1})
        assert len(schedule.left_out()) == len(failed)
        return time.process_time() - began

    small = min(seconds(2000) for _ in range(3)) / 2000
    assert seconds(40_000) / 40_000 < 3 * small


WANTED = st.builds(Resources, cpus=st.integers(0, 10), memory=st.integers(0, 500), gpus=st.integers(0, 2))
SEGMENT = st.tuples(
    st.one_of(st.none(), st.sets(st.integers(1, 6), max_size=3)),  # needs, as far as they are earlier
    st.sampled_from(["one", "many", "many", "stream", "pause"]),
    WANTED,
    st.integers(1, 3),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(SEGMENT, min_size=1, max_size=7),
    st.integers(0, 6),
    st.sets(st.tuples(st.integers(1, 7), st.integers(0, 5))),
    st.one_of(st.none(), st.integers(1, 4)),
    st.randoms(use_true_random=False),
)
def test_whatever_the_pipeline_all_runs_once_in_its_order(
    drawn: list[tuple[set[int] | None, str, Resources, int]],
    count: int,
    bad: set[tuple[int, int]],
    jobs: int | None,
    random: object,
) -> None:
    choose: Callable[[int], int] = random.randrange  # type: ignore[attr-defined]
    segments: list[Segment] = []
    for number, (needs, kind, _, _) in enumerate(drawn, 1):
        many_before = {s.number for s in segments if s.many}
        resolved = (
            None
            if needs is None
            else tuple(Need(n, items=kind == "stream" and n in many_before) for n in sorted(needs) if n < number)
        )
        type_ = SegmentType.PAUSE if kind == "pause" else SegmentType.NORMAL
        many = MANY if kind in ("many", "stream") else None
        segments.append(Segment(number, "", type_, "", needs=None if kind == "pause" else resolved, many=many))
    order = make_graph(segments)
    schedule = Schedule(order, Budget(EIGHT, jobs))
    keys = [str(n) for n in range(count)]
    failed = {(number, str(key)) for number, key in bad}
    done: set[tuple[int, str]] = set()
    running: list[Start] = []
    started: Counter[tuple[int, str]] = Counter()
    closed: dict[int, Ending] = {}
    left: set[tuple[int, str]] = set()
    blocked: set[int] = set()
    for _ in range(2000):
        if schedule.over:
            break
        for number in schedule.open():
            segment = segments[number - 1]
            if segment.is_control:
                assert all(closed.get(e) is Ending.DONE for e in order.before[number])
                closed[number] = Ending.DONE
                schedule.close(number, Ending.DONE)
            else:
                _, _, wanted, batch = drawn[number - 1]
                schedule.add(number, iter(keys) if segment.many else None, wanted, batch if segment.many else 1)
        for start in schedule.next():
            running.append(start)
            started.update((start.segment, key) for key in start.keys)
            for earlier in order.before[start.segment]:
                pair = (start.segment, earlier)
                if pair in order.items:
                    assert all((earlier, key) in done for key in start.keys)
                if pair not in order.streams:
                    assert closed[earlier] is Ending.DONE or pair in order.items
        assert sum(start.lease.memory for start in running) <= 900
        assert sum(start.lease.counted for start in running) <= 8
        assert len({name for start in running for name in start.lease.gpus}) == sum(
            len(start.lease.gpus) for start in running
        )
        assert jobs is None or len(running) <= jobs
        if running:
            start = running.pop(choose(len(running)))
            spoilt = {key for key in start.keys if (start.segment, key or "0") in failed}
            done |= {(start.segment, key) for key in start.keys if key not in spoilt}
            schedule.ended(start, spoilt)
        left |= {(number, key) for number, key, _ in schedule.left_out()}
        for number in schedule.finished():
            all_keys = keys if segments[number - 1].many else [ALONE]
            ok = all((number, key) in done for key in all_keys)
            closed[number] = Ending.DONE if ok else Ending.PARTLY
            schedule.close(number, closed[number])
        blocked |= {number for number, _ in schedule.blocked()}
        assert schedule.stuck() == []
    assert schedule.over, "it hangs"
    assert set(started.values()) <= {1}
    for segment in segments:
        if segment.number in blocked or segment.is_control:
            continue
        for key in keys if segment.many else [ALONE]:
            assert started[segment.number, key] + ((segment.number, key) in left) == 1
