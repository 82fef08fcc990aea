"""Measures how far results lie apart, pair by pair, and draws small pictures. `run-pipeline compare` starts it."""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _program.alone
from _program.files import UserError
from _program.work import reason

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

PICTURES = 8_500_000  # bytes of all pictures of a report together
SIDES = ((12, 720), (60, 400), (200, 240), (500, 144))  # up to so many pairs, pictures of that many pixels
SMALLEST = 96
GROUP = "compare"  # whose environment has its packages
EXACT = 50_000  # bytes of a picture that is stored without loss


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    parser = _program.alone.parser(__doc__ or "")
    parser.add_argument("--jobs", required=True, metavar="FILE", help="JSON with `pairs` and `settings`")
    parser.add_argument("--results", required=True, metavar="FILE", help="where results go, one JSON object a line")
    parser.add_argument(
        "--pictures", metavar="FOLDER", help="draw the pairs into this folder instead of measuring them"
    )
    return parser


def work(args: argparse.Namespace) -> int:
    """Does what was asked for; a pair that fails is a result too."""
    told = json.loads(Path(args.jobs).read_text(encoding="utf-8"))
    pairs: list[dict[str, Any]] = told["pairs"]
    if args.dry_run:
        print(f"{len(pairs)} pairs would be {'drawn' if args.pictures else 'measured'}; nothing was written.")
        return 0
    todo = draw(pairs, Path(args.pictures)) if args.pictures else measure(pairs, told.get("settings") or {})
    with Path(args.results).open("w", encoding="utf-8") as results:
        for count, result in enumerate(_told(todo, len(pairs)), 1):
            results.write(json.dumps(_finite(result), allow_nan=False) + "\n")
            if count % 50 == 0:
                results.flush()
    return 0


def _told(results: Iterable[dict[str, Any]], total: int) -> Iterable[dict[str, Any]]:
    """A line about once a second, so that a long comparison is seen to go on."""
    last = time.monotonic()
    for count, result in enumerate(results, 1):
        yield result
        if time.monotonic() - last > 1 and count < total:
            last = time.monotonic()
            print(f"   {count} of {total} pairs", flush=True)


def _finite(value: Any) -> Any:
    """JSON knows no NaN and no infinity: None instead."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def measure(pairs: list[dict[str, Any]], settings: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """A result for each pair; images come first, for what they tell about the objects in tables."""
    maps: dict[int, Any] = {}
    wanted = {pair.get("labels") for pair in pairs} - {None}

    for pair in sorted(pairs, key=lambda one: one["type"] == "table"):
        result, found = _judge(pair, settings, maps)
        if found and pair["index"] in wanted:
            maps[pair["index"]] = found
        yield {"index": pair["index"], **result}


def _judge(pair: dict[str, Any], settings: dict[str, Any], maps: dict[int, Any]) -> tuple[dict[str, Any], Any]:
    from _compare.judge import UNREADABLE, judge_image, judge_table

    try:
        if pair["type"] == "table":
            return judge_table(pair, settings, maps.get(pair.get("labels", -1))), None
        return judge_image(pair, settings)
    except UserError as error:
        said = str(error)
    except MemoryError:
        said = "the pair needs more memory than there is"
    except Exception as error:  # the other pairs are to be measured all the same
        logging.debug("where it arose:", exc_info=True)
        said = f"{reason(error)}; this is a mistake of the measuring program, please report it"
    return {
        "rung": UNREADABLE, "kind": pair["type"], "said": f"not compared: {said}", "distance": None,
        "remarks": [], "measures": {},
    }, None  # fmt: skip


def draw(pairs: list[dict[str, Any]], folder: Path) -> Iterable[dict[str, Any]]:
    """The pictures of each pair in the order given, until they would make the report too large."""
    from _compare.pictures import panels

    folder.mkdir(parents=True, exist_ok=True)
    side = next((side for most, side in SIDES if len(pairs) <= most), SMALLEST)
    spent = 0
    for pair in pairs:
        if spent > PICTURES:
            return
        made = []
        try:
            for number, (picture, shows) in enumerate(panels(pair, side), 1):
                path = folder / f"{pair['index']:05d}-{number}.webp"
                _save(picture, path)
                spent += path.stat().st_size
                made.append({"file": path.name, "shows": shows, "size": picture.size})
        except Exception as error:  # a report without one picture is better than none
            yield {"index": pair["index"], "problem": reason(error)}
            continue
        yield {"index": pair["index"], "pictures": made}


def _save(picture: Picture, path: Path) -> None:
    """Thin lines keep their colour only without loss; where that takes much room, as with a large image, not."""
    picture.save(path, lossless=True, method=4)
    if path.stat().st_size > EXACT:
        picture.save(path, quality=80, method=4)


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    return _program.alone.run(arguments().parse_args(argv), work)


if __name__ == "__main__":
    sys.exit(main())
