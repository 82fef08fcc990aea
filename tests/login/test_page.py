"""docs/cluster-from-windows.md: what it shows is what happens."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from runner.errors import UsageError
from runner.host import this_host
from runner.login import line, remote, ssh
from runner.login.cluster import find_cluster
from runner.login.line import connect
from runner.login.store import Last, Store
from runner.site_file import ClusterSettings
from tests.docs.pages import REPO, blocks

PAGE = REPO / "docs" / "cluster-from-windows.md"


def block(language: str) -> str:
    return next(one.text for one in blocks(language) if one.page == PAGE)


def test_the_example_of_the_site_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "run-pipeline.toml").write_text(block("toml"), encoding="utf-8")
    here = replace(this_host(interactive=False), environ={"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)})
    found = find_cluster("hpc", tmp_path, here)
    assert (found.host, found.folder) == ("me@login.hpc.org", "/scratch/lab/pipelines")


def test_the_quoted_message_is_the_runners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"RUN_PIPELINE_STATE": str(tmp_path)}
    host = replace(this_host(interactive=False), environ=environ)
    store = Store(host, "hpc")
    store.make()
    store.write_last(Last(1.0, 2.0, "Timeout, server login.hpc.org not responding."))
    monkeypatch.setattr(line, "clock", lambda seconds: "14:02")
    with pytest.raises(UsageError) as caught:
        connect(ClusterSettings("hpc", host="x", folder="y"), host)
    assert block("text") == f"error: {caught.value.message}\n  {caught.value.cure}\n"


def test_each_message_of_the_table_is_one_of_ours() -> None:
    sources = "".join(Path(module.__file__ or "").read_text(encoding="utf-8") for module in (line, remote, ssh))
    plain = re.sub(r'"\n\s+f?"', "", sources).replace("{host}", "").replace("{cluster.python}", "python3")
    told = re.findall(r"(?m)^\| (?:.*?)`([^`|]*)` \|", PAGE.read_text(encoding="utf-8"))
    assert len(told) >= 6
    for message in told:
        assert message in plain, message
