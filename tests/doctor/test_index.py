"""The indexes that uv.lock names, with servers of the test's own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from runner.doctor import State
from tests.doctor.machine import Machine, only

LOCK = """\
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "shop"
version = "1"
source = { virtual = "." }

[package.dev-dependencies]
plain = [{ name = "small" }]

[[package]]
name = "small"
version = "1.0"
source = { registry = "URL" }
"""


@contextmanager
def server(status: int) -> Iterator[tuple[str, list[str]]]:
    """An index that answers every request with `status`, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as index:
        thread = threading.Thread(target=index.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{index.server_port}/simple", asked
        index.shutdown()
        thread.join()


def online(machine: Machine, url: str) -> Machine:
    del machine.shop.environ["UV_OFFLINE"]
    for name in [name for name in machine.shop.environ if name.lower().endswith("_proxy")]:
        del machine.shop.environ[name]
    (machine.repo / "uv.lock").write_text(LOCK.replace("URL", url), encoding="utf-8")
    return machine


def test_a_lock_without_an_index_asks_nobody(machine: Machine) -> None:
    assert machine.said("package index") == []


@pytest.mark.parametrize("status", [200, 404, 405])
def test_an_index_that_answers_is_reached(machine: Machine, status: int) -> None:
    with server(status) as (url, asked):
        assert online(machine, url).said("package index") == [("ok", "reached: 127.0.0.1")]
    assert asked == ["/simple/small/"]


def test_an_index_behind_a_password_is_named(machine: Machine) -> None:
    with server(401) as (url, _):
        line = only(online(machine, url).lines("package index"))
    assert line.state is State.WARNING
    assert "name and a password" in line.text
    assert "UV_INDEX_NAME_PASSWORD" in line.cure


def test_no_index_is_asked_when_uv_is_offline(machine: Machine) -> None:
    with server(200) as (url, asked):
        online(machine, url).shop.environ["UV_OFFLINE"] = "1"
        assert machine.said("package index") == [("ok", "offline, not looked at (UV_OFFLINE)")]
    assert asked == []


def test_an_index_that_is_gone_is_a_problem_only_while_something_is_to_be_prepared(machine: Machine) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        online(machine, f"http://127.0.0.1:{closed.getsockname()[1]}/simple")
        line = only(machine.lines("package index"))
        assert line.state is State.WARNING
        assert "127.0.0.1 cannot be used" in line.text
        machine.pipeline({"name": "a", "environment": "uv:plain", "commands": ["python", "-c", "pass"]})
        line = only(machine.lines("package index"))
        assert line.state is State.PROBLEM
        assert "plain is still to be prepared" in line.text


def test_an_index_that_never_answers_is_given_up(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.doctor.index.PATIENCE", 1.4)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        online(machine, f"http://127.0.0.1:{mute.getsockname()[1]}/simple")
        line = only(machine.lines("package index"))
    assert line.state is State.WARNING
    assert "timed out" in line.text or "no answer" in line.text


def test_a_proxy_of_the_surroundings_is_used(machine: Machine) -> None:
    with server(200) as (url, asked):
        online(machine, "http://index.invalid/simple").environ["http_proxy"] = url.removesuffix("/simple")
        assert machine.said("package index") == [("ok", "reached: index.invalid")]
        assert asked == ["http://index.invalid/simple/small/"]
        machine.environ["NO_PROXY"] = "other.invalid, .invalid"
        assert only(machine.lines("package index")).state is State.WARNING
