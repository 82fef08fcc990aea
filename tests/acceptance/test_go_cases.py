"""Every recorded case of the Go runner, through the command line: hashes, argument lists, refusals."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.lab import Lab

EXAMPLES = Path(__file__).parents[1] / "examples/go_runner"
FACTS: dict[str, dict[str, Any]] = json.loads((EXAMPLES / "linux.json").read_text(encoding="utf-8"))
# refused by Go only when it came to run them: their hashes are still printed
REFUSED_AT_RUN = {
    "bad_int_command": "c02ee573ca83c6ffb24d2e2d9305816d0ee06b0aee29146d99be05aa2dec5db0",
    "bad_nested_list": "c02ee573ca83c6ffb24d2e2d9305816d0ee06b0aee29146d99be05aa2dec5db0",
    "bad_uv_empty_group": "637b56b5b0d15d1144e00d7d528f938f7c01360a68d703033c50a5a5f1c26e7c",
    "bad_uv_version_empty": "49fdfdfe79b3402eca83ac381d93ab8bcb69c1add21d341c60b13bdf4f13e9a8",
}
# docs/coming-from-go.md says why these differ
OURS = {
    "list_value": [
        "s.py",
        "--channels",
        "0",
        "1",
        "2",
        "--names",
        "a",
        "b c",
        "1.5",
        "true",
        "<nil>",
        "--empty",
    ],
    "scalars_null": ["s.py", "--a", "--b", "--c", "--d", "null", "--e", "", "--f", "--g"],
    "python_upper_and_later": ["-m", "tool", "python", "--interpreter", "python"],
}


@pytest.fixture
def case_lab(lab: Lab) -> Lab:
    """The recorded machine: DATA in .env, a conda base with the environment `ernet-gpu`."""
    base = lab.root / "conda"
    for prefix in (base, base / "envs/ernet-gpu"):
        for folder in ("conda-meta", "bin"):
            (prefix / folder).mkdir(parents=True)
        (prefix / "conda-meta/history").touch()
        (prefix / "bin/python").symlink_to(sys.executable)
    (lab.repo / ".env").write_text(f"DATA={lab.root}/the data\nCONDA_PATH={base}\n", encoding="utf-8")
    return lab


def case(name: str, lab: Lab) -> Path:
    return Path(shutil.copy(EXAMPLES / "cases" / f"{name}.yaml", lab.data / f"{name}.yaml"))


@pytest.mark.parametrize("name", FACTS)
def test_print_hash_gives_the_recorded_hashes(name: str, lab: Lab) -> None:
    path = case(name, lab)
    if FACTS[name].get("refused") and name not in REFUSED_AT_RUN:
        done = lab.run(path, "--print-hash", check=2)
        assert done.stdout == ""
        assert f"{name}.yaml:" in done.stderr
        return
    printed = yaml.safe_load(lab.run(path, "--print-hash").stdout)["segments"]
    if name in REFUSED_AT_RUN:
        assert [e["content_hash"] for e in printed] == [REFUSED_AT_RUN[name]]
    else:
        assert [[e["name"], e["content_hash"]] for e in printed] == FACTS[name]["segments"]
    assert sorted(p.name for p in lab.data.iterdir()) == [path.name]


@pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX; the Windows ones are in tests/reader")
@pytest.mark.parametrize("name", [name for name in FACTS if name.startswith("bad_")])
def test_a_malformed_case_is_refused_before_anything_runs(name: str, case_lab: Lab) -> None:
    path = case(name, case_lab)
    if name == "bad_duplicate_key":  # Go took it in silence
        assert "given twice" in case_lab.run(path, "--dry-run").stderr
        return
    done = case_lab.run(path, check=2)
    assert f"{name}.yaml:" in done.stderr
    assert "nothing was run" in done.stderr
    assert sorted(p.name for p in case_lab.data.iterdir()) == [path.name]


@pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX; the Windows ones are in tests/reader")
@pytest.mark.parametrize("name", [name for name, facts in FACTS.items() if facts.get("runs")])
def test_a_dry_run_shows_the_recorded_argument_list(name: str, case_lab: Lab) -> None:
    lab = case_lab
    places = {
        "${REPO}": str(lab.repo),
        "${YAML}": str(lab.data),
        "${YAML_PARENT}": str(lab.data.parent),
        "${CONDA}": str(lab.root / "conda"),
        "${DATA}": f"{lab.root}/the data",
    }

    def real(text: str) -> str:
        for token, place in places.items():
            text = text.replace(token, place)
        return text

    lines = lab.run(case(name, lab), "--dry-run", "--json").stdout.splitlines()
    steps = [e for e in map(json.loads, lines) if e["event"] == "step" and e["action"] == "run"]
    assert len(steps) == len(FACTS[name]["runs"])
    for step, recorded in zip(steps, FACTS[name]["runs"], strict=True):
        arguments = [real(word) for word in recorded["arguments"]]
        assert step["cwd"] == str(lab.repo)
        assert {k: v for k, v in step["env"].items() if k.startswith("RP_")} == {
            k: real(v) for k, v in recorded.get("env", {}).items()
        }
        if recorded["launcher"] == "cmd":  # equal but for the quotes that Go left out
            assert step["argv"][:2] == ["bash", "-lc"]
            assert " ".join(shlex.split(step["argv"][2])) == arguments[0]
        elif recorded["launcher"] == "uv":
            assert step["argv"][step["argv"].index("--") + 1 :] == ["python", *OURS.get(name, arguments)]
        elif name == "conda_named" or name == "conda_base":
            prefix = lab.root / "conda" / ("envs/ernet-gpu" if name == "conda_named" else "")
            assert step["argv"] == [str(prefix / "bin/python"), *arguments[1:]]
        else:
            assert step["argv"] == arguments
