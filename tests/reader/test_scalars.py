"""Scalars as yaml.v2 read them, and the text that Go's `%v` made of them."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.go.scalars import TAG, BadTagError, plain_value, tagged_value
from runner.go.text import go_text
from runner.model import Value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("Null", None), ("NULL", None), ("nULL", "nULL"),
        ("y", True), ("N", False), ("yes", True), ("On", True), ("oFF", "oFF"), ("TRUE", True), ("tRUE", "tRUE"),
        ("0", 0), ("-0", 0), ("+12", 12), ("1_000", 1000), ("1__0_", 10), ("_1", "_1"), ("-_1", -1),
        ("017", 15), ("0o17", 15), ("0O17", 15), ("08", 8.0), ("09.5", 9.5), ("0x1F", 31), ("-0X1f", -31),
        ("0b101", 5), ("-0b101", -5), ("0b-1", -1), ("0b2", "0b2"), ("0x", "0x"), ("0b", "0b"), ("0o", "0o"),
        ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)), ("18446744073709551615", 2**64 - 1),
        ("+18446744073709551615", 18446744073709551615.0), ("18446744073709551616", 18446744073709551616.0),
        ("0xFFFFFFFFFFFFFFFFF", "0xFFFFFFFFFFFFFFFFF"),
        ("1e3", 1000.0), ("1.", 1.0), ("1E-2", 0.01), ("1e", "1e"), ("1e400", "1e400"), (".5", 0.5), ("-.5", -0.5),
        (".5e1", 5.0), (".", "."), ("..", ".."), (".e1", ".e1"), (".1_0", 0.1), ("._1", "._1"), (".5_", ".5_"),
        (".inf", math.inf), ("-.INF", -math.inf), ("+.Inf", math.inf), ("inf", "inf"), ("nan", "nan"),
        ("1:30", "1:30"), ("2025-09-19", "2025-09-19"), ("1.2.3", "1.2.3"), ("+", "+"), ("-", "-"), ("--1", "--1"),
        ("1 2", "1 2"), ("1\n2", "1\n2"), ("１２", "１２"), ("1\n", "1\n"), ("<<", "<<"), ("0x1p4", "0x1p4"),
    ],
)  # fmt: skip
def test_a_plain_scalar_has_the_type_that_go_gave_it(text: str, value: Value) -> None:
    found = plain_value(text)
    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_one() -> None:
    found = plain_value(".NaN")
    assert isinstance(found, float)
    assert math.isnan(found)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "<nil>"), (True, "true"), (False, "false"), (12, "12"), (2**64 - 1, "18446744073709551615"),
        (1.0, "1"), (100000.0, "100000"), (999999.0, "999999"), (1000000.0, "1e+06"), (1234567.5, "1.2345675e+06"),
        (123456789.0, "1.23456789e+08"), (1000.5, "1000.5"), (0.0001, "0.0001"), (0.00001, "1e-05"),
        (0.000123, "0.000123"), (1.5e-7, "1.5e-07"), (1e21, "1e+21"), (1e100, "1e+100"), (5e-324, "5e-324"),
        (-2.5, "-2.5"), (-0.0, "-0"), (0.1 + 0.2, "0.30000000000000004"), (math.inf, "+Inf"), (-math.inf, "-Inf"),
        (math.nan, "NaN"), ("", ""), (" a ", " a "), ([], "[]"), ([0, "a b", None, [1.0]], "[0 a b <nil> [1]]"),
        ({}, "map[]"), ({"b": 1, "a": None}, "map[a:<nil> b:1]"), ({10: "x", 9: "y"}, "map[9:y 10:x]"),
    ],
)  # fmt: skip
def test_a_value_has_the_text_that_go_printed(value: Value, text: str) -> None:
    assert go_text(value) == text


@settings(max_examples=300)
@given(st.floats(allow_nan=False))
def test_the_text_of_a_float_gives_the_float_back(number: float) -> None:
    assert float(go_text(number).replace("Inf", "inf")) == number


@settings(max_examples=300)
@given(st.text(alphabet="0123456789+-._eExXoObBaAfF:nlyYtT \n", max_size=12) | st.text(max_size=12))
def test_any_text_is_some_scalar(text: str) -> None:
    value = plain_value(text)
    assert isinstance(go_text(value), str)
    if isinstance(value, int) and not isinstance(value, bool):
        assert -(2**63) <= value < 2**64


def test_an_explicit_tag_counts() -> None:
    assert tagged_value(TAG + "str", "012") == "012"
    assert tagged_value(TAG + "int", "012") == 10
    assert tagged_value(TAG + "float", "1") == 1.0
    assert tagged_value(TAG + "bool", "yes") is True
    assert tagged_value(TAG + "binary", "aGFsbG8=") == "hallo"
    assert tagged_value("!mine", "12") == "12"


@pytest.mark.parametrize(("tag", "text"), [("int", "x"), ("bool", "1"), ("null", "x"), ("binary", "?"), ("float", "a")])
def test_a_tag_that_does_not_fit_is_an_error(tag: str, text: str) -> None:
    with pytest.raises(BadTagError, match=tag):
        tagged_value(TAG + tag, text)
