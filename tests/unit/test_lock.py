"""What uv.lock says about the packages for the GPU: from which index, with which hashes, and for whom. No network."""

from __future__ import annotations

import os
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

REPO = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
(CUDA,) = [index for index in PROJECT["tool"]["uv"]["index"] if index["name"] == "pytorch-cu124"]
PINNED = {"torch": "2.4.0", "torchvision": "0.19.0", "torchaudio": "2.4.0"}


@cache
def packages() -> list[dict[str, Any]]:
    return tomllib.loads((REPO / "uv.lock").read_text(encoding="utf-8"))["package"]


def uv(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """uv without a network and with an empty cache."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("UV_") and name != "VIRTUAL_ENV"}
    environ = kept | {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "cache")} | variables
    return subprocess.run(
        [find_uv_bin(), *arguments], cwd=REPO, env=environ, capture_output=True, encoding="utf-8", timeout=60
    )


@pytest.mark.parametrize("name", PINNED)
def test_the_lock_has_cuda_wheels_with_hashes_for_linux_and_windows_from_pytorchs_index(name: str) -> None:
    (found,) = [one for one in packages() if one["name"] == name and one["version"] == f"{PINNED[name]}+cu124"]
    assert found["source"] == {"registry": CUDA["url"]}
    for platform in ("linux_x86_64", "win_amd64"):
        wheels = [wheel for wheel in found["wheels"] if wheel["url"].endswith(f"-cp311-cp311-{platform}.whl")]
        assert len(wheels) == 1, platform
        assert wheels[0]["url"].startswith(CUDA["url"])
        assert wheels[0]["hash"].startswith("sha256:")
        assert len(wheels[0]["hash"]) == len("sha256:") + 64


@pytest.mark.parametrize("name", PINNED)
def test_a_mac_gets_the_same_version_without_cuda_from_the_default_index(name: str) -> None:
    (found,) = [one for one in packages() if one["name"] == name and one["version"] == PINNED[name]]
    assert found["source"]["registry"] != CUDA["url"]
    assert any("cp311" in wheel["url"] and wheel["url"].endswith("_arm64.whl") for wheel in found["wheels"])


def test_the_index_for_cuda_is_asked_for_these_three_packages_of_this_group_alone() -> None:
    assert CUDA["explicit"] is True
    assert {one["name"] for one in packages() if one["source"].get("registry") == CUDA["url"]} == set(PINNED)
    sources = PROJECT["tool"]["uv"]["sources"]
    assert {name: source["group"] for name, source in sources.items()} == dict.fromkeys(PINNED, "segment_ernet")
    assert not any("torch" in text for text in PROJECT["project"]["dependencies"])


def test_no_other_group_has_anything_of_cuda(tmp_path: Path) -> None:
    groups = PROJECT["dependency-groups"]
    for group in groups:
        done = uv(tmp_path, "export", "-q", "--frozen", "--only-group", group, "--no-header", "--no-hashes")
        assert done.returncode == 0, done.stderr
        lines = [line for line in done.stdout.splitlines() if "cu12" in line or line.startswith("torch")]
        assert bool(lines) == (group == "segment_ernet"), (group, lines)
    # the three stand there under their platforms, never bare
    for line in groups["segment_ernet"]:
        assert "torch" not in line or "sys_platform" in line


def test_each_platform_gets_its_own_build_of_torch(tmp_path: Path) -> None:
    wanted = {
        "x86_64-unknown-linux-gnu": {"torch==2.4.0+cu124", "triton==3.0.0"},
        "x86_64-pc-windows-msvc": {"torch==2.4.0+cu124"},
        "aarch64-apple-darwin": {"torch==2.4.0"},
    }
    for platform, packages_there in wanted.items():
        done = uv(
            tmp_path,
            *("sync", "--locked", "--dry-run", "--only-group", "segment_ernet"),
            *("--python-platform", platform),
            UV_PROJECT_ENVIRONMENT=str(tmp_path / "environment"),
            MACOSX_DEPLOYMENT_TARGET="14.0",  # the oldest that onnxruntime has wheels for
        )
        if "No interpreter found" in done.stderr:
            pytest.skip("the group needs Python 3.11, which is not installed here")
        assert done.returncode == 0, done.stderr
        planned = {line.removeprefix(" + ") for line in done.stderr.splitlines() if line.startswith(" + ")}
        found = {one for one in planned if one.split("==")[0] in ("torch", "triton")}
        assert found == packages_there, platform
    assert not (tmp_path / "environment").exists()


def test_the_group_runs_on_python_3_11_and_is_apart_from_groups_with_a_newer_numpy() -> None:
    tool = PROJECT["tool"]["uv"]
    assert tool["dependency-groups"]["segment_ernet"]["requires-python"] == "==3.11.*"
    apart = {member["group"] for pair in tool["conflicts"] for member in pair} - {"segment_ernet"}
    with_numpy = {name for name, lines in PROJECT["dependency-groups"].items() if "numpy>=1.26" in lines}
    assert with_numpy <= apart


def test_the_lock_belongs_to_the_project_file(tmp_path: Path) -> None:
    done = uv(tmp_path, "lock", "--check")
    assert done.returncode == 0, done.stderr
