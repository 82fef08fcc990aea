"""`run-pipeline compare` on tables as R, pandas, Fiji, CellProfiler, TrackMate and Excel write them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.compare.conftest import Bench

Pairs = dict[str, tuple[str, str]]


def judged(bench: Bench, pairs: Pairs, *options: object, encoding: str = "utf-8") -> dict[str, dict[str, Any]]:
    """What is told of each pair of texts, by the name of its file."""
    for name, texts in pairs.items():
        for folder, text in zip((bench.a, bench.b), texts, strict=True):
            (folder / name).write_bytes(text.encode(encoding))
    return bench.files(bench.compare(*options))


def every_is(files: dict[str, dict[str, Any]], said: dict[str, str], rung: str = "different") -> None:
    told = {name: (files[name]["rung"], files[name]["said"]) for name in said}
    assert not {name: (r, text) for name, (r, text) in told.items() if r != rung or said[name] not in text}


def test_a_header_that_is_one_name_short_has_row_names_below_it(bench: Bench) -> None:
    pairs = {
        "numbered.csv": ('"x","y"\n"1",1.5,2.5\n"2",3.5,4.5\n', '"x","y"\n"1",1.5,2.5\n"2",3.5,4.6\n'),
        "named.csv": ("x,y\na,1.5,2.5\nb,3.5,4.5\n", "x,y\nb,3.5,4.6\na,1.5,2.5\n"),
        "blanks.csv": ('"x" "y"\n"c 1" 1.5 2.5\n"c 2" 3.5 4.5\n', '"x" "y"\n"c 1" 1.5 2.5\n"c 2" 3.5 4.6\n'),
        "one_column.csv": ('"x"\n"1",5.5\n"2",6.5\n', '"x"\n"1",5.5\n"2",6.6\n'),
        "gaps.csv": ("x,y\na,1.5,2.5\nb,3.5,\n", "x,y\nb,3.6,\na,1.5,2.5\n"),
        "picked.tsv": ("x\ty\n5\t1.5\t2.5\n9\t3.5\t4.5\n", "x\ty\n9\t3.5\t4.6\n5\t1.5\t2.5\n"),
    }
    files = judged(bench, pairs)
    every_is(
        files,
        {
            "numbered.csv": "y of x 3.5, y 4.5: 4.5 against 4.6",
            "named.csv": "y of row name b: 4.5 against 4.6",
            "blanks.csv": "y of row name c 2: 4.5 against 4.6",
            "one_column.csv": "x: 6.5 against 6.6",
            "gaps.csv": "x of row name b: 3.5 against 3.6",
            "picked.tsv": "y of row name 9: 4.5 against 4.6",
        },
    )


def test_row_names_are_the_same_with_and_without_a_mark_before_the_header(bench: Bench) -> None:
    files = judged(bench, {"r.csv": ("x,y\na,1.5,2.5\nb,3.5,4.5\n", '"",x,y\na,1.5,2.5\nb,3.5,4.5\n')})
    every_is(files, {"r.csv": "same values"}, "same content")


def test_a_header_is_found_below_titles_comments_and_the_line_for_excel(bench: Bench) -> None:
    rows = ("label,area\n1,2.5\n2,3.5\n", "label,area\n2,3.6\n1,2.5\n")
    above = {
        "title.csv": "Results\n",
        "padded.csv": "Results,\n,\n",
        "comments.csv": "# made by x, y, z\n# threshold 12, 5\n",
        "mark.csv": "sep=,\n",
        "facts.csv": "Threshold,12.5\n",
        "more_facts.csv": "Date,2024-01-01\nThreshold,12.5\n\n",
        "fact_and_date.csv": "Threshold,12.5\nDate,2024-01-01\n",
        "words.csv": "Results, 5 cells\n",
        "rule.csv": "\nArea\n====================\n",
    }
    pairs = {name: (begin + rows[0], begin + rows[1]) for name, begin in above.items()}
    pairs["commented.csv"] = ("# " + rows[0], "# " + rows[1])
    every_is(judged(bench, pairs), dict.fromkeys(pairs, "area of label 2: 3.5 against 3.6 (rows in another order)"))


def test_what_stands_above_a_header_is_compared_as_well(bench: Bench) -> None:
    rows = "label,area,mean\n1,2.5,3\n2,3.5,4\n"
    pairs = {
        "title.csv": ("Cells\n" + rows, "Nuclei\n" + rows),
        "alone.csv": ("Cells\n" + rows, rows),
        "fact.csv": ("Date,2024-01-01\nThreshold,12.5\n" + rows, "Date,2024-01-01\nThreshold,12.6\n" + rows),
        "units.csv": (rows.replace("1,", ",(um),\n1,", 1), rows.replace("1,", ",(px),\n1,", 1)),
        "counted.csv": (",v,w\ncells,a,b\n1,2,3\n", ",v,w\nspots,a,b\n1,2,3\n"),
        "near.csv": ("Threshold,12.5\n" + rows, "Threshold,12.500000001\n" + rows),
        "mark.csv": ("sep=,\n" + rows, rows.replace(",", ";")),
    }
    files = judged(bench, pairs)
    every_is(
        files,
        {
            "title.csv": "line 1 above the header: Cells against Nuclei",
            "alone.csv": "line 1 above the header: Cells against no value",
            "fact.csv": "line 2 above the header: 12.5 against 12.6",
            "counted.csv": "row name of line 2 of the header: cells against spots",
            "units.csv": "area of line 2 of the header: (um) against (px)",
        },
    )
    every_is(files, {"near.csv": "1 value"}, "within tolerance")
    every_is(files, {"mark.csv": "same values"}, "same content")
    every_is(
        judged(bench, {}, "--ignore-column", "line * above the header"), {"title.csv": "same values"}, "same content"
    )


def test_cells_beyond_the_header_and_cells_that_are_missing_are_compared(bench: Bench) -> None:
    pairs = {
        "extra.csv": ("a,b\n1,2,3\n4,5\n", "a,b\n1,2,9\n4,5\n"),
        "more.csv": ("a,b\n1,2\n4,5\n", "a,b\n1,2,9\n4,5\n"),
        "most.csv": ("label,area\n1,2.5,3,4\n5,6.5,7,8\n9,1.5\n", "label,area\n9,1.5\n5,6.5,7,8\n1,2.5,3,9\n"),
        "mark.csv": ("label,area,\n1,2.5,3\n5,6.5,7\n", "label,area,\n1,2.5,3\n5,6.5,9\n"),
        "fewer.csv": ("a,b\n1,2\n4\n", "a,b\n1,2\n4,5\n"),
        "ends.csv": ("a,b\n1,2,\n4,5,\n", "a,b\n1,2\n4,5\n"),
    }
    files = judged(bench, pairs)
    every_is(
        files,
        {
            "extra.csv": "unnamed 3 of a 1, b 2, unnamed 3 3: 3 against 9",
            "most.csv": "unnamed 4 of label 1: 4 against 9 (rows in another order)",
            "mark.csv": "unnamed 3 of label 5: 7 against 9",
            "more.csv": "column unnamed 3 only in B",
            "fewer.csv": "b of a 4, b : no value against 5",
        },
    )
    every_is(files, {"ends.csv": "same values"}, "same content")


def test_a_row_that_lost_all_its_values_counts_as_a_row(bench: Bench) -> None:
    pairs = {
        "lost.csv": ("a,b\n1.5,2\n,\n3,4\n", "a,b\n1.5,2\n3,4\n"),
        "one_column.csv": ('a\n1.5\n""\n3.5\n', "a\n1.5\n3.5\n"),
        "ends.csv": ("a,b\n1,2\n3,4\n,\n,\n", "a,b\r\r\n1,2\r\r\n3,4\r\r\n"),
    }
    files = judged(bench, pairs)
    every_is(
        files, dict.fromkeys(("lost.csv", "one_column.csv"), "rows without any value between the others: 1 against 0")
    )
    every_is(files, {"ends.csv": "same values"}, "same content")


def test_columns_of_one_name_are_told_apart_from_each_other(bench: Bench) -> None:
    files = judged(bench, {"t.csv": ("v,v,v (2)\n1.5,2,3\n", "v,v,v (2)\n1.5,9,3\n")})
    every_is(files, {"t.csv": "v (3) of v 1.5, v (3) 2, v (2) 3: 2 against 9"})


def test_headers_of_several_lines_belong_to_the_header(bench: Bench) -> None:
    trackmate = (
        "LABEL,ID,QUALITY,FRAME\nLabel,Spot ID,Quality,Frame\nLabel,Spot ID,Quality,Frame\n,,(quality),\n"
        "ID12,12,3.25,0\nID13,13,3.5,1\n"
    )
    profiler = "Image,Image,Nuclei,Nuclei\nImageNumber,Name,ObjectNumber,Area\n1,x,1,3.5\n1,x,2,4.5\n2,y,1,7.5\n"
    lines = profiler.splitlines(keepends=True)
    pairs = {
        "spots.csv": (trackmate, trackmate.replace("3.5,", "3.50000000001,")),
        "units.csv": (trackmate, trackmate.replace("(quality)", "(counts)")),
        "cp.csv": (profiler, "".join([*lines[:2], *reversed(lines[2:])]).replace("7.5", "7.6")),
    }
    files = judged(bench, pairs)
    every_is(files, {"spots.csv": "1 value"}, "within tolerance")
    every_is(
        files,
        {
            "units.csv": "QUALITY of line 4 of the header: (quality) against (counts)",
            "cp.csv": "Area of ImageNumber 2, ObjectNumber 1: 7.5 against 7.6 (rows in another order)",
        },
    )


def test_a_matrix_without_a_header_has_values_in_its_first_line(bench: Bench) -> None:
    pairs = {
        "matrix.csv": ("1.5,2.5\n3.5,4.5\n", "1.50000000001,2.5\n3.5,4.5\n"),
        "pandas.csv": (",0,1\n0,1.5,2.5\n1,3.5,4.5\n", ",0,1\n0,1.5,2.5\n1,3.50000000001,4.5\n"),
        "channels.csv": ("label,405,488\n1,1.5,2.5\n2,3.5,4.5\n", "label,405,488\n2,3.50000000001,4.5\n1,1.5,2.5\n"),
    }
    every_is(judged(bench, pairs), dict.fromkeys(pairs, "1 value"), "within tolerance")


def test_what_is_no_text_is_told_and_never_passed(bench: Bench) -> None:
    for folder, more in ((bench.a, b"\x01"), (bench.b, b"\x02")):
        (folder / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0" + more)
        (folder / "book.xlsx").write_bytes(b"\xd0\xcf\x11\xe0" + more)  # an old workbook under a new name
        (folder / "bytes.csv").write_bytes(b"label,n\n1," + more.translate(bytes.maketrans(b"\x01\x02", b"\x81\x8d")))
    files = bench.files(bench.compare(code=1))
    every_is(
        files,
        {"picture.csv": "A holds bytes that no text has", "book.xlsx": "A cannot be read as a table"},
        "unreadable",
    )
    assert files["bytes.csv"]["rung"] == "different"


def test_fractions_are_no_keys(bench: Bench) -> None:
    pairs = {
        f"{name}.csv": (f"{name},v\n3.1,1\n4.2,2\n", f"{name},v\n3.1000000000000005,1\n4.2,2\n")
        for name in ("z", "t", "time", "position")
    }
    every_is(judged(bench, pairs), dict.fromkeys(pairs, "1 value"), "within tolerance")
    files = judged(bench, {}, "--tolerance", "table.keys=z,t,time,position")
    every_is(files, {"z.csv": "(not joined on z, which holds fractions)"}, "within tolerance")


def test_whole_numbers_and_text_are_compared_to_the_last_sign(bench: Bench) -> None:
    cells = {
        "id": ("9007199254740993", "9007199254740992"), "sum": ("9007199254740993", "9007199254740992"),
        "parent": ("300001", "300002"), "parent_id": ("300001.0", "300002.0"), "count": ("300001", "300002"),
        "barcode": ("00123", "123"), "tube": ("00123", "123"), "spot": ("0E5", "0E7"), "plate": ("1E5", "100000"),
        "sample": ("1.1", "1.10"), "huge": ("1e+400", "1e+500"),
        "code": ("9998700990704001708177961516923014", "9998700990704001708177961516923015"),
    }  # fmt: skip
    pairs = {
        f"{name}.csv": (f"n,{name}\na,{one}\nb,\n", f"n,{name}\na,{two}\nb,\n") for name, (one, two) in cells.items()
    }
    pairs["mixed.csv"] = ("n,mixed\na,2.5\nb,0E5\nc,1\n", "n,mixed\na,2.5\nb,0E7\nc,1\n")
    files = judged(bench, pairs)
    every_is(files, {f"{name}.csv": f": {one} against {two}" for name, (one, two) in cells.items() if name != "id"})
    every_is(files, {"mixed.csv": "mixed of n b: 0E5 against 0E7"})
    assert files["id.csv"]["rung"] == "different"
    same = judged(bench, {"same.csv": ("label,n,size\n1,5,1e+05\n", "label,n,size\n1.0,5.0,100000\n")})
    every_is(same, {"same.csv": "same values"}, "same content")


def test_a_small_value_in_a_column_of_large_ones_is_compared_by_its_own_size(bench: Bench) -> None:
    large = "b,300000.5\nc,400000.5\nd,500000.5\n"
    pairs = {
        f"{one}.csv": (f"n,v\na,{one}\n{large}", f"n,v\na,{two}\n{large}")
        for one, two in (("1.0", "1.1"), ("0.001", "0.0011"), ("1e-06", "2e-06"), ("0.0", "1e-05"))
    }
    pairs["p.csv"] = ("n,p\na,1e-08\nb,0.5\nc,0.4\n", "n,p\na,1e-09\nb,0.5\nc,0.4\n")
    every_is(judged(bench, pairs), dict.fromkeys(pairs, "1 value beyond the tolerance"))
    rounding = {"zero.csv": ("n,v\na,1e-17\nb,2.5\nc,-3.5\n", "n,v\na,-2e-17\nb,2.5\nc,-3.5\n")}
    every_is(judged(bench, rounding), {"zero.csv": "1 value"}, "within tolerance")


def test_no_value_is_none_in_whatever_words_where_numbers_stand(bench: Bench) -> None:
    pairs = {
        f"{n}.csv": (f"n,v,w\na,{word},5\nb,2.5,6\n", "n,v,w\na,,5\nb,2.5,6\n")
        for n, word in enumerate(("NA", "N/A", "#N/A", "<NA>", "NULL", "None", "-nan", "NaN"))
    }
    every_is(judged(bench, pairs), dict.fromkeys(pairs, "same values"), "same content")
    text = {"country.csv": ("n,country\na,NA\nb,DE\n", "n,country\na,\nb,DE\n")}
    text["lost.csv"] = ("n,v\na,NA\nb,2.5\n", "n,v\na,0.0\nb,2.5\n")
    every_is(judged(bench, text), {"country.csv": "NA against no value", "lost.csv": "NA against 0.0"})


def test_a_limit_for_the_table_reaches_measures_and_no_ids(bench: Bench) -> None:
    pairs = {
        "area.csv": ("label,area\n1,300001\n", "label,area\n1,300002\n"),
        "parent.csv": ("label,Parent_Nuclei\n1,300001\n", "label,Parent_Nuclei\n1,300002\n"),
        "track.csv": ("label,TRACK_ID\n1,300001\n", "label,TRACK_ID\n1,300002\n"),
        "spot.csv": ("label,spot\n1,300001\n", "label,spot\n1,300002\n"),
    }
    files = judged(bench, pairs, "--tolerance", "table.rtol=1e-3")
    every_is(files, {"area.csv": "1 value"}, "within tolerance")
    every_is(files, dict.fromkeys(("parent.csv", "track.csv", "spot.csv"), "300001 against 300002"))
    files = judged(bench, {}, "--tolerance", "table.columns.TRACK_ID.atol=1")
    every_is(files, {"track.csv": "1 value"}, "within tolerance")


def test_ids_are_exact_in_workbooks_and_parquet_too(bench: Bench) -> None:
    bench.make("exact_ids")
    files = bench.files(bench.compare(code=1))
    names = [f"{what}.{ending}" for what in ("parent", "barcode", "well") for ending in ("xlsx", "parquet")]
    assert {name: pair["rung"] for name, pair in files.items()} == dict.fromkeys([*names, "id.parquet"], "different")


def test_ids_are_exact_in_json_too(bench: Bench) -> None:
    pairs = {
        "big.json": ('{"id": 9007199254740993}', '{"id": 9007199254740992}'),
        "parent.json": ('[{"parent": 300001}]', '[{"parent": 300002}]'),
        "float_parent.json": ('[{"parent_id": 300001.0}]', '[{"parent_id": 300002.0}]'),
        "columns.json": ('{"parent_id": {"0": 300001.0, "1": null}}', '{"parent_id": {"0": 300002.0, "1": null}}'),
        "list.json": ('{"ids": [300001.0]}', '{"ids": [300002.0]}'),
        "count.yaml": ("count: 300001\n", "count: 300002\n"),
        "area.json": ('{"area": 300001.25}', '{"area": 300001.5}'),
    }
    files = judged(bench, pairs)
    every_is(files, dict.fromkeys(list(pairs)[:-1], "1 value differs"))
    every_is(files, {"area.json": "1 number"}, "within tolerance")
    huge = {"huge.json": (f'{{"n": 1{"0" * 400}}}', f'{{"n": 2{"0" * 400}}}')}
    files = judged(bench, huge, "--tolerance", "table.rtol=1e-3")
    every_is(files, {"count.yaml": "1 number"}, "within tolerance")
    every_is(files, {"parent.json": "parent: 300001 against 300002", "huge.json": "line 1 is"})


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_a_table_in_unicode_of_any_width_keeps_its_tolerance(bench: Bench, encoding: str) -> None:
    texts = ("label;area µm\n1;2,5\n2;3,5\n", "label;area µm\n1;2,500000001\n2;3,5\n")
    every_is(judged(bench, {"t.csv": texts}, encoding=encoding), {"t.csv": "1 value"}, "within tolerance")


def test_decimal_commas_and_commas_in_a_header_keep_the_tolerance(bench: Bench) -> None:
    pairs = {
        "t.tsv": ("label\tarea\n1\t2,5\n2\t1.234,5\n", "label\tarea\n1\t2,500000001\n2\t1234,5\n"),
        "quoted.csv": ('label;"area, px";"mean, raw, x"\n1;2,5;3\n', 'label;"area, px";"mean, raw, x"\n1;2,500001;3\n'),
        "bare.csv": ("label;area, px;a, b, c, d\n1;2,5;3\n", "label;area, px;a, b, c, d\n1;2,500001;3\n"),
        "pandas.csv": ('label,area\n1,"2,5"\n', 'label,area\n1,"2,500001"\n'),
        "curve.csv": (
            '# x, Curve1\n"1,7392", "1,18"\n"1,7607", "1,62"\n',
            '# x, Curve1\n"1,7392", "1,18"\n"1,7607", "1,6200001"\n',
        ),
        "grouped.csv": ('label,n\n1,"1,234.5"\n', "label,n\n1,1234.500001\n"),
    }
    every_is(judged(bench, pairs), dict.fromkeys(pairs, "1 value"), "within tolerance")


def test_thousands_are_not_taken_for_fractions(bench: Bench) -> None:
    files = judged(bench, {"t.csv": ('label,n\n1,"1,234"\n2,"2,500"\n', "label,n\n1,1.234\n2,2.5\n")})
    every_is(files, {"t.csv": "n of label 1: 1,234 against 1.234"})


def test_columns_are_left_out_by_name_and_by_pattern(bench: Bench) -> None:
    pairs = {
        "t.csv": ("label,created,Area [um]\n1,10:00,2\n", "label,created,Area [um]\n1,11:00,3\n"),
        "alone.csv": ("label,created\n1,10:00\n", "label\n1\n"),
        "all.csv": ("created\n10:00\n", "created\n11:00\n"),
        "t.json": ('{"created": 1, "n": 2}', '{"created": 2, "n": 2}'),
    }
    every_is(judged(bench, pairs), dict.fromkeys(pairs, ""))
    files = judged(bench, {}, "--ignore-column", "creat*", "--ignore-column", "Area [um]")
    every_is(files, dict.fromkeys(("t.csv", "alone.csv", "t.json"), "same values"), "same content")
    every_is(files, {"all.csv": "no column is left to compare"}, "unreadable")


def test_row_numbers_in_one_file_alone_are_left_out(bench: Bench) -> None:
    pairs = {
        "pandas.csv": (",name,v\n0,a,1\n1,b,2\n", "name,v\na,1\nb,2\n"),
        "r.csv": ("name,v\na,1\nb,2\n", "name,v\n1,a,1\n2,b,2\n"),
        "again.csv": ("Unnamed: 0,name,v\n0,a,1\n1,b,2\n", ",name,v\n1,a,1\n2,b,2\n"),
    }
    every_is(judged(bench, pairs), dict.fromkeys(pairs, "same values"), "same content")
    files = judged(
        bench, {"names.csv": (",v\n0,1\n1,2\n", ",v\n1,2\n0,1\n"), "other.csv": (",v\n0,1\n1,2\n", ",v\n7,1\n9,2\n")}
    )
    every_is(files, {"names.csv": "same values (rows in another order)"}, "same content")
    every_is(files, {"other.csv": "2 rows missing in B; 2 rows only in B"})


def test_a_workbook_is_read_as_far_as_it_is_filled(bench: Bench) -> None:
    bench.make("odd_books")
    begin = time.monotonic()
    files = bench.files(bench.compare(code=1))
    assert time.monotonic() - begin < 60
    every_is(files, dict.fromkeys(("stray_column.xlsx", "stray_row.xlsx", "stray_corner.xlsx"), "same"), "same content")
    every_is(
        files,
        {
            "title.xlsx": "area of label 2: 3.5 against 3.6",
            "claims_too_little.xlsx": "area of label 2: 3.5 against 3.6",
            "beside.xlsx": "unnamed 3 of label 1: 5 against 6",
            "formula.xlsx": "unnamed 3 of label 1: =A2+1 against =A2+2",
            "second_sheet.xlsx": "mean of sheet two, label 1: 5.5 against 5.6",
        },
    )
    every_is(files, {"bomb.xlsx": "unpacks to 0.6 GB, too much"}, "unreadable")
    every_is(files, {"claims_too_many.parquet": "200,000,000 rows of 1 columns, too many"}, "unreadable")


def test_a_table_of_200000_columns_takes_seconds(bench: Bench) -> None:
    head = ",".join(f"c{n}" for n in range(200_000))
    rows = [",".join(f"{n}.5" for n in range(200_000)) for _ in range(2)]
    begin = time.monotonic()
    text = "\n".join([head, *rows])
    every_is(
        judged(bench, {"wide.csv": (text, text.replace("77.5", "77.50000001"))}),
        {"wide.csv": "values differ"},
        "within tolerance",
    )
    assert time.monotonic() - begin < 60
