"""Where weights come from, and which files are not taken for them."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.programs.conftest import PROGRAMS

REASONS = {
    "shifted windows": "shifted windows of 4 x 4",
    "rcab": "channel attention (RCAB)",
    "colour": "three-channel",
    "three classes": "tells 3 classes apart",
    "restoring": "SwinIR network that restores images",
    "resnet": "a ResNet",
    "unknown": "an unknown network of 1 tensors (a.weight)",
    "incomplete": "2 of 174 tensors are missing (norm.weight, norm.bias)",
    "other index": "other numbers than windows of 2 x 2",
    "numbers": "not all are tensors",
    "list": "an object of the type list",
    "program": "pathlib",
    "page": "a web page",
    "empty": "the file is empty",
    "keras": "an HDF5 file",
    "cut": "damaged or incomplete",
    "old": "PyTorch before 1.6",
    "junk": "no PyTorch checkpoint",
    "lfs": "a pointer of Git LFS",
    "zip": "torch.save did not write it",
}


def test_a_foreign_file_is_refused_by_what_it_is(engine, tmp_path):
    found = engine.ask("refusals", engine.name, tmp_path)
    assert set(found) == set(REASONS)
    for name, reason in REASONS.items():
        assert reason in found[name], (name, found[name])
        assert name in found[name], "the message names the file"


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell a program the most memory that it took")
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("wide", "the tensor norm.weight has the shape (100000, 100000) and should have (64,)"),
        ("named", "they have 1 tensors that this network does not have (another)"),
        ("beyond", "the tensor norm.weight reaches beyond its storage"),
        ("without", "it is damaged or incomplete"),
        ("bomb", "archive/data/500 claims 0.5 GiB"),
        ("number", "not all are tensors"),
        ("deep", "it is no set of weights"),
        *((kind, "damaged") for kind in ("call", "reference", "unhashable", "long", "memo", "stack", "empty")),
    ],
)
def test_a_checkpoint_that_claims_anything_is_refused_in_words_and_takes_no_memory(engine, tmp_path, kind, said):
    found = engine.ask("made_up", engine.name, tmp_path, kind)
    assert said in found["said"]
    assert f"{kind}.pth" in found["said"], "the message names the file"
    assert found["memory"] < 3e8


@pytest.mark.parametrize("kind", ["key", "keys", "made", "set", "frozen", "ordered", "storage", "entry", "strides"])
def test_a_checkpoint_that_would_take_for_ever_is_refused_at_once(engine, tmp_path, kind):
    assert "damaged" in engine.ask("made_up", engine.name, tmp_path, kind)["said"]


class Shelf(BaseHTTPRequestHandler):
    """Serves one file with ranges, as file servers do; the first answer may break off."""

    content = b""
    break_at = 0
    asked: list[str]

    def do_GET(self):
        self.asked.append(self.headers.get("Range", ""))
        if "missing" in self.path:
            self.send_error(404)
            return
        start = 0
        if self.headers.get("Range") and self.headers.get("If-Range") == '"v1"':
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.send_header("ETag", '"v1"')
        self.end_headers()
        stop = self.break_at if self.break_at and not start else len(self.content)
        self.wfile.write(self.content[start:stop])

    def log_message(self, *_):
        pass


@pytest.fixture
def shelf(onnx, tmp_path):
    """A server on this machine that has a small model."""
    onnx.ask("small_model", tmp_path / "model.onnx")
    onnx.ask("make_images", tmp_path / "images")
    handler = type("Own", (Shelf,), {"content": (tmp_path / "model.onnx").read_bytes(), "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        handler.address = f"http://127.0.0.1:{server.server_port}/model.onnx"
        yield handler
        server.shutdown()
        thread.join()


def start(onnx, address, *more, code=0):
    home = str(onnx.folder / "home")
    environ = {"XDG_CACHE_HOME": home, "LOCALAPPDATA": home, "HOME": home, "NO_PROXY": "*", "no_proxy": "*"}
    image = onnx.folder / "images" / "u8.tif"
    where = ["--input-search-pattern", image, "--output-folder", onnx.folder / "out"]
    return onnx.run(*where, "--weights", address, *more, code=code, environ=environ)


def kept(onnx):
    return sorted(path.name for path in (onnx.folder / "home").rglob("*") if path.is_file())


def test_a_download_is_checked_kept_and_not_fetched_again(onnx, shelf):
    digest = hashlib.sha256(shelf.content).hexdigest()
    start(onnx, shelf.address, "--weights-sha256", digest.upper())
    start(onnx, shelf.address, "--weights-sha256", digest)
    assert len(shelf.asked) == 1
    assert kept(onnx) == ["model.onnx"]


def test_a_download_that_broke_off_goes_on_where_it_ended(onnx, shelf):
    shelf.break_at = 100
    done = start(onnx, shelf.address, code=1)
    assert "the connection ended after 100 of" in done.stderr
    start(onnx, shelf.address)
    assert shelf.asked == ["", "bytes=100-"]
    assert kept(onnx) == ["model.onnx"]


def test_a_file_with_another_hash_is_refused_and_not_kept(onnx, shelf):
    done = start(onnx, shelf.address, "--weights-sha256", "0" * 64, code=1)
    assert "its SHA-256 is" in done.stderr
    assert "model.onnx" not in kept(onnx)


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signal to one process")
def test_a_download_can_be_stopped(onnx, tmp_path):
    onnx.ask("make_images", tmp_path / "images")
    program = [onnx.python, PROGRAMS / "_segment_ernet.py", "--input-search-pattern", tmp_path / "images" / "u8.tif"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/model.onnx"
        environ = onnx.environ() | {"XDG_CACHE_HOME": str(tmp_path / "home"), "no_proxy": "*"}
        with subprocess.Popen(
            [*program, "--output-folder", tmp_path / "out", "--weights", address],
            env=environ,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        ) as child:
            silent.settimeout(60)
            with silent.accept()[0] as asked:
                asked.recv(1000)  # it waits for the answer now
                child.send_signal(signal.SIGINT)
                said = child.communicate(timeout=60)[1]
    assert (child.returncode, "Traceback" in said, "Stopped." in said) == (130, False, True)


def test_an_address_without_a_file_is_named(onnx, shelf):
    address = shelf.address.replace("model", "missing")
    assert f"{address} answers 404" in start(onnx, address, code=1).stderr


def test_without_a_network_the_message_names_the_address_and_what_to_do(onnx, shelf):
    address = "http://127.0.0.1:9/model.pth"  # nothing listens on the discard port
    done = start(onnx, address, code=1)
    assert address in done.stderr
    assert "fetch the file on another computer and give its path: --weights PATH" in done.stderr


def test_where_no_network_is_used_nothing_is_asked_for(tmp_path):
    code = "from _ernet import weights; weights.fetch('http://10.255.255.1/er.onnx')"
    environ = os.environ | {"UV_OFFLINE": "1", "XDG_CACHE_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    environ |= {"PYTHONPATH": str(PROGRAMS)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=20)
    assert "no network is used (--offline, UV_OFFLINE or a file says so)" in done.stderr
    assert "--weights PATH" in done.stderr
