"""`needs`: names become numbers; what cannot be waited for is told at the entry."""

from pathlib import Path

import pytest

from runner.errors import PipelineError
from runner.model import Need, Pipeline
from runner.pipeline.reader import parse_pipeline


def text_of(*segments: str) -> str:
    """Each as `NAME`, `NAME: value of needs`, `NAME*` with a `foreach`, or `pause`."""
    lines = ["run:"]
    for one in segments:
        name, _, needs = one.partition(": ")
        lines.append(f"- name: {name.strip('*')}")
        lines += ["  type: pause"] if name == "pause" else ["  environment: cmd", "  commands: [a, '%ITEM%']"]
        lines += ["  foreach: in/*"] if name.endswith("*") else []
        lines += [f"  needs: {needs}"] if needs else []
    return "\n".join(lines) + "\n"


def read(*segments: str) -> Pipeline:
    return parse_pipeline(text_of(*segments).encode(), Path("/lab/x.yaml"))


def said(*segments: str) -> list[tuple[str, str, str]]:
    """(what the caret stands at, message, cure)"""
    with pytest.raises(PipelineError) as caught:
        read(*segments)
    found = []
    for one in caught.value.diagnostics:
        assert one.mark is not None
        found.append((one.excerpt[one.mark.column - 1 :], one.message, one.cure))
    return found


def test_names_become_numbers_and_no_needs_stay_none() -> None:
    a, b, c, d = read("A", "B: []", "C: [A, B]", "D: A").segments
    assert (a.needs, b.needs, c.needs, d.needs) == (None, (), (Need(1), Need(2)), (Need(1),))


def test_a_need_may_point_forward_and_a_name_may_be_a_number() -> None:
    assert [s.needs for s in read("A: [B]", "B: []").segments] == [(Need(2),), ()]
    assert read("10", "B: [10]").segments[1].needs == (Need(1),)


def test_item_by_item_is_read() -> None:
    assert read("A*", "B*: [{items: A}]").segments[1].needs == (Need(1, items=True),)


@pytest.mark.parametrize(
    ("needs", "at", "phrase", "cure"),
    [
        ("[a]", "a]", "no segment `a`", "Did you mean A?"),
        ("[Zebra]", "Zebra]", "no segment `Zebra`", "The names are: A, B."),
        ("[1]", "1]", "no segment `1`", "segment 1, it is called `A`"),
        ("'A, B'", "'A, B'", "no segment `A, B`", "needs: [A, B]"),
        ("[B]", "B]", "the segments 2 and 3", "a name of its own"),
        ("[C]", "C]", "needs itself", "Delete this entry"),
        ("[A, A]", "A]", "named twice", "Delete one"),
        ("[A, ~]", "~]", "must be the name of a segment", "needs: []"),
        ("[A, [B]]", "[B]]", "this is a list", "needs: []"),
        ("[A, {items: [A]}]", "[A]}]", "this is a list", "needs: []"),
        ("[{item: A}]", "item: A}]", "`item` is no key", "Did you mean `items`?"),
        ("[{name: A}]", "name: A}]", "`name` is no key", "{items: NAME}"),
        ("~", "~", "`needs` is empty", "waits for nothing"),
    ],
)
def test_an_entry_that_names_nothing_to_wait_for_is_told(needs: str, at: str, phrase: str, cure: str) -> None:
    ((where, message, remedy),) = said("A", "B", "B", f"C: {needs}")
    assert where == at
    assert phrase in message
    assert cure in remedy


def test_where_there_is_but_one_segment_a_name_of_none_is_a_warning() -> None:
    pipeline = read("A: [x]")
    (warning,) = pipeline.warnings
    assert "no segment `x`, nor any other" in warning.message
    assert pipeline.segments[0].needs == ()


def test_a_circle_is_told_in_its_order_at_the_entry_that_points_forward() -> None:
    ((where, message, _),) = said("A: [C]", "B: [A]", "C: [B]")
    assert where == "C]"
    assert message == "`needs` goes in a circle: `A` needs `C`, `C` needs `B`, `B` needs `A`"


def test_a_circle_through_a_segment_without_needs_says_that_it_follows_the_one_before() -> None:
    ((_, message, cure),) = said("A: [C]", "B", "C")
    assert message == "`needs` goes in a circle: `A` needs `C`, `C` follows `B`, `B` follows `A`"
    assert "give `C` `needs` of its own" in cure


def test_two_circles_are_both_told() -> None:
    found = said("A: [B]", "B: [A]", "C: [D]", "D: [C]")
    assert [where for where, _, _ in found] == ["B]", "D]"]


def test_two_circles_through_one_segment_are_both_told() -> None:
    found = said("A: [B, C]", "B: [A]", "C: [A]")
    assert len(found) == 2


def test_a_need_backward_over_a_barrier_is_nothing_new_and_makes_no_circle() -> None:
    assert read("A", "pause", "B: [A]", "C").segments[2].needs == (Need(1),)


def test_a_need_forward_over_a_barrier_is_refused() -> None:
    ((where, message, _),) = said("A: [B]", "pause", "B: []")
    assert where == "B]"
    assert "behind segment 2, which waits for this one" in message


def test_a_barrier_needs_nothing_and_nobody_needs_it() -> None:
    found = said("A", "pause: [A]", "B: [pause]")
    assert [message for _, message, _ in found] == [
        "`needs` means nothing in a segment of this type",
        "`pause` is no segment that runs a command",
    ]


def test_item_by_item_wants_the_same_items_in_both() -> None:
    ((_, message, _),) = said("A", "B*: [{items: A}]")
    assert "`A` has neither `foreach` nor `matrix`" in message
    ((_, message, _),) = said("A*", "B: [{items: A}]")
    assert "this segment has neither" in message
    text = text_of("A*", "B*: [{items: A}]").replace("in/*", "out/*", 1)
    with pytest.raises(PipelineError, match="problem") as caught:
        parse_pipeline(text.encode(), Path("/lab/x.yaml"))
    assert "goes over other items" in caught.value.diagnostics[0].message


def test_a_segment_with_a_mistake_of_its_own_can_be_needed() -> None:
    text = text_of("A", "B: [A]").replace("environment: cmd", "environment: cmd\n  retries: x", 1)
    with pytest.raises(PipelineError) as caught:
        parse_pipeline(text.encode(), Path("/lab/x.yaml"))
    assert ["`retries`" in one.message for one in caught.value.diagnostics] == [True]


def test_a_long_chain_of_segments_is_no_matter() -> None:
    names = [f"s{n}" for n in range(2000)]
    assert len(read(*names[:-1], "s1999: [s0]").segments) == 2000
