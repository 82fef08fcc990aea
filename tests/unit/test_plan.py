"""What runs and why; the recorded behaviour of the Go runner is in tests/acceptance/test_go_scenarios.py."""

from runner.model import Action, Segment, SegmentType
from runner.plan import Plan, Selection, find_segment, make_plan
from runner.state.status import Entry


def segments(*names: str) -> list[Segment]:
    """A, B, … are segments; pause, stop, force are control segments."""
    out = []
    for number, name in enumerate(names, 1):
        kind = SegmentType(name) if name in ("pause", "stop", "force") else SegmentType.NORMAL
        out.append(Segment(number, name, kind, f"hash-{name}"))
    return out


def done(*names: str) -> list[Entry]:
    return [Entry(name, f"hash-{name}", "2025-09-19", "0.0.18", "1m0s") for name in names]


def actions(plan: Plan) -> str:
    return " ".join(f"{step.segment.name}:{step.action.value}" for step in plan.steps)


def test_the_first_segment_that_is_not_done_starts_the_part_that_runs() -> None:
    plan = make_plan(segments("A", "B", "C"), done("A", "C"))
    assert actions(plan) == "A:skip B:run C:run"
    assert plan.steps[0].reason == "done on 2025-09-19 in 1 min"
    assert plan.steps[1].reason == "not done yet"
    assert plan.steps[2].reason == "follows segment 2, which runs"
    assert [e.name for e in plan.keep] == ["A"]


def test_a_changed_segment_says_since_when() -> None:
    old = [Entry("B", "hash-of-the-old-B", "2025-09-19", "0.0.18", "1m0s")]
    plan = make_plan(segments("A", "B"), [*done("A"), *old])
    assert plan.steps[1].reason == "changed since it was done on 2025-09-19"


def test_an_entry_without_a_date_did_not_finish() -> None:
    plan = make_plan(segments("A"), [Entry("A", "hash-A")])
    assert plan.steps[0].action is Action.RUN
    assert "no date" in plan.steps[0].reason


def test_a_missing_output_makes_a_finished_segment_run_again() -> None:
    plan = make_plan(segments("A", "B"), done("A", "B"), again={2: "its output is gone: out/*.tif matches no file"})
    assert actions(plan) == "A:skip B:run"
    assert plan.steps[1].reason == "its output is gone: out/*.tif matches no file"


def test_force_runs_everything_and_drops_every_entry() -> None:
    plan = make_plan(segments("A", "B"), done("A", "B"), Selection(force=True))
    assert actions(plan) == "A:run B:run"
    assert plan.keep == ()


def test_a_force_segment_starts_the_part_that_runs() -> None:
    plan = make_plan(segments("A", "force", "B"), done("A", "B"))
    assert actions(plan) == "A:skip force:force B:run"


def test_a_stop_ends_the_plan_wherever_it_stands() -> None:
    assert actions(make_plan(segments("A", "stop", "B"), [])) == "A:run stop:stop"
    plan = make_plan(segments("A", "stop", "B"), done("A", "B"))
    assert actions(plan) == "A:skip stop:stop"
    assert [e.name for e in plan.keep] == ["A", "B"]


def test_a_pause_holds_before_the_part_that_runs_and_not_among_finished_segments() -> None:
    assert actions(make_plan(segments("A", "pause", "B"), done("A"))) == "A:skip pause:pause B:run"
    assert actions(make_plan(segments("A", "pause", "B", "C"), done("A", "B"))) == "A:skip pause:skip B:skip C:run"
    assert actions(make_plan(segments("A", "pause", "B"), done("A", "B"))) == "A:skip pause:skip B:skip"


def test_from_passes_over_a_pause_and_keeps_what_is_before() -> None:
    plan = make_plan(segments("A", "pause", "B", "C"), done("A", "B", "C"), Selection(start=3))
    assert actions(plan) == "A:skip pause:skip B:run C:run"
    assert [e.name for e in plan.keep] == ["A"]
    assert plan.warnings == ()


def test_from_warns_of_what_it_leaves_out() -> None:
    plan = make_plan(segments("A", "B", "C"), done("A"), Selection(start=3))
    assert actions(plan) == "A:skip B:skip C:run"
    assert "not done: 2" in plan.warnings[0]


def test_only_runs_one_and_keeps_the_others_with_a_warning() -> None:
    plan = make_plan(segments("A", "B", "C"), done("A", "B", "C"), Selection(only=2))
    assert actions(plan) == "A:skip B:run C:skip"
    assert [e.name for e in plan.keep] == ["A", "C"]
    assert "segment 3" in plan.warnings[0]


def test_accept_marks_what_would_run() -> None:
    plan = make_plan(segments("A", "B"), done("A"), Selection(accept=True))
    assert actions(plan) == "A:skip B:accept"


def test_reordered_segments_stay_done_with_a_warning() -> None:
    plan = make_plan(segments("A", "C", "B"), done("A", "B", "C"))
    assert actions(plan) == "A:skip C:skip B:skip"
    assert "another order" in plan.warnings[0]


def test_a_segment_given_twice_is_kept_twice_as_go_did() -> None:
    plan = make_plan(segments("A", "A", "B"), done("A", "B"))
    assert [e.name for e in plan.keep] == ["A", "A", "B"]


def test_a_segment_is_found_by_number_name_or_name_in_another_case() -> None:
    found = segments("Convert", "Segment", "Segment", "3")
    assert find_segment(found, "1") is found[0]
    assert find_segment(found, "convert") is found[0]
    assert find_segment(found, "3") is found[3]  # a name wins over a number
    assert find_segment(found, "Segment") == [found[1], found[2]]
    assert find_segment(found, "9") == []
