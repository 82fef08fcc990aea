"""What must have ended before what."""

import time
from dataclasses import replace

import pytest

from runner.graph import Graph, canary_segments, make_graph
from runner.model import Foreach, Many, Need, Segment, SegmentType

OVER_TIF = Many(Foreach(pattern="*.tif"))


def segment(number: int, *needs: int | Need, many: Many | None = None, plain: bool = False) -> Segment:
    """`plain`: without `needs`; else with those that are given, and may be none."""
    resolved = None if plain else tuple(n if isinstance(n, Need) else Need(n) for n in needs)
    return Segment(number, f"s{number}", SegmentType.NORMAL, f"h{number}", needs=resolved, many=many)


def written(number: int, many: Many | None = None) -> Segment:
    return segment(number, plain=True, many=many)


def control(number: int, kind: SegmentType = SegmentType.PAUSE) -> Segment:
    return Segment(number, "", kind, f"h{number}")


def test_without_needs_the_order_is_as_written() -> None:
    assert make_graph([written(1), written(2), written(3)]).before == {1: (), 2: (1,), 3: (2,)}


def test_a_diamond_waits_for_what_it_names_only() -> None:
    graph = make_graph([written(1), segment(2, 1), segment(3, 1), segment(4, 2, 3)])
    assert graph.before == {1: (), 2: (1,), 3: (1,), 4: (2, 3)}
    assert graph.ready({1}) == [2, 3]
    assert graph.downstream(1) == {2, 3, 4}
    assert graph.downstream(2) == {4}


def test_a_segment_without_needs_among_others_waits_for_the_one_before_it() -> None:
    assert make_graph([written(1), segment(2), written(3)]).before == {1: (), 2: (), 3: (2,)}


def test_empty_needs_wait_for_nothing_but_the_barrier() -> None:
    assert make_graph([written(1), control(2), segment(3), segment(4)]).before == {1: (), 2: (1,), 3: (2,), 4: (2,)}


@pytest.mark.parametrize("kind", [SegmentType.PAUSE, SegmentType.STOP, SegmentType.FORCE])
def test_a_barrier_waits_for_all_before_it_and_all_behind_it_wait_for_it(kind: SegmentType) -> None:
    graph = make_graph([written(1), segment(2), segment(3), control(4, kind), segment(5, 1), control(6, kind)])
    assert graph.before == {1: (), 2: (), 3: (), 4: (1, 2, 3), 5: (4, 1), 6: (4, 5)}
    assert graph.downstream(2) == {4, 5, 6}


def test_two_barriers_in_a_row_stand_in_their_order() -> None:
    assert make_graph([control(1), control(2), written(3)]).before == {1: (), 2: (1,), 3: (2,)}


def test_a_need_may_name_a_later_segment() -> None:
    assert make_graph([segment(1, 2), segment(2)]).before == {1: (2,), 2: ()}


def test_equal_items_go_item_by_item_by_themselves() -> None:
    graph = make_graph([written(1, OVER_TIF), written(2, OVER_TIF), segment(3, 1, many=OVER_TIF)])
    assert graph.items == {(2, 1), (3, 1)}
    assert graph.streams == frozenset()


def test_other_items_do_not_unless_they_are_said_to() -> None:
    other = Many(Foreach(pattern="out/*.tif"))
    assert make_graph([written(1, OVER_TIF), written(2, other), written(3)]).items == frozenset()
    said = make_graph([written(1, OVER_TIF), segment(2, Need(1, items=True), many=other)])
    assert said.items == said.streams == {(2, 1)}


def test_another_matrix_makes_other_items() -> None:
    doubled = Many(Foreach(pattern="*.tif"), matrix=(("sigma", ("1", "2")),))
    assert make_graph([written(1, OVER_TIF), written(2, doubled)]).items == frozenset()


def test_where_the_command_runs_is_nothing_to_the_items() -> None:
    elsewhere = replace(written(2, OVER_TIF), cwd="%YAML%/raw")
    assert make_graph([written(1, OVER_TIF), elsewhere]).items == {(2, 1)}


def test_a_barrier_is_no_forerunner_of_items() -> None:
    assert make_graph([written(1, OVER_TIF), control(2), written(3, OVER_TIF)]).items == frozenset()


def test_10000_segments_are_cheap_also_between_barriers_and_in_one_chain() -> None:
    chain = [written(n) if n % 100 else control(n) for n in range(1, 10_001)]
    wide = [segment(n) if n < 10_000 else control(n) for n in range(1, 10_001)]
    began = time.process_time()
    for segments in (chain, wide):
        graph = make_graph(segments)
        graph.downstream(1)
        assert sum(map(len, graph.before.values())) < 30_000
    assert time.process_time() - began < 2


def test_a_canary_goes_up_to_the_first_segment_that_sees_all_items() -> None:
    segments = [written(1), written(2, OVER_TIF), written(3, OVER_TIF), written(4), written(5, OVER_TIF)]
    graph = make_graph(segments)
    assert canary_segments(segments, graph) == (1, 2, 3)
    assert graph.among((1, 2, 3)) == make_graph(segments[:3])
    plain = [written(1), written(2)]
    assert canary_segments(plain, make_graph(plain)) == ()
    early = [segment(1, 3, many=OVER_TIF), segment(2, many=OVER_TIF), segment(3)]
    assert canary_segments(early, make_graph(early)) == (2,)


def test_a_graph_of_nothing_is_empty() -> None:
    assert make_graph([]) == Graph({})
