"""A package index on this machine."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from pathlib import Path

from tests.support.wheels import make_wheel


class Index:
    """A package index on this machine, whose answer can be set; it has the wheel of `alpha`."""

    def __init__(self, folder: Path) -> None:
        self.status = 200
        self.folder = folder
        index = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                if index.status == 200:
                    super().do_GET()
                else:
                    self.send_error(index.status)

        self.add("alpha")
        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
        )
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def add(self, name: str, **options: str) -> Path:
        wheel = make_wheel(self.folder / name, name, **options)
        page = f'<a href="{wheel.name}#sha256={hashlib.sha256(wheel.read_bytes()).hexdigest()}">{wheel.name}</a>'
        (wheel.parent / "index.html").write_text(page, encoding="utf-8")
        return wheel

    def close(self) -> None:
        if self.thread.is_alive():
            self.server.shutdown()
            self.server.server_close()
            self.thread.join()
