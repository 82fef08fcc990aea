"""Sizes and times: as they are shown, and as people write them."""

import pytest

from runner.ground.words import share_of, size_of, size_text, time_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, ""),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (102_350, "100 KiB"),
        (1024**2 - 1, "1 MiB"),
        (340 << 20, "340 MiB"),
        (16376 << 20, "16 GiB"),
        (10**18, "888 PiB"),
        (10**24, "867362 EiB"),
    ],
)
def test_a_size_is_shown_in_few_digits(size: int | None, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (-3, "0 s"),
        (0.04, "0 s"),
        (0.44, "0.4 s"),
        (5, "5 s"),
        (9.96, "10 s"),
        (12.4, "12 s"),
        (59.7, "1 min"),
        (185, "3 min 5 s"),
        (3599.6, "1 h"),
        (3725, "1 h 2 min"),
        (7199, "2 h"),
        (7623, "2 h 7 min"),
        (180_000, "50 h"),
    ],
)
def test_a_time_is_shown_in_two_units_at_most(seconds: float | None, text: str) -> None:
    assert time_text(seconds) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("16 GB", 16 * 10**9),
        ("500MB", 500 * 10**6),
        ("2GiB", 2 << 30),
        ("2 gib", 2 << 30),
        ("1.5 G", 1_500_000_000),
        ("1.1 GB", 1_100_000_000),
        (".5 T", 500 * 10**9),
        ("4 Gi", 4 << 30),
        ("64k", 64_000),
        (" 123 ", 123),
        ("10 bytes", 10),
        ("1\u00a0GB", 10**9),
        ("0", 0),
    ],
)
def test_a_size_is_read_as_people_write_it(text: str, size: int) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("much", "is no size; write a size such as"),
        ("-1 GB", "less than nothing"),
        ("1,5 GB", "has a comma; write a decimal point"),
        ("1,000,000", "has a comma"),
        ("16 GBit", "GBit is no unit of size"),
        ("16 gigs", "gigs is no unit of size"),
        ("GB", "is no size"),
        ("1e9", "is no size"),
        ("inf", "is no size"),
        ("1 GB 2 MB", "is no size"),
        ("9" * 400, "more than any machine has"),
        ("9999999 TB", "more than any machine has"),
        ("50%", "is a share, of which nothing is known"),
        ("%", "is no share"),
    ],
)
def test_what_is_no_size_is_refused_in_plain_words(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        size_of(text)


def test_a_share_is_one_of_a_whole() -> None:
    assert size_of("50 %", whole=1001) == 500
    assert size_of("90%", whole=10**10) == 9 * 10**9
    assert share_of(" 2.5 % ") == 0.025
    for text, why in (("101%", "more than 100%"), ("ten %", "is no share"), ("-1%", "is no share"), ("5", "no share")):
        with pytest.raises(ValueError, match=why):
            share_of(text)
