"""Signs that look like others are named, with their place."""

from pathlib import Path

import pytest

from runner.errors import PipelineError
from runner.model import Diagnostic
from runner.pipeline.near import did_you_mean
from runner.pipeline.reader import parse_pipeline

HEAD = "run:\n- name: a\n  environment: cmd\n"


def found(text: str) -> list[Diagnostic]:
    try:
        return list(parse_pipeline(text.encode(), Path("/lab/x.yaml")).warnings)
    except PipelineError as error:
        return list(error.diagnostics)


@pytest.mark.parametrize(
    ("text", "line", "column", "sign", "cure"),
    [
        ("run:\n- name: a\n\u00a0 environment: cmd\n  commands: [b]\n", 3, 1, "NO-BREAK SPACE", "`environment: cmd`"),
        ("run:\n-\u00a0name: a\n  environment: cmd\n  commands: [b]\n", 2, 2, "NO-BREAK SPACE", "`- name: a`"),
        ("run:\n- name: a\n  environment:\u202fcmd\n  commands: [b]\n", 3, 15, "NARROW NO-BREAK SPACE", "cmd`"),
        ("run:\n- name: a\n  environment\uff1a cmd\n  commands: [b]\n", 3, 14, "FULLWIDTH COLON", "`environment: cmd`"),
        ("run\uff1a\n- name: a\n  environment: cmd\n", 1, 4, "FULLWIDTH COLON", "`run:`"),
        ("run:\n- name\uff1aa\n  environment: cmd\n  commands: [b]\n", 2, 7, "FULLWIDTH COLON", "`- name: a`"),
        ("run:\n\u2013 name: a\n  environment: cmd\n  commands: [b]\n", 2, 1, "EN DASH", "`- name: a`"),
        ("run:\n\u2022 name: a\n  environment: cmd\n  commands: [b]\n", 2, 1, "BULLET", "`- name: a`"),
        (HEAD + "\ufeff  commands: [b]\n", 4, 1, "ZERO WIDTH NO-BREAK SPACE", "`commands: [b]`"),
    ],
)  # fmt: skip
def test_a_sign_that_breaks_the_file_is_named_with_its_place(
    text: str, line: int, column: int, sign: str, cure: str
) -> None:
    mine = [one for one in found(text) if sign in one.message]
    assert [(one.mark.line, one.mark.column) for one in mine if one.mark] == [(line, column)]
    assert cure in mine[0].cure


@pytest.mark.parametrize(
    ("entry", "sign"),
    [
        ("\u2018%YAML%/x\u2019", "LEFT SINGLE QUOTATION MARK"),
        ("\u201ea b\u201c", "DOUBLE LOW-9 QUOTATION MARK"),
        ("\u201cecho a: b\u201d", "LEFT DOUBLE QUOTATION MARK"),
        ("\u2013-input: x", "EN DASH"),
        ("\u2014min", "EM DASH"),
        ("\u2212-x: \u22125", "MINUS SIGN"),
        ("x\u200b.py", "ZERO WIDTH SPACE"),
        ("'x.py\u00a0'", "NO-BREAK SPACE"),
        ("python\uff0c x.py", "FULLWIDTH COMMA"),
        ("python\u3001 x.py", "IDEOGRAPHIC COMMA"),
        ("\uff3bpython, x.py\uff3d", "FULLWIDTH LEFT SQUARE BRACKET"),
        ("x.py \uff03 a remark", "FULLWIDTH NUMBER SIGN"),
        ("\u2032a b\u2032", "PRIME"),
        ("\u00b4a b\u00b4", "ACUTE ACCENT"),
        ("'%REPO%/s\u0441ripts/x.py'", "CYRILLIC SMALL LETTER ES"),
        ("\u0422hreshold", "CYRILLIC CAPITAL LETTER TE"),
        ("M\u0391X", "GREEK CAPITAL LETTER ALPHA"),
    ],
)
def test_a_sign_in_an_argument_that_makes_another_of_it_is_a_warning(entry: str, sign: str) -> None:
    warnings = found(HEAD + f"  commands:\n  - {entry}\n")
    assert any(sign in one.message and one.mark and one.mark.line == 5 for one in warnings)


def test_signs_inside_names_and_titles_are_left_alone() -> None:
    assert not found(
        "run:\n- name: Zellen \u2013 \u201ealle\u201c\n  environment: cmd\n"
        "  commands: [echo, 'a\u2013b', 'Mein\u00a0Ordner/x', 'it\u2019s']\n"
        "- name: '\u043e\u0431\u0440\u0430\u0437\u0435\u0446 1'\n  environment: cmd\n"
        "  commands: [echo, '\u043e\u0431\u0440\u0430\u0437\u0435\u0446/x', '\u4f60\uff0c\u597d', "
        "'2\u03bcm', '5\u2032-3\u2032 x']\n"
    )


def test_a_key_with_a_no_break_space_says_which_sign_is_wrong() -> None:
    (warning,) = found("run:\n- name: a\n  environment\u00a0: cmd\n  commands: [echo]\n  environment: cmd\n")
    assert "NO-BREAK SPACE" in warning.cure


def test_names_that_look_the_same_are_told_apart_by_their_signs() -> None:
    assert did_you_mean("cels.yaml", "cells.yaml") == "Did you mean cells.yaml?"
    composed, decomposed = "z\u00e4hlen.py", "za\u0308hlen.py"
    assert "its sign 2 is U+0061 LATIN SMALL LETTER A" in did_you_mean(composed, decomposed)
    assert "NO-BREAK SPACE" in did_you_mean("a b.py", "a\u00a0b.py")
    assert "CYRILLIC SMALL LETTER A" in did_you_mean("d\u0430ta.py", "data.py")
