# Python 3.6, and paths as bytes since the login node's locale may know no UTF-8
# ruff: noqa: PTH101, PTH103, PTH105, PTH108, PTH110, PTH111, PTH113, PTH116, PTH118, PTH119, PTH120, PTH123, PTH202, RUF005, UP006, UP031, UP035, UP045
"""What runs on the login node: commands, and files there and back, on standard input and output.

One file of plain Python, 3.6 and newer, which ssh brings along; nothing is installed and nothing is removed there.
Our side takes the frames from here too. A request is a run of frames with one number, its answer likewise; each has
a thread of its own. What a shell prints before MAGIC is not for us.
"""

import errno
import fnmatch
import hashlib
import json
import os
import platform
import queue
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Optional, Set, Tuple

MAGIC = b"run-pipeline agent 1"
LAST, KEEPER = 1, 2  # flags: the last frame of a request or an answer; for the keeper, not for the agent
CHUNK = 256 * 1024
WINDOW = 16  # chunks under way that nobody has acknowledged
GRACE = 20.0  # seconds for a command to end kindly
SHELL_TAKES = 20.0  # seconds for the start-up files of a login shell
ALIVE = 5.0  # seconds between two signs of life of a request
_PREFIX = struct.Struct(">BQII")
_MOST = 64 << 20  # bytes of a frame

Frame = Tuple[int, int, Dict[str, Any], bytes]  # flags, number, header, body


def pack(flags: int, number: int, header: Dict[str, Any], body: bytes = b"") -> bytes:
    head = json.dumps(header, separators=(",", ":")).encode("ascii")
    return _PREFIX.pack(flags, number, len(head), len(body)) + head + body


def read_raw(stream: BinaryIO) -> Optional[Tuple[int, int, bytes, bytes]]:
    """The next frame with its header unread; None at the end. Raises ValueError for what is no frame."""
    prefix = _exactly(stream, _PREFIX.size)
    if prefix is None:
        return None
    flags, number, head_size, body_size = _PREFIX.unpack(prefix)
    if head_size + body_size > _MOST:
        raise ValueError("a frame of %d bytes" % (head_size + body_size))
    head, body = _exactly(stream, head_size), _exactly(stream, body_size)
    return None if head is None or body is None else (flags, number, head, body)


def pack_raw(flags: int, number: int, head: bytes, body: bytes) -> bytes:
    return _PREFIX.pack(flags, number, len(head), len(body)) + head + body


def read_frame(stream: BinaryIO) -> Optional[Frame]:
    raw = read_raw(stream)
    return None if raw is None else (raw[0], raw[1], json.loads(raw[2].decode("ascii")), raw[3])


def _exactly(stream: BinaryIO, size: int) -> Optional[bytes]:
    parts = []
    while size:
        part = stream.read(size)
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def on_disk(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def as_text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def below(base: str, path: str) -> bytes:
    """`path`, with slashes and relative, below `base`. Raises ValueError for one that leads out of it."""
    parts = path.split("/")
    if not path or path.startswith("/") or ".." in parts or "\0" in path:
        raise ValueError("%s leads out of %s" % (path, base))
    return os.path.join(home_path(base), on_disk(path))


def home_path(text: str) -> bytes:
    return os.path.expanduser(on_disk(text))


def matches(path: List[str], pattern: List[str]) -> bool:
    """Whether a glob means this path, or a folder that it lies in."""
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(matches(path[start:], pattern[1:]) for start in range(len(path) + 1))
    return bool(path) and fnmatch.fnmatchcase(path[0], pattern[0]) and matches(path[1:], pattern[1:])


def leads(path: List[str], pattern: List[str]) -> bool:
    """Whether something in this folder may be meant."""
    for name, part in zip(path, pattern):  # noqa: B905
        if part == "**":
            return True
        if not fnmatch.fnmatchcase(name, part):
            return False
    return True


class Request:
    """One request: its frames as they come, and the way to answer."""

    def __init__(self, agent: "Agent", number: int) -> None:
        self.agent, self.number = agent, number
        self.frames: queue.Queue[Optional[Tuple[Dict[str, Any], bytes, bool]]] = queue.Queue()
        self.gone = threading.Event()  # nobody waits for the answer any more
        self.credit = threading.Semaphore(WINDOW)

    def answer(self, header: Dict[str, Any], body: bytes = b"", last: bool = False) -> None:
        self.agent.write(pack(LAST if last else 0, self.number, header, body))

    def send(self, header: Dict[str, Any], body: bytes) -> None:
        """A part of an answer that may be long: waits until the other side keeps up."""
        while not self.credit.acquire(timeout=1.0):
            if self.gone.is_set():
                raise ConnectionError("nobody takes it")
        if self.gone.is_set():
            raise ConnectionError("nobody takes it")
        self.answer(header, body)


class Agent:
    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self.source, self.sink = source, sink
        self.lock = threading.Lock()
        self.asking = threading.Lock()
        self.known: Optional[Dict[bytes, bytes]] = None
        self.requests: Dict[int, Request] = {}
        self.kept: List[threading.Thread] = []
        self.broken = threading.Event()

    def environ(self) -> Dict[bytes, bytes]:
        """What a login by hand has: many a site puts its scheduler on PATH in /etc/profile.d alone."""
        with self.asking:
            if self.known is None:
                self.known = login_environ()
            return self.known

    def write(self, data: bytes) -> None:
        with self.lock:
            try:
                self.sink.write(data)
                self.sink.flush()
            except (OSError, ValueError):
                self.broken.set()

    def serve(self) -> None:
        self.write(b"\n" + MAGIC + b"\n")
        self.write(pack(LAST, 0, hello()))
        threading.Thread(target=self.tick, daemon=True).start()
        try:
            while True:
                frame = read_frame(self.source)
                if frame is None:
                    break
                self.take(frame)
        except (OSError, ValueError):
            pass
        self.broken.set()
        for request in list(self.requests.values()):
            request.gone.set()
            request.frames.put(None)
        for thread in self.kept:  # a command that was to go on, such as a submission: its output has to go somewhere
            thread.join()
        deadline = time.time() + GRACE + 10
        while self.requests and time.time() < deadline:
            time.sleep(0.05)

    def take(self, frame: Frame) -> None:
        flags, number, header, body = frame
        request = self.requests.get(number)
        if request is None:
            if "op" not in header:
                return  # for a request that has ended
            request = self.requests[number] = Request(self, number)
            request.frames.put((header, body, bool(flags & LAST)))
            thread = threading.Thread(target=self.work, args=(request,), daemon=True)
            if header.get("keep"):
                self.kept = [one for one in self.kept if one.is_alive()] + [thread]
            try:
                thread.start()
            except RuntimeError as error:  # a login node may allow few
                self.requests.pop(number, None)
                request.answer({"error": str(error)}, last=True)
        elif "ack" in header:
            request.credit.release()
        elif "gone" in header:
            request.gone.set()
            request.frames.put(None)
        else:
            request.frames.put((header, body, bool(flags & LAST)))

    def work(self, request: Request) -> None:
        first = request.frames.get()
        assert first is not None
        try:
            header = OPERATIONS[first[0]["op"]](request, first[0], first[1])
        except ConnectionError:
            header = {}
        except OSError as error:
            name = error.filename if isinstance(error.filename, (bytes, str)) else ""
            path = as_text(name) if isinstance(name, bytes) else name
            header = {"error": error.strerror or str(error), "errno": error.errno, "path": path}
        except Exception as error:
            header = {"error": "%s: %s" % (type(error).__name__, error)}
        self.requests.pop(request.number, None)
        request.answer(header, last=True)

    def tick(self) -> None:
        while not self.broken.wait(ALIVE):
            self.write(pack(0, 0, {"alive": 1}))
            for request in list(self.requests.values()):
                request.answer({"alive": 1})


def hello() -> Dict[str, Any]:
    return {
        "python": platform.python_version(),
        "host": socket.gethostname(),
        "home": as_text(os.path.expanduser(b"~")),
        "system": platform.system(),
        "pid": os.getpid(),
    }


# --- files


def writable(request: Request, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
    """Makes the folder, and tries to write there what a small file takes."""
    folder = home_path(header["base"])
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as stream:
        stream.write(b"\0" * 8192)
        stream.flush()
        os.fsync(stream.fileno())
    return {"folder": as_text(os.path.realpath(folder))}


def where(request: Request, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
    return {"folder": as_text(os.path.realpath(home_path(header["base"])))}


def facts(path: bytes) -> Optional[List[Any]]:
    """[what it is, size, time in ns, mode], links followed; None where there is nothing."""
    try:
        info = os.stat(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise
    kind = "file" if stat.S_ISREG(info.st_mode) else "folder" if stat.S_ISDIR(info.st_mode) else "other"
    return [kind, info.st_size, info.st_mtime_ns, stat.S_IMODE(info.st_mode)]


def look(request: Request, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
    return {"found": [facts(below(header["base"], path)) for path in header["paths"]]}


def walk(request: Request, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
    """Files below `base` that a glob means: [path, size, time in ns, mode]; folders named in `skip` are left out."""
    base, skip = home_path(header["base"]), set(header.get("skip", ()))
    found: Dict[str, List[Any]] = {}
    shut: List[str] = []
    for pattern in header["globs"]:
        parts = pattern.split("/")
        fixed: List[str] = []
        while len(fixed) < len(parts) and not any(sign in parts[len(fixed)] for sign in "*?["):
            fixed.append(parts[len(fixed)])
        start = "/".join(fixed)
        if start:
            below(header["base"], start)
        for path, info in files_below(base, start, skip, parts, shut):
            if path not in found and matches(path.split("/"), parts):
                found[path] = [path, info.st_size, info.st_mtime_ns, stat.S_IMODE(info.st_mode)]
    rows = list(found.values())
    for at in range(0, len(rows), 2000):
        request.send({"rows": rows[at : at + 2000]}, b"")
    return {"count": len(rows), "shut": shut[:100]}


def files_below(
    base: bytes, start: str, skip: Any, pattern: List[str], shut: List[str]
) -> Iterator[Tuple[str, os.stat_result]]:
    """Into `shut` go folders that may not be read."""
    top = os.path.join(base, on_disk(start)) if start else base
    if os.path.isfile(top):
        yield start, os.stat(top)
        return
    seen = set()
    todo = [start]
    while todo:
        at = todo.pop()
        folder = os.path.join(base, on_disk(at)) if at else base
        real = os.path.realpath(folder)
        if real in seen:  # links may lead in a ring
            continue
        seen.add(real)
        try:
            entries = list(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError:
            shut.append(at)
            continue
        for entry in entries:
            name = as_text(entry.name)
            path = at + "/" + name if at else name
            try:
                if entry.is_dir():
                    if name not in skip and leads(path.split("/"), pattern):
                        todo.append(path)
                elif entry.is_file() and not name.endswith(".part~"):
                    yield path, entry.stat()
            except (FileNotFoundError, PermissionError):  # just removed; a link into a folder that is shut
                continue


def digest(path: bytes, most: Optional[int] = None) -> str:
    """sha256 of a file, or of its first `most` bytes."""
    found, left = hashlib.sha256(), most
    with open(path, "rb") as stream:
        while left is None or left > 0:
            part = stream.read(CHUNK if left is None else min(CHUNK, left))
            if not part:
                break
            found.update(part)
            left = None if left is None else left - len(part)
    return found.hexdigest()


def hashes(request: Request, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
    found: List[Optional[str]] = []
    for path, most in header["paths"]:
        try:
            found.append(digest(below(header["base"], path), most))
        except (FileNotFoundError, IsADirectoryError, PermissionError):
            found.append(None)
        if request.gone.is_set():
            break
    return {"found": found}


def put(request: Request, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
    """Many small files in one message; `files`: [path, size, time in ns, mode]."""
    at = 0
    made: Set[bytes] = set()
    for path, size, changed, mode in header["files"]:
        target = below(header["base"], path)
        folder = os.path.dirname(target)
        if folder not in made:
            os.makedirs(folder, exist_ok=True)
            made.add(folder)
        part = part_of(target, "%x-%x" % (os.getpid(), request.number))
        try:
            with open(part, "wb") as stream:
                stream.write(body[at : at + size])
        except OSError:
            os.unlink(part)  # our own, and not whole
            raise
        finish(part, target, changed, mode, header["base"], header.get("keep", {}).get(path))
        at += size
    return {"count": len(header["files"])}


def send(request: Request, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
    """A large file in chunks; goes on where an earlier try was cut off, if the other side finds that part its own."""
    target = below(header["base"], header["path"])
    os.makedirs(os.path.dirname(target), exist_ok=True)
    part = part_of(target, header["mark"])
    if sys.platform == "win32":  # in tests alone; a file that is held cannot be renamed there
        return receive(request, header, target, part)
    with open(part, "ab") as held:
        if not alone(held):  # the same file is on its way from somebody else
            part = part_of(target, "%x-%x" % (os.getpid(), request.number))
        return receive(request, header, target, part)


def alone(stream: Any) -> bool:
    """Whether nobody else writes to this file; where a disk knows no locks, it is so."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True


def receive(request: Request, header: Dict[str, Any], target: bytes, part: bytes) -> Dict[str, Any]:
    have = min(os.path.getsize(part), header["size"]) if os.path.exists(part) else 0
    request.answer({"have": have, "sha256": digest(part, have) if have else ""})
    first = request.frames.get()
    if first is None:
        raise ConnectionError("broken off")
    begin = first[0]["from"]
    with open(part, "r+b" if have else "wb") as stream:
        stream.seek(begin)
        stream.truncate()
        last = first[2]
        while not last:
            frame = request.frames.get()
            if frame is None:
                raise ConnectionError("broken off")
            if "drop" in frame[0]:  # it is another file by now, and nobody will go on with this part
                os.unlink(part)
                return {"size": -1}
            stream.write(frame[1])
            last = frame[2]
            request.answer({"got": len(frame[1])})
        stream.flush()
        size = stream.tell()
    if size != header["size"]:
        raise ValueError("%s came with %d of %d bytes" % (header["path"], size, header["size"]))
    finish(part, target, header["changed"], header["mode"], header["base"], header.get("keep"))
    return {"size": size}


def part_of(target: bytes, mark: str) -> bytes:
    folder, name = os.path.split(target)
    return os.path.join(folder, b"." + name[:150] + b"." + mark.encode("ascii") + b".part~")


def finish(part: bytes, target: bytes, changed: int, mode: Optional[int], base: str, keep: Optional[str]) -> None:
    """From here on it is there, whole. `keep`: where below `base` that goes which was there."""
    os.utime(part, ns=(changed, changed))
    if mode is not None:
        os.chmod(part, mode)
    if keep:
        aside = below(base, keep)
        os.makedirs(os.path.dirname(aside), exist_ok=True)
        shutil.move(os.fsdecode(target), os.fsdecode(aside))  # which may be another disk, behind a link
    os.replace(part, target)


def touch(request: Request, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
    """Times of files whose content was found to be the same."""
    for path, changed in header["files"]:
        os.utime(below(header["base"], path), ns=(changed, changed))
    return {"count": len(header["files"])}


def get(request: Request, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
    """Files to the other side; `paths`: [path, offset]. Small ones share a frame; of large ones come chunks."""
    rows: List[Any] = []
    parts: List[bytes] = []
    full = 0

    def flush() -> None:
        if rows:
            request.send({"files": list(rows)}, b"".join(parts))
            del rows[:], parts[:]

    for number, (path, offset) in enumerate(header["paths"]):
        name = below(header["base"], path)
        try:
            with open(name, "rb") as stream:
                info = os.fstat(stream.fileno())
                told = [number, info.st_size, info.st_mtime_ns, stat.S_IMODE(info.st_mode)]
                if info.st_size <= CHUNK:
                    data = stream.read()
                    if full + len(data) > CHUNK or len(rows) >= 500:
                        flush()
                        full = 0
                    rows.append(told + [len(data)])
                    parts.append(data)
                    full += len(data)
                    continue
                flush()
                full = 0
                stream.seek(offset)
                while True:
                    data = stream.read(CHUNK)
                    request.send({"of": told, "end": not data}, data)
                    if not data:
                        break
        except (FileNotFoundError, IsADirectoryError):
            rows.append([number, -1, 0, 0, 0])
        except PermissionError:
            rows.append([number, -2, 0, 0, 0])
    flush()
    return {"count": len(header["paths"])}


# --- commands


def login_environ() -> Dict[bytes, bytes]:
    """The variables of a login shell; ours where it gives none."""
    own = {os.fsencode(name): os.fsencode(value) for name, value in os.environ.items()}
    shell, mark = os.environ.get("SHELL") or "/bin/sh", "run-pipeline %d" % os.getpid()
    code = "import json,os;print();print(%s);print(json.dumps(dict(os.environ)))" % json.dumps(mark)
    python = sys.executable or "python3"
    if "'" in python or "!" in python:
        return own
    try:
        process = subprocess.Popen(
            ["-" + os.path.basename(shell), "-c", "'%s' -I -c '%s'" % (python, code)],  # a shell knows by that dash
            executable=shell,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return own
    try:
        told = process.communicate(timeout=SHELL_TAKES)[0].split(mark.encode("ascii") + b"\n")
        found = json.loads(told[-1].decode("ascii", "replace")) if len(told) > 1 else {}
    except (ValueError, subprocess.TimeoutExpired):
        end(process, 0.0)
        assert process.stdout
        process.stdout.close()
        return own
    return {os.fsencode(name): os.fsencode(value) for name, value in found.items()} or own


def run(request: Request, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
    """A command; its output comes as it is printed, its exit code at the end."""
    if sys.platform == "win32":
        raise ValueError("no commands here")
    env = dict(request.agent.environ())
    for name in header.get("unset", ()):
        env.pop(on_disk(name), None)
    env.update((on_disk(name), on_disk(value)) for name, value in header.get("env", {}).items())
    process = subprocess.Popen(
        [on_disk(word) for word in header["argv"]],
        cwd=home_path(header["cwd"]) if header.get("cwd") else None,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin and process.stdout and process.stderr
    pipes = [
        threading.Thread(target=feed, args=(process.stdin, body), daemon=True),
        threading.Thread(target=relay, args=(request, process.stdout, 1), daemon=True),
        threading.Thread(target=relay, args=(request, process.stderr, 2), daemon=True),
    ]
    for pipe in pipes:
        pipe.start()
    threading.Thread(target=heed, args=(request, process, bool(header.get("keep"))), daemon=True).start()
    code = process.wait()
    for pipe in pipes[1:]:  # a process that it left in the background may hold them open
        pipe.join(2.0)
    request.frames.put(None)
    return {"code": code}


def feed(stream: Any, body: bytes) -> None:
    try:
        stream.write(body)
        stream.close()
    except OSError:
        pass


def relay(request: Request, stream: Any, which: int) -> None:
    lost = False
    while True:
        data = os.read(stream.fileno(), 65536)
        if not data:
            stream.close()
            return
        try:
            lost = lost or request.gone.is_set()
            if not lost:
                request.send({"out": which}, data)
        except ConnectionError:  # it goes on, and what it prints is heard by nobody
            lost = True


def heed(request: Request, process: Any, keep: bool) -> None:
    """Ends the command when asked to, or when nobody waits for it and it was not to go on alone."""
    while process.poll() is None:
        frame = request.frames.get()
        if frame is None and (keep or not request.gone.is_set()):
            return
        grace = frame[0].get("stop", GRACE) if frame else GRACE
        end(process, grace)


def end(process: Any, grace: float) -> None:
    if sys.platform == "win32":
        return
    for number, wait in ((signal.SIGINT, grace / 2), (signal.SIGTERM, grace / 2), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + wait
        try:
            os.killpg(process.pid, number)
            while time.monotonic() < deadline:
                process.poll()  # or it would count as one of them
                os.killpg(
                    process.pid, 0
                )  # what a shell started in the background does not hear SIGINT, and outlives it
                time.sleep(0.02)
        except OSError:  # nobody is left
            return


def ping(request: Request, header: Dict[str, Any], body: bytes) -> Dict[str, Any]:
    return {"pong": 1}


OPERATIONS: Dict[str, Callable[[Request, Dict[str, Any], bytes], Dict[str, Any]]] = {
    "ping": ping, "where": where, "writable": writable, "look": look, "walk": walk, "hash": hashes, "put": put,
    "send": send, "touch": touch, "get": get, "run": run,
}  # fmt: skip


def main() -> None:
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    # whatever else would print there would tear a frame
    sys.stdout = sys.stderr
    Agent(source, sink).serve()


if __name__ == "__main__":
    main()
