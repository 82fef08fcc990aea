import pytest

from runner.go.duration import from_go, to_go


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (19.968338, "19.968338s"),
        (83.456, "1m23.456s"),
        (0.5321, "532.1ms"),
        (0.000_25, "250µs"),
        (1, "1s"),
        (60, "1m0s"),
        (3723.5, "1h2m3.5s"),
        (90061, "25h1m1s"),
    ],
)
def test_a_duration_is_written_as_go_writes_it_and_read_back(seconds: float, text: str) -> None:
    assert to_go(seconds) == text
    assert from_go(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "12", "1m 3s", "3x", "1.2.3s"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert from_go(text) is None


def test_a_clock_that_went_backwards_gives_no_negative_duration() -> None:
    assert to_go(-5) == "0s"
