"""A call through the keeper of a login, and 1,000 small files up and back beside `scp -r`, over a real sshd.

    uv run python benchmarks/login.py [--rounds N] [--files N]

All in one run, in turn; medians. `scp` makes a login of its own each time, as it does for its users; what it takes
without (over a connection that is open already, ControlMaster) stands beside it.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from runner.host import Host, this_host
from runner.login.download import Download, listed
from runner.login.line import Remote
from runner.login.open import log_in, log_out
from runner.login.sent import Known
from runner.login.upload import upload
from runner.login.wanted import Local
from runner.site_file import ClusterSettings
from tests.support import sshd

CALLS = 500


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=1000)
    asked = parser.parse_args()
    if why := sshd.missing():
        print(f"skipped: {why}")
        return 0
    with tempfile.TemporaryDirectory() as folder, sshd.running(Path(folder) / "s") as there:
        root = Path(folder)
        mine = this_host(interactive=False)
        host = Host(
            mine.platform, {**os.environ, "RUN_PIPELINE_STATE": str(root / "state")}, root, mine.which, mine.capture
        )
        cluster = ClusterSettings(
            "hpc", host="cluster", folder=str(root / "lab"), python=sys.executable, ssh=str(there.ssh)
        )
        begun = time.perf_counter()
        remote, _ = log_in(cluster, host, say=sys.stderr.write)
        print(f"load {os.getloadavg()[0]:.1f}; login {time.perf_counter() - begun:.2f} s")
        try:
            with remote:
                calls(remote)
                files(remote, root, there, asked.files, asked.rounds)
        finally:
            log_out(cluster, host)
    return 0


def calls(remote: Remote) -> None:
    took = sorted(timed(remote.ping) for _ in range(CALLS))
    commands = sorted(timed(lambda: remote.run(["true"])) for _ in range(50))
    print(
        f"a call: median {statistics.median(took) * 1000:.2f} ms, 95 % below {took[int(CALLS * 0.95)] * 1000:.2f} ms;"
        f" `true` run there: median {statistics.median(commands) * 1000:.1f} ms"
    )


def files(remote: Remote, root: Path, there: sshd.Sshd, count: int, rounds: int) -> None:
    dice = random.Random(1)
    source = root / "source"
    for number in range(count):
        path = source / f"plate {number % 20:02d}" / f"{number:05d}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dice.randbytes(dice.randrange(200, 8000)))
    (root / "lab").mkdir(exist_ok=True)
    names = [str(path.relative_to(source)) for path in sorted(source.rglob("*.csv"))]
    master = root / "master"
    results: dict[str, list[float]] = {}

    def ours(number: int) -> None:
        local = [Local(str(source / n), f"u{number}/{n}", *_facts(source / n)) for n in names]
        upload(remote, str(root / "lab"), local, Known(root / "known" / f"{number}.json"))

    def ours_back(number: int) -> None:
        here = root / f"back {number}"
        here.mkdir()
        known = Known(root / "known" / f"b{number}.json")
        work = Download(remote, str(root / "lab"), [here], here.joinpath, known)
        work.bring(listed(remote, str(root / "lab"), [f"u{number}/**"]))

    def scp(*words: str) -> None:
        subprocess.run(["scp", "-r", "-q", "-S", str(there.ssh), *words], check=True)

    shared = ["-o", f"ControlPath={master}"]
    subprocess.run([str(there.ssh), "-M", "-f", "-N", *shared, "cluster"], check=True, stdin=subprocess.DEVNULL)
    for number in range(rounds):
        work: dict[str, Callable[[], None]] = {
            "ours up": lambda n=number: ours(n),  # type: ignore[misc]
            "scp -r up": lambda n=number: scp(str(source), f"cluster:{root}/lab/s{n}"),  # type: ignore[misc]
            "scp -r up, open already": lambda n=number: scp(  # type: ignore[misc]
                *shared, str(source), f"cluster:{root}/lab/m{n}"
            ),
            "ours back": lambda n=number: ours_back(n),  # type: ignore[misc]
            "scp -r back": lambda n=number: scp(f"cluster:{root}/lab/s{n}", f"{root}/sback{n}"),  # type: ignore[misc]
            "scp -r back, open already": lambda n=number: scp(  # type: ignore[misc]
                *shared, f"cluster:{root}/lab/s{n}", f"{root}/mback{n}"
            ),
        }
        for name, action in work.items():
            results.setdefault(name, []).append(timed(action))
        assert len(list((root / f"back {number}").rglob("*.csv"))) == count
        again = timed(lambda n=number: ours(n))  # type: ignore[misc]
        results.setdefault("ours up again, nothing new", []).append(again)
        for name in (f"lab/u{number}", f"lab/s{number}", f"lab/m{number}", f"sback{number}", f"mback{number}"):
            shutil.rmtree(root / name)
    subprocess.run([str(there.ssh), "-O", "exit", *shared, "cluster"], check=True, capture_output=True)
    median = {name: statistics.median(took) for name, took in results.items()}
    for name, took in median.items():
        print(f"{count:,} files, {name}: median {took:.3f} s")
    for way in ("up", "back"):
        print(f"{way}: {median[f'ours {way}'] / median[f'scp -r {way}']:.2f} x `scp -r`")


def _facts(path: Path) -> tuple[int, int, int]:
    info = path.stat()
    return info.st_size, info.st_mtime_ns, info.st_mode & 0o777


def timed(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
