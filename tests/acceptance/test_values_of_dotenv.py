"""Values of `.env` stand in nothing that is written down; their names do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.pipeline.masking import masked
from tests.support.lab import Lab, segment, shell

SECRETS = {"TOKEN": "s3cr3t-of-ana", "QUOTED": 'it\'s "hers" & 100%', "PIN": "73", "URL": "https://u:pass@host/x"}


def recorded(lab: Lab, pipeline: Path) -> str:
    """All that a run wrote, but for what the program itself printed."""
    files = [p for p in (pipeline.parent / ".run-pipeline").rglob("*") if p.is_file() and not p.name.startswith("log")]
    return "".join(path.read_text(encoding="utf-8") for path in files)


@pytest.mark.skipif(sys.platform == "win32", reason="the shell's line is bash's")
def test_a_record_has_the_names_and_never_the_values(lab: Lab) -> None:
    data = lab.root / "dåta [of] ana"
    data.mkdir()
    lines = [f"{name}={value!r}" if "'" not in value else f'{name}="{value}"' for name, value in SECRETS.items()]
    lines = [line.replace('"it\'s "hers"', '"it\'s \\"hers\\"') for line in lines]
    (lab.repo / ".env").write_text("\n".join([*lines, f"DATA={data}/"]) + "\n", encoding="utf-8")
    code = "import sys, os; print(sys.argv[1:], os.environ['T'])"
    flags = {"--token": "%TOKEN%", "--quoted": "%QUOTED%", "--pin": "%PIN%", "--url": "%URL%", "--in": "%DATA%/x.tif"}
    runs = [
        segment("uv", "python", "-c", code, flags, env={"T": "%TOKEN%"}, cwd="%DATA%"),
        shell("words", "%TOKEN%", **{"keep-going": True, "commands": ["echo", {"--token": "%QUOTED%"}]}),
        segment("idle", "python", "-c", "", outputs="%DATA%/*.csv"),
    ]
    pipeline = lab.pipeline(runs)
    done = lab.run(pipeline, "--json", check=1)
    log = (lab.runs(pipeline)[-1] / "01-uv" / "log.txt").read_text(encoding="utf-8")
    assert SECRETS["TOKEN"] in log  # what a program prints is its own
    texts = [recorded(lab, pipeline), done.stdout]
    lab.run(pipeline, "--accept")
    texts.append(lab.run("status", "--json", pipeline).stdout)
    for text in texts:
        for value in (*SECRETS.values(), str(data), json.dumps(str(data))[1:-1], "hers"):
            assert value == "73" or value not in text, (value, text)
    receipt = json.loads((lab.runs(pipeline)[0] / "01-uv" / "receipt.json").read_text(encoding="utf-8"))
    assert receipt["command"]["argv"][-10:] == [
        *("--token", "%TOKEN%", "--quoted", "%QUOTED%", "--pin", "%PIN%", "--url", "%URL%", "--in", "%DATA%/x.tif")
    ]
    assert receipt["command"]["env"]["T"] == "%TOKEN%"
    assert receipt["command"]["cwd"] == "%DATA%"
    assert SECRETS["TOKEN"] in lab.run(pipeline, "--dry-run", "--force").stdout  # a person can check


def test_a_report_of_a_crash_has_no_value_of_dotenv(lab: Lab, tmp_path: Path) -> None:
    (lab.repo / ".env").write_text("TOKEN=s3cr3t-of-ana\n", encoding="utf-8")
    code = (
        "import runner.cli.options as o, sys\n"
        "def load(*args): raise RuntimeError('at s3cr3t-of-ana')\n"
        "o.load = load; sys.argv = ['run-pipeline', 'status', sys.argv[1]]\n"
        "from runner.__main__ import main; main()"
    )
    pipeline = lab.pipeline([shell("a", "true")])
    environ = lab.environ(TMPDIR=str(tmp_path), TEMP=str(tmp_path), TMP=str(tmp_path))
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code, pipeline], env=environ, cwd=root, capture_output=True, text=True)
    assert done.returncode == 4, done.stderr
    (report,) = tmp_path.glob("run-pipeline-*.txt")
    text = report.read_text(encoding="utf-8")
    assert "at %TOKEN%" in text
    assert "s3cr3t" not in text


def test_short_values_are_masked_only_where_they_stand_alone() -> None:
    secrets = {"N": "1", "WORD": "data", "LONG": "0123456789"}
    argv = ["1", "--n=1", "10", "/mnt/database/data/1", "x0123456789y"]
    told = ["%N%", "--n=%N%", "10", "/mnt/database/%WORD%/1", "x%LONG%y"]
    assert masked(argv, secrets, windows=False) == told
    assert masked({"a": None, "b": 1}, secrets, windows=False) == {"a": None, "b": 1}
    assert masked(r"C:\data\x", {"D": "C:/data/"}, windows=True) == r"%D%\x"
    assert masked("", {"E": ""}, windows=os.name == "nt") == ""
