"""Puts every pair on its rung: bytes and text here, the rest by the measuring program."""

from __future__ import annotations

from collections.abc import Sequence

from runner.compare import simple
from runner.compare.measuring import Measurer
from runner.compare.pairing import kind_of, same_link
from runner.compare.results import Pair, Rung


def climb(pairs: Sequence[Pair], measurer: Measurer) -> None:
    """Fill in the result of each pair. Raises EnvironmentMissing, StateError, Interrupted."""
    rest = []
    for pair in pairs:
        if measurer.stop.requested:
            raise simple.stopped()
        if pair.a is None or pair.b is None:
            pair.rung = Rung.MISSING if pair.b is None else Rung.EXTRA
            pair.kind = kind_of(pair)
            continue
        try:
            if same_link(pair.a, pair.b):
                pair.rung, pair.kind, pair.said = Rung.SAME, "bytes", "the same link"
            elif simple.same_bytes(pair.a, pair.b, measurer.stop):
                pair.rung, pair.kind, pair.said = Rung.SAME, kind_of(pair) or "bytes", "same bytes"
            elif kind_of(pair):
                rest.append(pair)
            else:
                simple.judge(pair, measurer.settings.table, measurer.stop)
        except OSError as error:
            pair.rung, pair.kind = Rung.UNREADABLE, kind_of(pair)
            pair.said = f"not compared: {error.filename or pair.name}: {error.strerror or error}"
    measurer.measure(rest)
