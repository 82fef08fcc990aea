"""Exit codes as people look them up, and what Windows means by its own."""

from __future__ import annotations

# https://learn.microsoft.com/openspecs/windows_protocols/ms-erref (NTSTATUS values)
NTSTATUS = {
    0x40000015: "it gave up by itself (abort)",
    0x40010004: "it was ended by a log-off or a shutdown",
    0x80000003: "it stopped at a breakpoint: something that it takes for impossible happened",
    0xC0000005: "it crashed: access violation (it used memory that is not its own). "
    "Often a broken or mixed-up package, or a graphics driver",
    0xC0000006: "it crashed: a file that it had mapped could not be read (network drive gone?)",
    0xC0000017: "there was not enough memory, nor room in the page file",
    0xC000001D: "it crashed: this processor does not know an instruction that the program uses",
    0xC0000022: "the system refused access to a file that it needs to start",
    0xC0000044: "a quota was used up",
    0xC000007B: "a DLL has the wrong format (32 bit where 64 bit is needed, or a damaged file)",
    0xC000008E: "it crashed: a number was divided by zero",
    0xC0000094: "it crashed: a whole number was divided by zero",
    0xC000009A: "the system has not enough resources",
    0xC00000FD: "it crashed: stack overflow",
    0xC000012D: "there was not enough memory, nor room in the page file",
    0xC000012F: "it is no program of Windows (a damaged file?)",
    0xC0000135: "a DLL that it needs was not found. Was its environment activated, and is it complete?",
    0xC0000138: "a DLL lacks an entry that the program needs (wrong version of a package?)",
    0xC0000139: "a DLL lacks a function that the program needs (wrong version of a package?)",
    0xC000013A: "it was stopped by Ctrl-C, or its window was closed",
    0xC0000142: "a DLL that it needs could not be set up",
    0xC000026B: "it was started while Windows logged off or shut down",
    0xC0000374: "it crashed: its memory was damaged (heap corruption)",
    0xC0000409: "it crashed: it found its own memory damaged, or gave up (stack buffer overrun, abort)",
    0xC0000417: "it crashed: a function of the C runtime was called in a wrong way",
    0xC000041D: "it crashed: an error inside a function that Windows had called was not handled",
    0xC0000420: "it gave up: something that it takes for impossible happened (assertion)",
    0xC0000428: "Windows does not trust a file that it needs to start (its signature)",
    0xC0000602: "it crashed: it gave up at once (fail fast)",
    0xC06D007E: "a DLL that it needs was not found",
    0xC06D007F: "a DLL lacks a function that the program needs (wrong version of a package?)",
    0xE0434352: "it crashed: an error inside a .NET part was not handled",
    0xE06D7363: "it crashed: an error inside a C++ part was not handled",
    0x8007000E: "there was not enough memory",
    0x80004005: "an error that a part of Windows does not explain (E_FAIL)",
}
# https://learn.microsoft.com/windows/win32/debug/system-error-codes, behind 0x8007 in a code
_SYSTEM_ERRORS = {
    2: "a file was not found",
    3: "a folder was not found",
    5: "access was denied",
    8: "there was not enough memory",
    32: "a file is in use by another program",
    53: "the network drive was not found",
    112: "the disk is full",
    193: "a file is no program of this Windows",
    206: "a path is too long",
    1455: "there was not enough memory, nor room in the page file",
}
_STORE = (
    "a program that it wanted to start was not found. If that is `python`: under this name Windows itself has only a "
    "pointer to its Store. Install Python, or let the segment run in a uv or conda environment"
)


def spell_code(code: int | None) -> str:
    """An exit code as people look it up: `exit code 3`, and 0xC0000005 or -1 where Windows shows 3221225477."""
    if code is None:
        return "no exit code"
    status = code & 0xFFFFFFFF
    if code < 0x80000000 and code > -0x100:
        return f"exit code {code}"
    if status > 0xFFFFFF00:  # exit(-1) and the like
        return f"exit code {status - 0x100000000} (0x{status:08X})"
    return f"0x{status:08X}"


def explain_windows(code: int) -> str:
    """What an exit code other than 0 means on Windows."""
    status = code & 0xFFFFFFFF
    if meaning := NTSTATUS.get(status):
        return f"It ended with 0x{status:08X}: {meaning}."
    if code == 9009:
        return f"It ended with exit code 9009: {_STORE}."
    if status >> 16 == 0x8007:
        number = status & 0xFFFF
        meaning = _SYSTEM_ERRORS.get(number, "an error of Windows")
        return f"It ended with 0x{status:08X}: {meaning} (WinError {number})."
    if 0xC0000000 <= status <= 0xFFFFFF00:
        return f"It crashed: Windows ended it with 0x{status:08X}."
    if 0x80000000 <= status < 0xC0000000:
        return f"It ended with 0x{status:08X}, an error of Windows or of a library."
    return f"It ended with {spell_code(status if status > 0xFFFFFF00 else code)}."
