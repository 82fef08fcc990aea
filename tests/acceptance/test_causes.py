"""A failed program's own reason stands in the summary and in the receipt, with a cure where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.executors.cause import cause_in
from tests.support.lab import Lab, segment


def failed(lab: Lab, text: str) -> tuple[str, str]:
    """What is shown when a script of this text runs, and the receipt's explanation."""
    lab.script("raise.py", text)
    pipeline = lab.pipeline([segment("Measure", "python", "%REPO%/scripts/raise.py")])
    shown = lab.run(pipeline, check=1).stdout
    return shown, str(lab.receipts(pipeline)[0]["explanation"])


def test_an_exception_is_told_with_its_place_in_the_summary_and_in_the_receipt(lab: Lab) -> None:
    shown, kept = failed(lab, "def go(row):\n    # a table\n    return row['channel']\ngo({})\n")
    assert kept == "It ended with exit code 1: KeyError: 'channel' (raise.py line 3)"
    summary = shown[shown.rindex("Measure") :]
    assert "KeyError: 'channel' (raise.py line 3)" in summary


def test_a_missing_module_is_told_with_the_group_that_lacks_it(lab: Lab) -> None:
    shown, kept = failed(lab, "import skimage.io\n")
    assert "ModuleNotFoundError: No module named 'skimage' (raise.py line 1)" in kept
    assert "uv add --group default scikit-image" in kept
    assert "uv add --group default scikit-image" in shown


def test_a_full_disk_and_memory_that_ran_out_have_a_cure(lab: Lab) -> None:
    assert (
        "is full" in failed(lab, "import errno, os\nraise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), 'x')\n")[1]
    )


TRACE = 'Traceback (most recent call last):\n  File "/data/my scripts/a.py", line 7, in <module>\n    go()\n'
INSIDE = '  File "/e/lib/python3.11/site-packages/pandas/core.py", line 99, in get\n    raise\n'
WINDOWS = 'Traceback (most recent call last):\n  File "C:\\lab\\a.py", line 3, in <module>\n    x\n'


@pytest.mark.parametrize(
    ("log", "text", "cure"),
    [
        (TRACE + INSIDE + "KeyError: 'x'\n", "KeyError: 'x' (a.py line 7)", ""),
        (WINDOWS + "MemoryError\n", "MemoryError (a.py line 3)", "Memory ran out"),
        (
            TRACE + "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 37.3 GiB for an array\n",
            "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 37.3 GiB for an array (a.py line 7)",
            "Memory ran out",
        ),
        (TRACE + "torch.OutOfMemoryError: CUDA out of memory. Tried\n", "torch.OutOfMemoryError: CUDA out of", "GPU"),
        (TRACE + "RuntimeError:\n  the model has 3 channels\n", "RuntimeError: the model has 3 channels", ""),
        ("\x1b[31m" + TRACE + "\x1b[1;35mValueError\x1b[0m: \x1b[35mbad\x1b[0m\n", "ValueError: bad (a.py line 7)", ""),
        (
            TRACE + "KeyError: 1\n\nDuring handling of the above exception, another exception occurred:\n\n"
            + WINDOWS + "OSError: [WinError 32] The file is being used by another process: 'x.csv'\n",
            "OSError: [WinError 32] The file is being used by another process: 'x.csv' (a.py line 3)",
            "close it",
        ),
        ("10%\r50%\r" + TRACE + "ValueError: a\n100%\rdone\n", "ValueError: a (a.py line 7)", ""),
        ("usage: a.py [-h] --x X\na.py: error: the following arguments are required: --x\n", "the following arg", ""),
        ('  File "/s/b.py", line 2\n    x = (\n        ^\nSyntaxError: \'(\' was never closed\n', "SyntaxError", ""),
        (
            'Traceback (most recent call last):\n  File "/s/a.py", line 1, in <module>\n    import b\n'
            '  File "/s/b.py", line 2\n    x = (\n        ^\nSyntaxError: \'(\' was never closed\n',
            "SyntaxError: '(' was never closed (b.py line 2)",
            "",
        ),
        (TRACE + "ValueError: caught\n" + "still at work\n" * 40, None, ""),
        ("Fehler: nichts da\n", None, ""),
        ("", None, ""),
    ],
)  # fmt: skip
def test_the_last_words_of_a_log_name_the_cause(tmp_path: Path, log: str, text: str | None, cure: str) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(log.encode())
    found = cause_in(path, lambda module: f"add {module}")
    if text is None:
        assert found is None
    else:
        assert found is not None
        assert found.text.startswith(text)
        assert cure in found.cure


def test_a_log_that_is_not_there_or_no_text_names_no_cause(tmp_path: Path) -> None:
    assert cause_in(tmp_path / "log.txt", str) is None
    (tmp_path / "log.txt").write_bytes(bytes(range(256)) * 4000)
    assert cause_in(tmp_path / "log.txt", str) is None
