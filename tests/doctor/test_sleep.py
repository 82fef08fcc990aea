"""Whether the computer goes to sleep in the middle of a run, as the systems' own programs tell it."""

from __future__ import annotations

import pytest

from tests.doctor.machine import Machine

ENGLISH = """\
Power Scheme GUID: 381b4222-f694-41f0-9685-ff5bb260df2e  (Balanced)
  Subgroup GUID: 238c9fa8-0aad-41ed-83f4-97be242c8f20  (Sleep)
    GUID Alias: SUB_SLEEP
    Power Setting GUID: 29f6c1db-86da-48c5-9fdb-f2b67b1f44da  (Sleep after)
      GUID Alias: STANDBYIDLE
      Minimum Possible Setting: 0x00000000
      Maximum Possible Setting: 0xffffffff
      Possible Settings increment: 0x00000001
      Possible Settings units: Seconds
    Current AC Power Setting Index: 0x00000708
    Current DC Power Setting Index: 0x0000012c
"""
GERMAN = """\
      M\x94glicher Minimalwert: 0x00000000
      M\x94glicher Maximalwert: 0xffffffff
    Index der aktuellen Wechselstromeinstellung: 0x00000000
    Index der aktuellen Gleichstromeinstellung: 0x00000384
"""


def fake(machine: Machine, name: str, text: str) -> None:
    answer = machine.programs / f"{name}.txt"
    answer.parent.mkdir(parents=True, exist_ok=True)
    answer.write_bytes(text.replace("\n", "\r\n").encode("latin-1"))
    machine.environ["SYSTEMROOT"] = str(machine.home)  # the real one is not asked
    machine.program(
        name,
        f"open({str(answer) + '.asked'!r}, 'w').write(' '.join(sys.argv[1:]))",
        f"sys.stdout.buffer.write(open({str(answer)!r}, 'rb').read())",
    )


def test_windows_sleep_after_half_an_hour_is_told_and_that_a_run_prevents_it(machine: Machine) -> None:
    machine.platform = "win32"
    fake(machine, "powercfg", ENGLISH)
    state, text = machine.said("sleep")[0]
    assert (state, text) == (
        "ok",
        "this computer goes to sleep after 30 min without a user, but not while a pipeline runs",
    )
    asked = (machine.programs / "powercfg.txt.asked").read_text().split()
    assert asked == ["/query", "SCHEME_CURRENT", "SUB_SLEEP", "STANDBYIDLE"]


def test_a_german_windows_that_never_sleeps_is_understood(machine: Machine) -> None:
    machine.platform = "win32"
    fake(machine, "powercfg", GERMAN)
    assert machine.said("sleep") == [("ok", "this computer does not go to sleep by itself")]


@pytest.mark.parametrize("text", ["", "The power scheme does not exist.\n", "x: 0x1\n"])
def test_a_windows_that_does_not_tell_gives_no_line(machine: Machine, text: str) -> None:
    machine.platform = "win32"
    fake(machine, "powercfg", text)
    assert machine.said("sleep") == []


def test_a_mac_tells_it_with_pmset(machine: Machine) -> None:
    machine.platform = "darwin"
    fake(machine, "pmset", "System-wide power settings:\n displaysleep 10\n sleep                180\n")
    fake(machine, "caffeinate", "")
    assert "after 3 h without a user, but not while" in machine.said("sleep")[0][1]


def test_a_desktop_without_a_helper_is_a_warning(machine: Machine) -> None:
    machine.platform = "linux"
    machine.program("gsettings", "print('suspend' if sys.argv[3].endswith('type') else 'uint32 1200')")
    assert machine.said("sleep") == []
    machine.environ["DISPLAY"] = ":0"
    assert machine.said("sleep") == [("warning", "this computer goes to sleep after 20 min without a user")]
    machine.program("systemd-inhibit", "")
    assert machine.said("sleep")[0][0] == "ok"
    machine.program("gsettings", "print('nothing' if sys.argv[3].endswith('type') else '1200')")
    assert machine.said("sleep") == [("ok", "this computer does not go to sleep by itself")]
