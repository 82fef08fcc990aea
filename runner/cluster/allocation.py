"""What a scheduler gave this job of its node, as the variables of the job say."""

from __future__ import annotations

from runner.budget import MEMORY_SHARE
from runner.errors import EnvironmentMissing
from runner.host import Host
from runner.machine import Machine, read_machine
from runner.model import Resources

_JOB = ("SLURM_JOB_ID", "PBS_JOBID")
_CORES = ("SLURM_CPUS_ON_NODE", "NCPUS", "PBS_NCPUS")
_NONE = ("", "NoDevFiles", "none", "void", "-1")  # of CUDA_VISIBLE_DEVICES: no GPU was given


def job_of(host: Host) -> str:
    """This job's id as the scheduler writes it, "" outside one."""
    environ = host.environ
    array = environ.get("SLURM_ARRAY_JOB_ID")
    if array and environ.get("SLURM_ARRAY_TASK_ID"):
        return f"{array}_{environ['SLURM_ARRAY_TASK_ID']}"
    return next((environ[name] for name in _JOB if environ.get(name)), "")


def allocation(host: Host, wanted: Resources) -> Machine:
    """The machine that a worker shares out among its items, of which each takes `wanted`.

    One always starts: the scheduler was asked for that. Raises EnvironmentMissing for GPUs that were not given.
    """
    whole = read_machine(_gpus(host, wanted))
    if not job_of(host):
        return whole
    cores = next((n for name in _CORES if (n := _whole(host.environ.get(name)))), 1)
    cores = max(min(cores, whole.cores), wanted.cpus, 1)
    memory = _memory(host, cores) or whole.memory
    return Machine(cores, int(max(memory, wanted.memory) / MEMORY_SHARE) + 1, whole.gpus)


def _memory(host: Host, cores: int) -> int:
    """Bytes; 0 where the scheduler tells of none."""
    told = _whole(host.environ.get("SLURM_MEM_PER_NODE")) or cores * _whole(host.environ.get("SLURM_MEM_PER_CPU"))
    return told << 20


def _gpus(host: Host, wanted: Resources) -> tuple[str, ...]:
    """Those that the scheduler lets us see; by hand, all that the driver knows."""
    if not wanted.gpus:
        return ()
    seen = host.environ.get("CUDA_VISIBLE_DEVICES")
    if seen is not None:
        found = tuple(one.strip() for one in seen.split(",") if one.strip() not in _NONE)
    else:
        from runner.process.gpu import devices

        found = tuple(name for gpu in devices(host) for name in gpu.mig or (gpu.uuid or str(gpu.index),))
    if len(found) < wanted.gpus:
        given = f"{len(found)} of them" if found else "none"
        raise EnvironmentMissing(
            f"an item asks for {wanted.gpus} GPU{'s' if wanted.gpus > 1 else ''}, and this job was given {given}",
            "See how the scheduler wants to be asked for GPUs: `gpus`, `gpu-type` and `options` of the executor.",
        )
    return found


def _whole(value: str | None) -> int:
    """Slurm may write `4(x2)`, of which the first number is ours."""
    digits = (value or "").split("(")[0].strip()
    return int(digits) if digits.isdecimal() else 0
