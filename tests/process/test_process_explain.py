"""Exit codes in plain words."""

import signal

import pytest

from runner.ground.codes import spell_code
from runner.process.explain import explain


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (0xC0000005, "access violation"),
        (0xC0000135, "DLL that it needs was not found"),
        (0xC0000139, "lacks a function"),
        (0xC000007B, "wrong format"),
        (0xC000013A, "Ctrl-C"),
        (0xC0000017, "not enough memory"),
        (0xC00000FD, "stack overflow"),
        (0xC0000409, "abort"),
        (0xC0001234, "0xC0001234"),
    ],
)
def test_windows_codes_are_known_signed_and_unsigned(code: int, says: str) -> None:
    assert says in explain(code, "win32")
    assert explain(code - 2**32, "win32") == explain(code, "win32")
    assert f"0x{code:08X}" in explain(code, "win32")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (0x80000003, "0x80000003: it stopped at a breakpoint"),
        (0x80070005, "0x80070005: access was denied (WinError 5)"),
        (0x80070070, "the disk is full"),
        (0x8007FFFF, "0x8007FFFF: an error of Windows (WinError 65535)"),
        (0x8007000E, "not enough memory"),
        (0x80131506, "0x80131506, an error of Windows or of a library"),
        (0xE0434352, "0xE0434352: it crashed: an error inside a .NET part"),
        (0xFFFFFFFF, "exit code -1 (0xFFFFFFFF)"),
        (0xFFFFFF9C, "exit code -100 (0xFFFFFF9C)"),
        (0x7FFFFFFF, "exit code 2147483647."),
    ],
)
def test_from_0x80000000_on_a_code_of_windows_is_told_in_hex_with_words(code: int, says: str) -> None:
    assert says in explain(code, "win32")
    assert says in explain(code - 2**32 if code >= 0x80000000 else code, "win32")
    assert str(code) not in explain(code, "win32") or code < 0x80000000


def test_a_code_is_spelled_as_people_look_it_up() -> None:
    assert spell_code(3) == "exit code 3"
    assert spell_code(-9) == "exit code -9"
    assert spell_code(3221225781) == "0xC0000135"
    assert spell_code(-1073741510) == "0xC000013A"
    assert spell_code(4294967295) == "exit code -1 (0xFFFFFFFF)"
    assert spell_code(None) == "no exit code"


def test_the_stores_pointer_that_answers_to_python_is_named() -> None:
    assert "Store" in explain(9009, "win32") and "`python`" in explain(9009, "win32")


def test_windows_has_no_signals_in_its_codes() -> None:
    assert explain(137, "win32") == "It ended with exit code 137."
    assert "not found" in explain(9009, "win32")


def test_success_needs_no_explanation() -> None:
    assert explain(0, "linux") == explain(0, "win32") == explain(None, "linux") == ""


@pytest.mark.parametrize("code", [256, -256, -1, 512, 2**32])
@pytest.mark.parametrize("platform", ["linux", "win32", "darwin"])
def test_no_other_code_is_taken_for_success(code: int, platform: str) -> None:
    assert explain(code, platform) != ""


def test_a_signal_behind_a_shells_code_is_named() -> None:
    assert "SIGTERM" in explain(143, "linux") and "exit code 143" in explain(143, "linux")
    assert "SIGSEGV" in explain(-11, "linux")
    assert "SIGBUS" in explain(135, "linux") and "SIGBUS" in explain(138, "darwin")
    assert explain(255, "linux") == "It ended with exit code 255."
    assert explain(200, "linux") == "It ended with exit code 200."


def test_a_kill_is_put_down_to_memory_only_with_a_reason() -> None:
    for killed in (explain(137, "linux", signal=9), explain(137, "linux")):
        assert "memory ran out" not in killed and "SIGKILL" in killed
    for killed in (
        explain(137, "linux", signal=9, out_of_memory=True),
        explain(137, "linux", out_of_memory=True),
        explain(1, "linux", out_of_memory=True),
    ):
        assert "most likely by the system, because memory ran out" in killed


def test_every_signal_has_a_text() -> None:
    for number in range(1, 65):
        text = explain(128 + number, "linux", signal=number)
        assert text.startswith(("It ", "Its ", "What ")) and text.endswith(".")
    assert signal.SIGTERM.name in explain(143, "linux", signal=15)


def test_what_we_did_ourselves_is_said_first() -> None:
    assert explain(143, "linux", signal=15, timed_out=True, timeout=10800) == (
        "It was stopped because it did not end within its time limit of 3 h."
    )
    assert explain(137, "linux", signal=9, stopped=True, reason="Ctrl-C") == "It was stopped (Ctrl-C)."
