"""What the machine has, and who has how much of it. Used by one thread, the one that starts things.

Who waits and who goes first is `schedule`'s; here nothing is ever given out twice, and nothing beyond what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from runner.ground.words import size_text
from runner.machine import Machine
from runner.model import Resources

MEMORY_SHARE = 0.9  # the rest is the system's, the runner's and the caches'

# What is heeded by whom. Programs that start a pool of their own by the number of cores read the last four.
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",  # OpenMP, and with it PyTorch, scikit-learn, OpenBLAS and MKL where nothing else is said
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "NUMBA_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",  # TensorFlow, within one operation
    "OPENCV_FOR_THREADS_NUM",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",  # joblib
    "PYTHON_CPU_COUNT",  # os.cpu_count() from Python 3.13 on, so multiprocessing's pools
    "RUN_PIPELINE_CPUS",  # the programs that ship
)


def thread_variables(cpus: int) -> dict[str, str]:
    """Variables that hold a program to `cpus` threads."""
    return {name: str(cpus) for name in _THREAD_VARIABLES} | {"TF_NUM_INTEROP_THREADS": "1"}


@dataclass(frozen=True, eq=False)
class Lease:
    """A part of the machine that something has until it is given back."""

    cpus: int
    memory: int = 0
    gpus: tuple[str, ...] = ()
    disk: int = 0
    counted: int = 0  # of the cores: 0 where `--jobs` counts things instead
    threads: bool = True  # hold it to `cpus`

    def environ(self) -> Mapping[str, str]:
        """What its program must be told. It stands above the caller's own variables, since many run at once, and
        below the segment's `env`."""
        out = thread_variables(self.cpus) if self.threads else {}
        if self.gpus:
            out["CUDA_VISIBLE_DEVICES"] = ",".join(self.gpus)
            if all(name.isdigit() for name in self.gpus):
                out["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # as the driver counts; CUDA itself puts the fastest first
        return out


class Budget:
    """Every core, 90 % of the memory and each GPU once; with `jobs`, at most so many things at a time.

    With `jobs`, what says nothing of `cpus` takes a job and no core: 16 jobs on 8 cores are what was asked for.
    """

    def __init__(
        self, machine: Machine, jobs: int | None = None, free_disk: Callable[[], int | None] = lambda: None
    ) -> None:
        self.machine = machine
        self.memory = int(machine.memory * MEMORY_SHARE)
        self._jobs = jobs
        self._free_disk = free_disk  # bytes where outputs go; None: not known
        self._leases: set[Lease] = set()
        self._cpus = machine.cores
        self._memory = self.memory
        self._gpus = list(machine.gpus)
        self._disk = 0  # promised

    @property
    def running(self) -> int:
        return len(self._leases)

    @property
    def full(self) -> bool:
        """Whether nothing more can start whatever it asks for."""
        return self._cpus <= 0 if self._jobs is None else self.running >= self._jobs

    def take(self, wanted: Resources, *, many: bool = True, keep: Resources | None = None) -> Lease | None:
        """A part of the machine, None while it is not free.

        `many`: an item among others, held to its threads. A segment alone is not, unless it says `cpus`.
        `keep` is what somebody else waits for: nothing of it is taken away.
        """
        lease = self._lease(wanted, many)
        if not self._fits(lease) or (keep is not None and not self._leaves(lease, self._lease(keep, many=True))):
            return None
        self._cpus -= lease.counted
        self._memory -= lease.memory
        self._disk += lease.disk
        lease = replace(lease, gpus=tuple(self._gpus[: wanted.gpus]))
        del self._gpus[: wanted.gpus]
        self._leases.add(lease)
        return lease

    def give(self, lease: Lease) -> None:
        """Back what was taken; a second time changes nothing."""
        if lease not in self._leases:
            return
        self._leases.remove(lease)
        self._cpus += lease.counted
        self._memory += lease.memory
        self._disk -= lease.disk
        if not lease.gpus:
            return
        order = {name: place for place, name in enumerate(self.machine.gpus)}
        self._gpus = sorted([*self._gpus, *lease.gpus], key=order.__getitem__)

    def at_once(self, wanted: Resources) -> int:
        """How many of these fit beside each other on the whole machine."""
        pairs = (
            (self.machine.cores if self._jobs is None else self._jobs, max(wanted.cpus, 1)),
            (self.memory, wanted.memory),
            (len(self.machine.gpus), wanted.gpus),
        )
        return max(1, min(there // needed for there, needed in pairs if needed))

    def why_never(self, wanted: Resources) -> str:
        """Why this cannot run here however long it waits, in plain words; "" when it can."""
        if wanted.memory > self.memory:
            return (
                f"asks for {size_text(wanted.memory)} of memory, but this machine has "
                f"{size_text(self.memory)} to give away (90 % of {size_text(self.machine.memory)})"
            )
        there = len(self.machine.gpus)
        if wanted.gpus > there:
            return f"asks for {_gpus(wanted.gpus)}, but this machine has {_gpus(there) if there else 'none'}"
        free = self._free_disk() if wanted.disk else None
        if free is not None and wanted.disk > free:
            return f"will write {size_text(wanted.disk)}, but {size_text(free)} are free where outputs go"
        return ""

    def warning(self, wanted: Resources) -> str:
        """What is made smaller so that it runs here; "" when nothing is. A pipeline moves between machines."""
        if wanted.cpus > self.machine.cores:
            return f"asks for {wanted.cpus} cores; this machine has {self.machine.cores}, and it gets those"
        return ""

    def grown(self, wanted: Resources, factor: float) -> Resources:
        """The same with `factor` times the memory, as far as the machine has it."""
        return replace(wanted, memory=max(wanted.memory, min(int(wanted.memory * factor), self.memory)))

    def _lease(self, wanted: Resources, many: bool) -> Lease:
        cpus = min(max(wanted.cpus, 1), self.machine.cores)
        counted = 0 if self._jobs is not None and not wanted.cpus else cpus
        names = ("",) * wanted.gpus  # which ones is told when it is taken
        return Lease(cpus, wanted.memory, names, wanted.disk, counted, threads=many or bool(wanted.cpus))

    def _fits(self, lease: Lease) -> bool:
        if self._jobs is not None and self.running >= self._jobs:
            return False
        if lease.counted > self._cpus or lease.memory > self._memory or len(lease.gpus) > len(self._gpus):
            return False
        free = self._free_disk() if lease.disk else None
        return free is None or self._disk + lease.disk <= free

    def _leaves(self, lease: Lease, kept: Lease) -> bool:
        """Of what `kept` lacks nothing is taken, and of the rest enough is left: so it starts once those that run
        now have ended, whatever starts in between."""
        if self._jobs is not None and self.running + 1 >= self._jobs:
            return False
        pairs = (
            (self._cpus, lease.counted, kept.counted),
            (self._memory, lease.memory, kept.memory),
            (len(self._gpus), len(lease.gpus), len(kept.gpus)),
        )
        if lease.disk and kept.disk:
            return False
        return all(not taken or needed + taken <= free for free, taken, needed in pairs)


class Unlimited(Budget):
    """Of what runs elsewhere: how much of it does so at once is for a cluster's scheduler to say."""

    def __init__(self) -> None:
        super().__init__(Machine(1, 1 << 62))

    @property
    def full(self) -> bool:
        return False

    def take(self, wanted: Resources, *, many: bool = True, keep: Resources | None = None) -> Lease:
        lease = Lease(0, threads=False)
        self._leases.add(lease)
        return lease

    def why_never(self, wanted: Resources) -> str:
        return ""

    def warning(self, wanted: Resources) -> str:
        return ""


def _gpus(count: int) -> str:
    return f"{count} GPU{'' if count == 1 else 's'}"
