"""One pair of files: measured, put on the ladder, and told in a sentence."""

from __future__ import annotations

import fnmatch
import math
from pathlib import Path, PurePosixPath
from typing import Any

import _compare.images
import _compare.labels
import _compare.table_files
import _compare.tables
from _compare.reading import open_image
from _compare.sources import Source
from _compare.values import ROW_NAME, Tolerances

SAME, CANONICAL, WITHIN, DIFFERENT = "same bytes", "same content", "within tolerance", "different"
UNREADABLE = "unreadable"
FLOAT_SHARE = 1e-5  # of the range: how far values with a fraction may lie apart when no limit is given
OBJECTS = {"pq": 0.99, "iou": 0.9}  # when no limit is given
MASK = {"dice": 0.999}
HIGHER = ("psnr", "ssim", "dice", "cl_dice", "pq", "mean_iou", "iou")  # is better; of the others, less

Settings = dict[str, Any]
Checks = list[dict[str, Any]]
Maps = dict[tuple[int, ...], dict[int, int]]


def judge_image(job: dict[str, Any], settings: Settings) -> tuple[dict[str, Any], Maps]:
    """The result of two images, and how B's objects are numbered in A."""
    import numpy as np

    quiet = np.errstate(all="ignore")  # what is no number is counted and told
    with quiet, open_image(Path(job["a"]), "A") as one, open_image(Path(job["b"]), "B") as two:
        if _named_labels(job, settings):
            one, two = one.numbers or one, two.numbers or two
        wrong, remarks = _compare.images.about(one, two)
        if one.shape != two.shape:
            return _result(DIFFERENT, "image", "; ".join(wrong), math.inf, remarks), {}
        if differing := _compare.images.other_images(one, two):
            wrong.append(f"what else it holds differs: {', '.join(differing[:5])}")
        if _compare.images.same_values(one, two):
            return _equal(one, two, wrong, remarks), {}
        result, maps = _measured(job, settings, one, two)
        result["remarks"] += remarks
        if wrong:
            result["rung"], result["distance"] = DIFFERENT, math.inf
            result["said"] += "; " + "; ".join(wrong)
        return result, maps


def _equal(one: Source, two: Source, wrong: list[str], remarks: list[str]) -> dict[str, Any]:
    """All pixels are the same."""
    if wrong:
        return _result(DIFFERENT, "image", "the pixels are the same, but " + "; ".join(wrong), math.inf, remarks)
    if one.dtype != two.dtype:
        told = next(r for r in remarks if r.startswith("number type"))
        return _result(WITHIN, "image", f"same values, {told}", 0.0, [r for r in remarks if r != told])
    return _result(CANONICAL, "image", "same values; the files are written differently", 0.0, remarks)


def _measured(job: dict[str, Any], settings: Settings, one: Source, two: Source) -> tuple[dict[str, Any], Maps]:
    remarks = []
    if _as_labels(job, one, two, settings):
        try:
            measures, maps = _compare.labels.measure(one, two)
            return _objects(measures, settings, one, two) | {"measures": measures}, maps
        except _compare.labels.NotLabels as reason:
            remarks = [f"objects were not matched: {reason}"]
    measures = _compare.images.measure(one, two)
    result = _values(measures, settings, one, two)
    result["remarks"] += remarks
    return result | {"measures": measures}, {}


def _result(rung: str, kind: str, said: str, distance: float, remarks: list[str]) -> dict[str, Any]:
    """`distance` is 0 for the same and grows; it is what the noise floor is compared with.

    Infinite: what differs cannot be measured by degrees, and no noise excuses it.
    """
    return {
        "rung": rung, "kind": kind, "said": said, "distance": distance, "remarks": list(remarks),
        "measures": {},
    }  # fmt: skip


def _named_labels(job: dict[str, Any], settings: Settings) -> bool:
    """Whether the numbers behind a palette count. Not by the values: those of a drawing look like those of labels."""
    chosen = _chosen(job, settings)
    return _compare.labels.is_named(PurePosixPath(job["name"])) if chosen is None else chosen


def _chosen(job: dict[str, Any], settings: Settings) -> bool | None:
    """Whether the settings say that they are labels, or images."""
    name = PurePosixPath(job["name"])
    for kind, answer in (("labels", True), ("images", False)):
        if any(
            fnmatch.fnmatch(job["name"], p) or fnmatch.fnmatch(name.name, p) for p in settings.get(f"{kind}_files", ())
        ):
            return answer
    return None


def _as_labels(job: dict[str, Any], one: Source, two: Source, settings: Settings) -> bool:
    if (chosen := _chosen(job, settings)) is not None:
        return chosen
    name = PurePosixPath(job["name"])
    if Path(job["a"]).is_dir() and "/labels/" in job["name"].lower():  # OME-Zarr keeps nothing else there
        return all(image.dtype.kind in "uib" and image.samples == 1 for image in (one, two))
    return all(_compare.labels.is_label_image(name, image) for image in (one, two))


def _values(measures: dict[str, Any], settings: Settings, one: Source, two: Source) -> dict[str, Any]:
    """Two images of measured values."""
    low, high = measures["range"]
    floats = "f" in (one.dtype.kind, two.dtype.kind) or "c" in (one.dtype.kind, two.dtype.kind)
    usual = {"max": FLOAT_SHARE * (high - low) if floats and high > low else 0.0}
    good, remarks, measures["checks"] = _fulfils(measures, settings.get("image") or {}, usual)
    good = good and measures["not_finite"] == 0
    said = f"{_share(measures)}, by at most {measures['max']:.6g} (99.9 % by at most {measures['p99.9']:.4g}); "
    said += (
        f"RMSE is {measures['rmse_over_range']:.3g} of the range" if high > low else f"RMSE is {measures['rmse']:.3g}"
    )
    if measures["ssim"] is not None:
        said += f", SSIM {measures['ssim']:.5f}"
    if count := measures["not_finite"]:
        said += f"; {count:,} pixel{'s are' if count > 1 else ' is'} a number in one image alone"
    if not good and (moved := _shift(one, two, measures["worst_plane"], lambda values: values)):
        measures["shift"] = list(moved)
        said = f"shifted by {_moved(moved)}; {said}"
    distance = math.inf if measures["not_finite"] else measures["rmse_over_range"]
    return _result(WITHIN if good else DIFFERENT, "image", said, distance, remarks)


def _share(measures: dict[str, Any]) -> str:
    """How many pixels differ; a share too small to be seen as one is told as a number."""
    if measures["changed"] >= 1e-4:
        return f"{measures['changed']:.2%} of the pixels differ"
    count = measures["pixels_changed"]
    return f"{count:,} of {measures['pixels']:,} pixels differ{'s' * (count == 1)}"


def _fulfils(
    measures: dict[str, Any], limits: dict[str, float], usual: dict[str, float]
) -> tuple[bool, list[str], Checks]:
    """Whether all limits are kept, remarks, and what was checked.

    The usual limits count where none is given that these images have a value for. Otherwise a limit of the
    centreline would let every mask pass that has none.
    """
    lost = [name for name in limits if measures.get(name) is None]
    used = {name: limit for name, limit in limits.items() if name not in lost} or usual
    good = all(measures[n] >= limit if n in HIGHER else measures[n] <= limit for n, limit in used.items())
    checks = [{"measure": n, "value": measures[n], "limit": limit} for n, limit in used.items()]
    if not lost:
        return good, [], checks
    decides = "" if len(lost) < len(limits) else "; the usual limits decide"
    return good, [f"there is no {' and no '.join(lost).replace('_', ' ')} of these images{decides}"], checks


def _shift(one: Source, two: Source, plane: int, prepared: Any) -> tuple[int, int] | None:
    top = max(0, (one.height - 2 * _compare.images.SHIFT_SIDE) // 2)
    end = min(one.height, top + 2 * _compare.images.SHIFT_SIDE)
    return _compare.images.shift(prepared(one.read(plane, top, end)), prepared(two.read(plane, top, end)))


def _moved(shift: tuple[int, int]) -> str:
    words = (("down", "up"), ("right", "left"))
    parts = [f"{abs(n)} px {w[0] if n > 0 else w[1]}" for n, w in zip(shift, words, strict=True) if n]
    return " and ".join(parts)


def _objects(measures: dict[str, Any], settings: Settings, one: Source, two: Source) -> dict[str, Any]:
    """Two label images or masks."""
    mask = measures["kind"] == "mask"
    limits = settings.get("labels") or {}
    if mask:
        good, remarks, measures["checks"] = _fulfils(measures, limits, MASK)
        name = "mask"
        said = f"Dice {measures['dice']:.4f}"
        if "cl_dice" in measures:
            said += f", centreline Dice {measures['cl_dice']:.4f}"
        distance = 1 - measures.get("cl_dice", measures["dice"])
    else:
        name, distance = "labels", 1 - measures["pq"]
        a, b = measures["objects_a"], measures["objects_b"]
        if a == b == measures["exact"]:
            return _result(CANONICAL, name, _renumbered(a, measures["renumbered"]), 0.0, [])
        all_matched = a == b == measures["tp_50"] and not measures["splits"] and not measures["merges"]
        least = min((w["iou"] for w in measures["worst"]), default=1.0) if all_matched else -math.inf
        good, remarks, measures["checks"] = _fulfils(measures | {"iou": least}, limits, OBJECTS)
        said = _said_of_objects(measures)
    if min(measures.get("objects_a", 1), measures.get("objects_b", 1)) == 0:
        good = False
    if not good and (moved := _shift(one, two, 0, lambda values: values > 0)):
        measures["shift"] = list(moved)
        said = f"shifted by {_moved(moved)}; {said}"
    return _result(WITHIN if good else DIFFERENT, name, said, distance, remarks)


def _renumbered(count: int, others: int) -> str:
    if count == 1:
        return "the same object" + (" with another number" if others else "")
    return f"the same {count} objects, {others} of them with other numbers"


def _said_of_objects(m: dict[str, Any]) -> str:
    a, b = m["objects_a"], m["objects_b"]
    if not a or not b:
        side, count = ("A", b) if not a else ("B", a)
        return f"{side} has no object, the other one {count}"
    parts = [f"{a} object{'s' * (a != 1)} against {b}, {m['tp_50']} matched"]
    for what, entries in (("split", m["split"]), ("merged", m["merged"])):
        if entries:
            first = entries[0]
            numbers = ", ".join(map(str, first["parts"]))
            text = (
                f"object {first['object']} of A is {numbers} in B"
                if what == "split"
                else f"{numbers} of A are {first['object']} in B"
            )
            parts.append(f"{m['splits' if what == 'split' else 'merges']} {what} ({text})")
    parts += [f"{m[key]} {word}" for key, word in (("fn_50", "lost"), ("fp_50", "new")) if m[key]]
    return ", ".join(parts) + f"; panoptic quality {m['pq']:.4f}, Dice {m['dice']:.4f}"


def judge_table(job: dict[str, Any], settings: Settings, maps: Maps | None) -> dict[str, Any]:
    """The result of two tables; `maps` is how B's objects are numbered in A."""
    own = settings.get("table") or {}
    one, two = (_compare.table_files.read(Path(job[side]), side.upper()) for side in "ab")
    found = _compare.tables.compare(
        one, two,
        tolerances=Tolerances(own.get("rtol"), own.get("atol"), own.get("columns") or {}),
        keys=own.get("keys") or (), ignore=own.get("ignore-columns") or (), translation=maps,
    )  # fmt: skip
    how = [f"not joined on {key}, which holds fractions" for key in found["keys_with_fractions"]]
    if found["columns_moved"]:
        how.append("columns in another order")
    if found["rows_moved"]:
        how.append("rows in another order")
    if found["translated"]:
        how.append("objects numbered as in A")
    wrong = _wrong_in_table(found)
    if wrong:
        said, rung = "; ".join(wrong), DIFFERENT
    elif found["cells_unequal"]:
        count = found["cells_unequal"]
        said = f"{count} value{'s differ' if count != 1 else ' differs'}, all within the tolerance"
        rung = WITHIN
    else:
        said, rung = "same values", CANONICAL
    if how:
        said += f" ({', '.join(how)})"
    found["checks"] = [{"measure": "over_tolerance", "value": found["over_tolerance"], "limit": 1.0}]
    apart = any(found[key] for key in ("columns_missing", "columns_extra", "rows_missing", "rows_extra"))
    apart = apart or found["blank_rows"][0] != found["blank_rows"][1]
    distance = math.inf if apart or found["over_tolerance"] >= 1e300 else found["over_tolerance"]
    over = {name: column["over"] for name, column in found["columns"].items()}
    return _result(rung, "table", said, distance, []) | {"measures": found, "over": over}


def _wrong_in_table(found: dict[str, Any]) -> list[str]:
    wrong = []
    for key, word in (("columns_missing", "missing in B"), ("columns_extra", "only in B")):
        if found[key]:
            wrong.append(f"column {', '.join(name or ROW_NAME for name in found[key][:5])} {word}")
    for key, word in (("rows_missing", "missing in B"), ("rows_extra", "only in B")):
        if found[key]:
            wrong.append(f"{found[key]} row{'s' * (found[key] != 1)} {word}")
    if found["blank_rows"][0] != found["blank_rows"][1]:
        wrong.append("rows without any value between the others: {} against {}".format(*found["blank_rows"]))
    if found["cells_beyond"]:
        worst = found["worst"][0]
        where = ", ".join(f"{k} {v}" for k, v in worst["row"].items())
        place = f"{worst['column']} of {where}" if where else worst["column"]
        wrong.append(
            f"{found['cells_beyond']} value{'s' * (found['cells_beyond'] != 1)} beyond the tolerance, "
            f"most of all {place}: {worst['a']} against {worst['b']}"
        )
    return wrong
