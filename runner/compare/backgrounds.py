"""Which image may stand behind the outlines of a label image."""

from __future__ import annotations

from collections.abc import Iterable

from runner.compare.pairing import core, same_start
from runner.compare.results import Pair

MOST = 50  # candidates of one label image


class Backgrounds:
    """The images of a comparison, by their names without folder and without what says which result they are."""

    def __init__(self, every: Iterable[Pair]) -> None:
        self._found: dict[str, list[tuple[list[str], Pair]]] = {}
        for pair in every:
            if pair.kind == "image" and pair.a:
                parts = _parts(pair.name)
                self._found.setdefault(parts[-1], []).append((parts, pair))

    def of(self, pair: Pair) -> list[Pair]:
        """Images that bear its name, likeliest first: in folders of the same names, and equal on both sides.

        Which of them is as large is known when they are read. Labels within an OME-Zarr image belong to that image.
        """
        if pair.kind == "image":
            return []
        holder, within, _ = pair.name.partition("/labels/")
        own = _parts(holder if within and ".zarr" in holder.lower() else pair.name)
        found = [
            (-_shared_end(own, parts), not other.rung.good, other.index, other)
            for parts, other in self._found.get(own[-1], ())
            if other is not pair
        ]
        return [other for *_, other in sorted(found, key=lambda one: one[:3])[:MOST]]


def _parts(name: str) -> list[str]:
    return core(name).casefold().split("/")


def _shared_end(one: list[str], two: list[str]) -> int:
    """How many names, from the last one up, are the same in two paths."""
    return same_start(one[::-1], two[::-1])
