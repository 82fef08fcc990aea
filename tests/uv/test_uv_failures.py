"""What the real uv says when it fails, told in plain words with a cure."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.environments.prepare import run_preparation
from runner.environments.uv import kind as uv
from runner.environments.uv.failures import explain
from runner.environments.uv.stamp import read_stamp
from runner.errors import EnvironmentMissing, ExitCode
from tests.uv.index import Index
from tests.uv.shop import HEAD, Shop, make_wheel, run


def failure(shop: Shop, text: str = "uv:one", **environ: str) -> EnvironmentMissing:
    """The error that preparing ends with; always exit code 3, and no environment counts as made."""
    site = shop.site(**environ)
    preparation = uv.prepare(shop.spec(text), ["python"], site)
    assert preparation is not None
    with pytest.raises(EnvironmentMissing) as caught:
        run_preparation(preparation, lambda command: run(command, site.host.environ))
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert read_stamp(uv.place(shop.spec(text), site)) is None  # whose the folder is may stand there
    return caught.value


@pytest.fixture
def index(shop: Shop, tmp_path: Path) -> Iterator[Index]:
    """`shop` takes its wheel from an index; nothing is in the cache."""
    index = Index(tmp_path / "index")
    shop.environ |= {"UV_OFFLINE": "0", "UV_CACHE_DIR": str(tmp_path / "cache"), "UV_HTTP_RETRIES": "0"}
    (shop.repo / "pyproject.toml").write_text(
        f'{HEAD}[dependency-groups]\none = ["alpha"]\n[tool.uv]\npackage = false\n'
        f'[tool.uv.sources]\nalpha = {{ index = "lab" }}\n'
        f'[[tool.uv.index]]\nname = "lab"\nurl = "{index.url}"\nexplicit = true\n',
        encoding="utf-8",
    )
    shop.uv("lock", "--quiet")
    shutil.rmtree(tmp_path / "cache")
    yield index
    index.close()


def test_a_stale_lock(shop: Shop) -> None:
    shop.wheel("alpha").wheel("beta").write(one=["alpha"])
    path = shop.repo / "pyproject.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("['alpha']", "['alpha', 'beta']"), encoding="utf-8")
    error = failure(shop)
    assert error.message == "uv group one: uv.lock is not up to date with pyproject.toml"
    assert f"Run `uv lock` in {shop.repo}" in error.cure


def test_a_stale_lock_of_an_environment_that_is_otherwise_right_leaves_it_alone(shop: Shop) -> None:
    shop.wheel("alpha").wheel("beta").write(one=["alpha"], two=["beta"])
    shop.prepare("uv:one")
    path = shop.repo / "pyproject.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("two = ['beta']", "two = []"), encoding="utf-8")
    with pytest.raises(EnvironmentMissing, match="not up to date"):
        shop.prepare("uv:one")
    shop.uv("lock", "--quiet")
    assert shop.prepare("uv:one") == ["lock"]


def test_a_missing_python(shop: Shop) -> None:
    shop.write(one=[])
    error = failure(shop, "uv@3.99:one")
    assert "there is no Python 3.99 on this machine" in error.message
    assert "uv python install" in error.cure


def test_a_python_that_can_only_be_had_from_the_network(shop: Shop) -> None:
    shop.write(one=[])
    error = failure(shop, "uv@3.14:one", UV_PYTHON_DOWNLOADS="automatic", PATH="", UV_OFFLINE="1")
    assert "no network" in error.message
    error = failure(
        shop, "uv@3.14:one", UV_PYTHON_DOWNLOADS="automatic", PATH="", UV_OFFLINE="0", UV_HTTP_RETRIES="0",
        UV_PYTHON_INSTALL_MIRROR="http://127.0.0.1:9/pythons",
    )  # fmt: skip
    assert "the server cannot be reached: http://127.0.0.1:9/pythons" in error.message


def test_a_python_that_the_group_does_not_allow(shop: Shop) -> None:
    shop.more = '\n[tool.uv.dependency-groups]\none = { requires-python = ">=3.12" }\n'
    shop.write(one=[])
    error = failure(shop, "uv@3.11:one")
    assert "does not fit >=3.12" in error.message
    assert "tool.uv.dependency-groups.one.requires-python" in error.message


def test_an_index_that_cannot_be_reached(shop: Shop, index: Index) -> None:
    index.close()
    error = failure(shop)
    assert error.message.startswith(f"uv group one: the server cannot be reached: {index.url}/alpha/alpha-1.0")
    assert "HTTPS_PROXY" in error.cure


def test_a_proxy_that_is_not_there(shop: Shop, index: Index) -> None:
    error = failure(shop, HTTP_PROXY="http://127.0.0.1:9", NO_PROXY="", no_proxy="")
    assert "cannot be reached" in error.message


def test_offline_without_a_filled_cache(shop: Shop, index: Index) -> None:
    error = failure(shop, UV_OFFLINE="1")
    assert "UV_OFFLINE" in error.message
    assert "UV_CACHE_DIR" in error.cure


@pytest.mark.parametrize(
    ("status", "expected"), [(401, "401 Unauthorized"), (403, "403 Forbidden"), (404, "no longer"), (503, "reached")]
)
def test_an_index_that_refuses(shop: Shop, index: Index, status: int, expected: str) -> None:
    index.status = status
    error = failure(shop)
    assert expected in error.message
    assert "alpha-1.0-py3-none-any.whl" in error.message


def test_a_server_that_never_answers(shop: Shop, index: Index) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for name in ("pyproject.toml", "uv.lock"):
            path = shop.repo / name
            path.write_text(path.read_text(encoding="utf-8").replace(index.url, url), encoding="utf-8")
        error = failure(shop, UV_HTTP_TIMEOUT="1")
    assert "cannot be reached" in error.message
    assert "UV_HTTP_TIMEOUT" in error.cure


def test_a_certificate_that_is_not_accepted(shop: Shop, index: Index, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("makes its certificate with openssl")
    import ssl

    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    index.server.socket = context.wrap_socket(index.server.socket, server_side=True)
    for name in ("pyproject.toml", "uv.lock"):
        path = shop.repo / name
        text = path.read_text(encoding="utf-8").replace(index.url, index.url.replace("http:", "https:"))
        path.write_text(text, encoding="utf-8")
    error = failure(shop)
    assert "certificate was not accepted" in error.message
    assert "SSL_CERT_FILE" in error.cure


def test_a_file_that_is_not_the_one_of_the_lock(shop: Shop) -> None:
    shop.wheel("alpha").write(one=["alpha"])
    make_wheel(shop.repo / "wheels", "alpha", program="something-else")
    error = failure(shop)
    assert "hash mismatch" in error.message
    assert "alpha" in error.message


def test_a_package_without_a_build_for_this_system(shop: Shop) -> None:
    shop.wheel("alpha", tag="py3-none-win_arm64").write(one=["alpha"])
    assert "no build for this system: alpha==1.0" in failure(shop).message


def test_a_package_that_cannot_be_built(shop: Shop) -> None:
    folder = shop.repo / "tools"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "tools"\nversion = "1"\n[build-system]\nrequires = []\nbuild-backend = "b"\n'
        'backend-path = ["."]\n',
        encoding="utf-8",
    )
    (folder / "b.py").write_text("def build_wheel(*a, **k):\n    raise RuntimeError('needs a compiler')\n")
    shop.more = 'tools = { path = "tools" }\n'
    shop.write(one=["tools"])
    error = failure(shop)
    assert "failed: tools" in error.message
    assert "needs a compiler" in error.cure


def test_a_wheel_that_is_gone(shop: Shop) -> None:
    shop.wheel("alpha").write(one=["alpha"])
    shop.wheels["alpha"].unlink()
    assert str(shop.wheels["alpha"]) in failure(shop).message


def test_a_broken_lock_file(shop: Shop) -> None:
    shop.write(one=[])
    path = shop.repo / "uv.lock"
    path.write_text(path.read_text(encoding="utf-8") + "\n[x\n", encoding="utf-8")
    with pytest.raises(EnvironmentMissing, match="not valid TOML"):
        uv.prepare(shop.spec("uv:one"), ["python"], shop.site())


def test_a_lock_of_a_newer_uv_and_a_uv_that_pyproject_refuses(shop: Shop) -> None:
    shop.write(one=[])
    lock, project = shop.repo / "uv.lock", shop.repo / "pyproject.toml"
    text = lock.read_text(encoding="utf-8")
    lock.write_text(text.replace("version = 1", "version = 9", 1), encoding="utf-8")
    assert "newer than this one" in failure(shop).message
    lock.write_text(text, encoding="utf-8")
    changed = project.read_text(encoding="utf-8").replace("package = false", 'required-version = ">=99"')
    project.write_text(changed, encoding="utf-8")
    assert "asks for uv >=99" in failure(shop).message


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 kB; needs the rights to mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    made = subprocess.run([mount, "-t", "tmpfs", "-o", "size=40k", "tmpfs", folder], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk(shop: Shop, small_disk: Path) -> None:
    shop.write(one=[])
    site = replace(shop.site(), environments=small_disk)
    preparation = uv.prepare(shop.spec("uv:one"), ["python"], site)
    assert preparation is not None
    with pytest.raises(EnvironmentMissing) as caught:
        run_preparation(preparation, lambda command: run(command, site.host.environ))
    assert "the disk is full" in caught.value.message
    assert not [path.name for path in small_disk.iterdir() if path.suffix == ".lock"]
    assert read_stamp(uv.place(shop.spec("uv:one"), site)) is None


def test_a_disk_that_may_not_be_written_serves_what_is_in_step_and_says_so_otherwise(
    shop: Shop, small_disk: Path
) -> None:
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    shop.wheel("alpha").write(one=["alpha"], two=[])
    site = replace(shop.site(), environments=small_disk)
    assert shop.prepare("uv:one", site) == ["sync"]
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert uv.prepare(shop.spec("uv:one"), ["python"], site) is None
    shop.write(two=["alpha"])
    assert uv.prepare(shop.spec("uv:one"), ["python"], site) is None
    shop.wheel("alpha", "2.0").write()
    with pytest.raises(EnvironmentMissing, match="no permission to write"):
        shop.prepare("uv:one", site)


def test_a_cache_that_may_not_be_written(shop: Shop, small_disk: Path) -> None:
    shop.write(one=[])
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    error = failure(shop, UV_CACHE_DIR=str(small_disk / "cache"))
    assert "uv cannot write to its cache" in error.message
    assert "UV_CACHE_DIR" in error.cure


@pytest.mark.parametrize(("code", "output"), [(130, ""), (-2, "x"), (0xC000013A, "")])
def test_an_interrupted_sync_is_not_taken_for_a_fault(code: int, output: str) -> None:
    assert "was interrupted" in explain("uv group one", output, code, repo="r", folder="f").message


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (0xC0000135, "0xC0000135: a DLL that it needs was not found"),
        (0xC000007B - 2**32, "0xC000007B: a DLL has the wrong format"),
        (0xC0000005, "0xC0000005: it crashed"),
    ],
)
def test_a_uv_that_windows_cannot_load_is_told_with_its_code(code: int, says: str) -> None:
    error = explain("uv group one", "", code, repo="r", folder="f")
    assert says in error.message and "uv did not work" in error.message
    assert "Install uv anew" in error.cure


def test_an_unknown_code_of_windows_is_told_as_people_look_it_up() -> None:
    assert "uv ended with 0xC0FFEE00" in explain("uv group one", "", 0xC0FFEE00, repo="r", folder="f").message


def test_lines_that_uv_broke_at_the_width_of_a_terminal_are_understood() -> None:
    said = (
        "error: The requested interpreter resolved to Python 3.11.7, which is\n       incompatible with the project's\n"
    )
    said += "       Python requirement: `>=3.12` (from\n       `tool.uv.dependency-groups.one.requires-python`).\n"
    message = explain("uv group one", said, 2, repo="r", folder="f").message
    assert message.endswith(
        "does not fit >=3.12, which pyproject.toml demands (tool.uv.dependency-groups.one.requires-python)"
    )


def test_windows_own_refusals_have_their_cures() -> None:
    def message(output: str) -> str:
        return explain("uv group one", output, 2, repo="r", folder="f").message

    assert "still runs from the environment" in message("error: failed to remove: ... (os error 32)")
    assert "may not be written" in message(
        "error: failed to remove file `C:\\x\\a.pyd`: Access is denied. (os error 5)"
    )
    assert "longer than this Windows takes" in message("error: The filename is too long. (os error 206)")
    assert "disk is full" in message("error: There is not enough space on the disk. (os error 112)")


def test_what_nobody_foresaw_is_shown_as_uv_said_it_without_passwords() -> None:
    error = explain("uv group one", "error: strange https://ana:secret@host/x\n", 2, repo="r", folder="f")
    assert "exit code 2" in error.message
    assert "uv: error: strange https://host/x" in error.cure


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("UV_LINK_MODE", "blub", "the variable behind uv's --link-mode has a value that uv does not take: `blub`"),
        ("UV_HTTP_TIMEOUT", "abc", "the variable UV_HTTP_TIMEOUT has a value that uv does not take: `abc`"),
        ("UV_PYTHON_DOWNLOADS", "blub", "the variable UV_PYTHON_DOWNLOADS has a value that uv does not take"),
    ],
)
def test_a_variable_with_a_value_that_uv_does_not_take_is_named(
    shop: Shop, variable: str, value: str, told: str
) -> None:
    shop.wheel("alpha").write(one=["alpha"])
    assert told in failure(shop, **{variable: value}).message


def test_a_python_that_only_uvs_own_may_be_is_not_called_missing_on_the_machine(shop: Shop, tmp_path: Path) -> None:
    shop.write(one=[])
    own = {"UV_MANAGED_PYTHON": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_PYTHON_INSTALL_DIR": str(tmp_path)}
    (finding,) = uv.check(shop.spec("uv@3.11:one"), ["python"], shop.site(**own))
    assert "Python 3.11, which is not among uv's own" in finding.message
    assert 'uv python install "3.11"' in finding.cure
    assert "UV_MANAGED_PYTHON" in finding.cure
