"""A Slurm of three nodes on this machine, made by the tests: munged, slurmctld and a slurmd for each node.

Debian has all of it (`apt-get install slurm-wlm munge`, and for accounting `slurmdbd slurm-wlm-mysql-plugin
mariadb-server`); where it is not there the tests skip. No systemd, no cgroups, free ports of the loopback, every file
in one folder. Works as root and as an ordinary user, whose jobs then run as that user.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest

from runner.host import Host, this_host
from tests.support.going import name_of, parent_of

NODES = ("n1", "n2", "n3")
CPUS, MEMORY, GPUS = 4, 4000, 2  # that each node says it has
USER = "" if os.name == "nt" else getpass.getuser() if os.geteuid() else "root"
_DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
_ACCOUNTING = ("slurmdbd", "mariadbd", "mariadb-install-db", "sacct", "sacctmgr")
_PATH = os.pathsep.join((os.environ.get("PATH", "/usr/bin:/bin"), "/usr/sbin", "/sbin"))
_PATIENCE = 60.0  # seconds for what takes one, on a busy machine

# GPUs that are not there: as File= a device that every machine has, so that CUDA_VISIBLE_DEVICES is set in the job
_GRES = "NodeName=n[1-3] Name=gpu File=/dev/null\nNodeName=n[1-3] Name=gpu File=/dev/zero\n"

_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
{bind}
SlurmctldPort={controller}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
# a job that is queued again waits for cred_expire before it starts: 120 s, or what is said, which is 5 at least
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/log/slurmctld.pid
SlurmdPidFile={folder}/log/%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/%n.log
SlurmctldDebug=info
SlurmdDebug=info
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
# there are no cgroups here: a job's memory is looked at each second
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=100
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,bf_interval=1,sched_interval=1,sched_min_interval=10000
PriorityType=priority/basic
# a node that was lost comes back by itself
ReturnToService=2
SlurmctldTimeout=30
InactiveLimit=0
MessageTimeout=5
GresTypes=gpu
NodeName=n[1-3] NodeHostname={host} NodeAddr=127.0.0.1 Port={ports} CPUs={cpus} RealMemory={memory} Gres=gpu:{gpus}
PartitionName=main Nodes=n[1-3] Default=YES MaxTime=INFINITE DefaultTime=60 PriorityTier=1
PartitionName=short Nodes=n[1-3] MaxTime=10
PartitionName=urgent Nodes=n[1-3] PriorityTier=10 PreemptMode=OFF
"""
# what tests may want otherwise
_SETTINGS = {
    "SlurmdTimeout": "3",
    "KillWait": "1",
    "MinJobAge": "600",  # seconds that a job which ended can be asked for
    "MaxArraySize": "1001",
    "MaxJobCount": "20000",
    "OverTimeLimit": "0",
    "PreemptType": "preempt/partition_prio",
    "PreemptMode": "REQUEUE",
    "AccountingStorageType": "accounting_storage/none",
}
_DBD = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={database}
SlurmUser={user}
DebugLevel=info
LogFile={folder}/log/slurmdbd.log
PidFile={folder}/log/slurmdbd.pid
{bind}
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageLoc=slurm_acct_db
StorageUser=slurm
StoragePass=slurm
"""
_SQL = """\
CREATE DATABASE IF NOT EXISTS slurm_acct_db;
CREATE USER IF NOT EXISTS slurm@localhost IDENTIFIED BY 'slurm';
GRANT ALL ON slurm_acct_db.* TO slurm@localhost;
"""


class NotStarted(Exception):
    """A daemon ended, or was not ready in time: with the end of what it wrote."""


@dataclass
class Slurm:
    """Which runs in `folder`. `environ` is what a program needs to speak with it."""

    folder: Path
    accounting: bool = False
    settings: dict[str, str] = field(default_factory=lambda: dict(_SETTINGS))
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: Sequence[int] = field(default_factory=lambda: _free_ports(5))
    _first: Mapping[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        """Nothing of the caller's but what a program needs to start."""
        return {
            "PATH": _PATH,
            "HOME": os.environ.get("HOME", str(self.folder)),
            "LANG": "C.UTF-8",
            "SLURM_CONF": str(self.folder / "slurm.conf"),
        }

    def host(self, **environ: str) -> Host:
        """This machine, as one from which jobs are submitted."""
        given = {**self.environ, **environ}
        return replace(this_host(interactive=False), environ=given, which=lambda name: shutil.which(name, path=_PATH))

    def run(self, *words: str | Path, code: int = 0, timeout: float = 30.0, **environ: str) -> str:
        """What a program of Slurm prints; its exit code must be `code`."""
        done = subprocess.run(
            list(map(str, words)),
            env=self.environ | environ,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
        )
        assert done.returncode == code, f"{words[0]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip() if code == 0 else f"{done.stdout}{done.stderr}".strip()

    def states(self, job: str) -> list[str]:
        """Of a job, or of an array's elements in their order, as squeue tells them."""
        told = self.run("squeue", "-h", "-t", "all", "-r", "-j", job, "-o", "%K %T")
        return [line.split()[1] for line in sorted(told.splitlines(), key=_index)]

    def wait(self, job: str, *states: str, seconds: float = _PATIENCE) -> list[str]:
        """Until each element of `job` is in one of `states`."""
        until(lambda: set(self.states(job)) <= set(states), seconds, lambda: f"{job} is {self.states(job)}")
        return self.states(job)

    # -- the parts of it, one by one

    def start(self) -> Slurm:
        for name in ("munge", "state", "spool", "log"):
            (self.folder / name).mkdir()
        (self.folder / "state").chmod(0o700)
        key = self.folder / "munge" / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        if self.accounting:
            self.settings |= {
                "AccountingStorageType": "accounting_storage/slurmdbd",
                "AccountingStorageHost": "127.0.0.1",
                "AccountingStoragePort": str(self.ports[4]),
                "AccountingStoragePass": f"{self.folder}/munge/socket",
                "AccountingStorageTRES": "gres/gpu",
                "AccountingStorageEnforce": "associations,limits,qos",
                "PreemptType": "preempt/qos",
            }
        self._first = dict(self.settings)
        self._write_conf()
        self._start_munge()
        if self.accounting:
            self._start_database()
        self.start_controller()
        for node in NODES:
            self.start_node(node, wait=False)
        self._wait_for(NODES[0], lambda: all(state == "idle" for state in self.nodes().values()))
        return self

    def nodes(self) -> dict[str, str]:
        """idle, mixed, allocated, down, ..."""
        told = self.run("sinfo", "-h", "-N", "-p", "main", "-o", "%N %T")
        return dict(line.split() for line in told.splitlines())  # type: ignore[misc]

    def start_node(self, node: str, *, wait: bool = True) -> None:
        (self.folder / "spool" / node).mkdir(exist_ok=True)
        self._daemon(node, "slurmd", "-D", "-N", node)
        if wait:
            ready = ("idle", "mixed", "allocated")
            self._wait_for(node, lambda: self.nodes()[node] in ready)

    def kill_node(self, node: str, *, told: bool = False) -> None:
        """As a node that loses its power: slurmd and all that it runs die at once, and tell nobody.

        slurmctld finds out after 15 s or so, or at once where it is `told`, as by a site's own watchdog.
        """
        daemon = self.daemons.pop(node)
        steps = self.steps(node)
        daemon.kill()
        _kill(steps)
        daemon.wait()
        if told:
            self.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=no power")

    def expire(self, job: str) -> None:
        """Its time is over: a minute is the least that Slurm gives. It looks each half minute."""
        end = datetime.now() + timedelta(seconds=1)
        self.run("scontrol", "update", f"JobId={job}", f"EndTime={end:%Y-%m-%dT%H:%M:%S}")

    def start_controller(self) -> None:
        self._daemon("slurmctld", "slurmctld", "-D")
        self._wait_for("slurmctld", lambda: " is UP" in self.run("scontrol", "ping"))

    def stop_controller(self) -> None:
        """Jobs go on; whoever asks waits."""
        self._end("slurmctld")

    @contextlib.contextmanager
    def controller_down(self) -> Iterator[None]:
        self.stop_controller()
        try:
            yield
        finally:
            self.start_controller()

    @contextlib.contextmanager
    def otherwise(self, **settings: str) -> Iterator[None]:
        """With other settings of slurm.conf for a while, as far as `scontrol reconfigure` takes them."""
        before = dict(self.settings)
        self._reconfigure(before | settings)
        try:
            yield
        finally:
            self._reconfigure(before)

    def tidy(self) -> None:
        """As new for the next test: no job, each daemon running."""
        if "slurmctld" not in self.daemons:
            self.start_controller()
        if self.settings != self._first:
            self._reconfigure(self._first)
        for node in NODES:
            if node not in self.daemons:
                self.start_node(node)
        if jobs := set(self.run("squeue", "-h", "-o", "%A").split()):
            self.run("scancel", *jobs)
            until(lambda: not self.run("squeue", "-h", "-o", "%A"), _PATIENCE, lambda: self.run("squeue", "-l"))

    def stop(self) -> None:
        """Ends it, and all that its jobs run."""
        if "slurmctld" in self.daemons:
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                self.tidy()
        for name in reversed(list(self.daemons)):
            self._end(name)
        _kill(self.steps())

    def steps(self, node: str | None = None) -> list[psutil.Process]:
        """What jobs run here, of one node or of all, each slurmstepd before what it would report the end of."""
        conf, own, steps = str(self.folder / "slurm.conf"), {one.pid for one in self.daemons.values()}, []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                environ = process.environ()
                where = environ.get("SLURMD_NODENAME")
                if where and node in (None, where) and environ.get("SLURM_CONF") == conf and process.pid not in own:
                    steps.append(process)
        parents = {parent_of(one) for one in steps}
        return [*(one for one in parents if one and name_of(one) == "slurmstepd"), *steps]

    def _write_conf(self) -> None:
        host = socket.gethostname().split(".")[0]
        given = {
            "folder": self.folder,
            "host": host,
            "user": USER,
            "bind": _bind(),
            "controller": self.ports[0],
            "ports": ",".join(map(str, self.ports[1:4])),
            "database": self.ports[4],
            "cpus": CPUS,
            "memory": MEMORY,
            "gpus": GPUS,
        }
        told = "".join(f"{name}={text}\n" for name, text in self.settings.items())
        (self.folder / "slurm.conf").write_text(_CONF.format(**given) + told, encoding="utf-8")
        (self.folder / "gres.conf").write_text(_GRES, encoding="utf-8")
        database = self.folder / "slurmdbd.conf"
        database.write_text(_DBD.format(**given), encoding="utf-8")
        database.chmod(0o600)

    def _reconfigure(self, settings: Mapping[str, str]) -> None:
        self.settings = dict(settings)
        self._write_conf()
        self.run("scontrol", "reconfigure")

    def _start_munge(self) -> None:
        munge = self.folder / "munge"
        # --force: else it refuses a folder that others can write, which a temporary one may stand in
        self._daemon(
            "munged",
            *("munged", "--foreground", "--force", "--num-threads=2"),
            *(f"--key-file={munge}/key", f"--socket={munge}/socket", f"--pid-file={munge}/pid"),
            *(f"--seed-file={munge}/seed", f"--log-file={self.folder}/log/munged.log"),
        )
        self._wait_for("munged", lambda: bool(self.run("munge", "-n", "-S", munge / "socket")))

    def _start_database(self) -> None:
        data, made = self.folder / "mysql", self.folder / "log" / "mysql.sql"
        self.run(
            *("mariadb-install-db", "--no-defaults", f"--datadir={data}", f"--user={USER}", "--skip-test-db"),
            "--auth-root-authentication-method=normal",
            timeout=_PATIENCE,
        )
        made.write_text(_SQL, encoding="utf-8")
        self._daemon(
            "mariadbd",
            *("mariadbd", "--no-defaults", f"--user={USER}", f"--datadir={data}", "--skip-networking"),
            *(f"--socket={self.folder}/mysql.sock", f"--pid-file={self.folder}/log/mariadbd.pid"),
            *(f"--init-file={made}", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M"),
        )
        words = ("mariadb-admin", "--no-defaults", f"--socket={self.folder}/mysql.sock", "-u", "slurm", "-pslurm")
        self._wait_for("mariadbd", lambda: "alive" in self.run(*words, "ping"))
        # libmariadb in slurmdbd learns of the socket from this variable
        self._daemon("slurmdbd", "slurmdbd", "-D", MYSQL_UNIX_PORT=f"{self.folder}/mysql.sock")
        self._wait_for("slurmdbd", lambda: self.run("sacctmgr", "-n", "list", "qos") != "")
        self.run("sacctmgr", "-i", "add", "cluster", "test")
        self.run("sacctmgr", "-i", "add", "account", "lab")
        self.run("sacctmgr", "-i", "add", "user", USER, "account=lab")

    def _daemon(self, name: str, *words: str, **environ: str) -> None:
        with (self.folder / "log" / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                (*_with_us(), *words),
                env=self.environ | environ,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,  # no terminal's Ctrl-C
            )

    def _end(self, name: str) -> None:
        daemon = self.daemons.pop(name)
        daemon.terminate()
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def _wait_for(self, daemon: str, ready: Callable[[], bool]) -> None:
        def answer() -> bool:
            if self.daemons[daemon].poll() is not None:
                raise NotStarted(f"{daemon} ended\n{self._logs()}")
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                return ready()
            return False

        try:
            until(answer, _PATIENCE, lambda: f"{daemon} is not ready")
        except AssertionError as error:
            raise NotStarted(f"{error}\n{self._logs()}") from error

    def _logs(self) -> str:
        parts = []
        for path in sorted((self.folder / "log").glob("*.*")):
            if lines := path.read_text(encoding="utf-8", errors="replace").splitlines()[-12:]:
                parts.append("\n".join((f"--- {path.name}", *lines)))
        return "\n".join(parts)


def until(holds: Callable[[], bool], seconds: float, told: Callable[[], str]) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"after {seconds:g} s: {told()}"
        time.sleep(0.05)


@contextlib.contextmanager
def running_slurm(*, accounting: bool = False) -> Iterator[Slurm]:
    """Skips where it is not installed."""
    wanted = (*_DAEMONS, *(_ACCOUNTING if accounting else ()))
    if os.name == "nt":
        pytest.skip("Slurm runs on Linux only")
    if missing := [name for name in wanted if not shutil.which(name, path=_PATH)]:
        more = " slurmdbd slurm-wlm-mysql-plugin mariadb-server" if accounting else ""
        pytest.skip(f"no Slurm here: {', '.join(missing)} missing (Debian: apt-get install slurm-wlm munge{more})")
    slurm = _started(accounting)
    try:
        yield slurm
    finally:
        _ended(slurm)


def _started(accounting: bool, attempts: int = 3) -> Slurm:
    """A port that was free may be another's by the time a daemon wants it."""
    # munge's socket has at most 108 bytes, and pytest's folders can be deep
    base = tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir=base if len(base) < 40 else "/tmp"))
    folder.chmod(0o755)
    slurm = Slurm(folder, accounting)
    try:
        return slurm.start()
    except BaseException as error:
        _ended(slurm)
        if isinstance(error, NotStarted) and attempts > 1:
            return _started(accounting, attempts - 1)
        raise


def _ended(slurm: Slurm) -> None:
    slurm.stop()
    shutil.rmtree(slurm.folder, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    """Below those that the system gives to whoever asks for any."""
    found: list[int] = []
    while len(found) < count:
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as one:
            if port not in found and one.connect_ex(("127.0.0.1", port)):
                found.append(port)
    return found


def _with_us() -> tuple[str, ...]:
    """What makes a daemon end also where the process of the tests is killed: with the thread that started it."""
    main = threading.current_thread() is threading.main_thread()
    return ("setpriv", "--pdeathsig", "TERM") if main and shutil.which("setpriv") else ()


def _bind() -> str:
    """To the loopback alone, where this host's own name stands for it: srun and slurmd bind to that name."""
    try:
        own = socket.gethostbyname(socket.gethostname())
    except OSError:
        own = ""
    return "CommunicationParameters=NoCtldInAddrAny,NoInAddrAny" if own.startswith("127.") else ""


def _index(line: str) -> int:
    number = line.split()[0]
    return int(number) if number.isdigit() else -1


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
