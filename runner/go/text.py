"""Text of a value as Go's `%v` writes it: on the command line, in `env` and in the content hash."""

from __future__ import annotations

import math

from runner.model import Value


def go_text(value: Value) -> str:
    """`value` as Go's `%v` writes it."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, list):
        return "[" + " ".join(map(go_text, value)) + "]"
    return "map[" + " ".join(f"{go_text(k)}:{go_text(value[k])}" for k in sorted(value, key=_map_order)) + "]"


def _float_text(number: float) -> str:
    """strconv.FormatFloat(number, 'g', -1, 64): the shortest digits that give the number back."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    sign = "-" if math.copysign(1.0, number) < 0 else ""
    if number == 0:
        return sign + "0"
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))  # value = 0.digits * 10**point
    digits = digits.rstrip("0")
    if point - 1 < -4 or point - 1 >= 6:
        rest = "." + digits[1:] if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{rest}e{point - 1:+03d}"
    if point <= 0:
        return sign + "0." + "0" * -point + digits
    if len(digits) <= point:
        return sign + digits.ljust(point, "0")
    return sign + digits[:point] + "." + digits[point:]


def _map_order(key: Value) -> tuple[int, float | bytes]:
    """fmt sorts the keys of a map: nil first, then by type, then by value."""
    if key is None:
        return 0, 0
    if isinstance(key, bool | int | float):
        return (1 if isinstance(key, bool) else 2), key
    return 3, go_text(key).encode("utf-8", "surrogatepass")
