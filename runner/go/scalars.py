"""Scalars as the Go runner read them: YAML 1.1 by the rules of yaml.v2."""

from __future__ import annotations

import math
import re

from runner.model import Value

_WORDS: dict[str, Value] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_WORD_STARTS = frozenset("yYnNtTfFoO~")

# [0-9] and not \d: other digits of Unicode are text. fullmatch and not $: a line end is text too.
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INT = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))"
)
_BASES = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}
_SIGN_AFTER_PREFIX = re.compile(r"0b([-+][01]+)")  # yaml.v2 takes `0b-1`
# strconv.ParseFloat on what begins with a point: underscores only between digits
_POINT_FLOAT = re.compile(r"\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+(_[0-9]+)*)?")

_INT_MIN, _INT_MAX, _UINT_MAX = -(2**63), 2**63 - 1, 2**64 - 1

TAG = "tag:yaml.org,2002:"
_TYPED_TAGS = {TAG + "bool": bool, TAG + "int": int, TAG + "float": float, TAG + "null": type(None)}
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?", re.DOTALL)


class BadTagError(ValueError):
    """An explicit tag such as `!!int` on text that it cannot hold."""


def plain_value(text: str) -> Value:
    """The value of a scalar without quotes and without a tag."""
    if not text:
        return None
    first = text[0]
    if first in _WORD_STARTS:
        return _WORDS.get(text, text)
    if first == ".":
        return _point_value(text)
    if first in "+-0123456789":
        return _number(text)
    return text


def _point_value(text: str) -> Value:
    if text in _WORDS:
        return _WORDS[text]
    if _POINT_FLOAT.fullmatch(text) and math.isfinite(number := float(text.replace("_", ""))):
        return number
    return text


def _number(text: str) -> Value:
    if text in _WORDS:
        return _WORDS[text]
    digits = text.replace("_", "")
    if (integer := _integer(digits)) is not None:
        return integer
    if _FLOAT.fullmatch(digits):
        number = float(digits)
        return number if math.isfinite(number) else text  # out of range is an error there, and so stays text
    if match := _SIGN_AFTER_PREFIX.fullmatch(digits):
        integer = int(match[1], 2)
        return integer if _INT_MIN <= integer <= _INT_MAX else text
    return text


def _integer(digits: str) -> int | None:
    """As strconv.ParseInt with base 0, and then ParseUint, which takes no sign."""
    match = _INT.fullmatch(digits)
    if not match or len(digits) > 4000:
        return None
    group = str(match.lastgroup)
    integer = int(match["sign"] + match[group], _BASES[group])
    limit = _INT_MAX if match["sign"] else _UINT_MAX
    return integer if _INT_MIN <= integer <= limit else None


def tagged_value(tag: str, text: str) -> Value:
    """The value of a scalar with an explicit tag; BadTagError when the text does not fit it."""
    if tag == TAG + "binary":
        return _binary(text)
    if tag == TAG + "timestamp":
        if not _TIMESTAMP.fullmatch(text):
            raise BadTagError(f"`{text}` is not a date, as its tag `!!timestamp` says")
        return text
    wanted = _TYPED_TAGS.get(tag)
    if wanted is None:
        return text
    value = plain_value(text)
    if wanted is float and type(value) is int and value <= _INT_MAX:
        return float(value)
    if type(value) is not wanted:
        raise BadTagError(f"`{text}` does not fit its tag `!!{tag.removeprefix(TAG)}`")
    return value


def _binary(text: str) -> str:
    import base64
    import binascii

    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError) as error:
        raise BadTagError(f"the `!!binary` value is not base64 ({error})") from None
