"""Slurm's words for the state of a job, for being away, and for refusing; what to do then."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runner.cluster.asking import Refusal
from runner.cluster.jobs import ClusterError, JobState, QueueFull

AWAY = re.compile(
    r"unable to contact slurm controller|connect failure|socket timed out|zero bytes were transmitted|"
    r"connection refused|communication connection|authentication error|unable to establish control|"
    r"standby mode|resolve_ctls|could not establish a configuration source|munge",
    re.IGNORECASE,
)
STATES = {
    "PENDING": JobState.WAITING,
    "CONFIGURING": JobState.WAITING,
    "REQUEUED": JobState.WAITING,
    "REQUEUE_HOLD": JobState.HELD,
    "REQUEUE_FED": JobState.WAITING,
    "RESV_DEL_HOLD": JobState.HELD,
    "SPECIAL_EXIT": JobState.HELD,
    "RUNNING": JobState.RUNNING,
    "COMPLETING": JobState.RUNNING,
    "RESIZING": JobState.RUNNING,
    "SIGNALING": JobState.RUNNING,
    "STAGE_OUT": JobState.RUNNING,
    "STOPPED": JobState.RUNNING,
    "SUSPENDED": JobState.RUNNING,
    "COMPLETED": JobState.ENDED,
    "FAILED": JobState.FAILED,
    "LAUNCH_FAILED": JobState.FAILED,
    "OUT_OF_MEMORY": JobState.OUT_OF_MEMORY,
    "TIMEOUT": JobState.OUT_OF_TIME,
    "DEADLINE": JobState.OUT_OF_TIME,
    "NODE_FAIL": JobState.NODE_FAILED,
    "BOOT_FAIL": JobState.NODE_FAILED,
    "RECONFIG_FAIL": JobState.NODE_FAILED,
    "PREEMPTED": JobState.PREEMPTED,
    "CANCELLED": JobState.CANCELLED,
}


WAIT = "It is asked again; jobs that run go on."


def _refusal(pattern: str, cure: str, kind: type[ClusterError] = ClusterError) -> Refusal:
    return Refusal(re.compile(pattern, re.IGNORECASE), cure, kind)


_SITE = "in run-pipeline.toml, under [executors.NAME]"
# the first that fits counts
REFUSALS: Sequence[Refusal] = (
    _refusal(r"SubmitJob\w*Limit|temporarily unable to accept|resource temporarily unavailable", WAIT, QueueFull),
    _refusal(
        r"(PerJob|PerNode)Limit|MaxWall|accounting/QOS policy",
        "Ask for less under `resources:`, or name another QOS or account; `sacctmgr show qos` tells the limits.",
    ),
    _refusal(
        r"invalid account",
        f"Set `account` {_SITE}, or `resources: {{account: …}}`; `sacctmgr show associations user=$USER` tells yours.",
    ),
    _refusal(r"invalid qos", f"Set `qos` {_SITE}; `sacctmgr show associations user=$USER format=qos` tells yours."),
    _refusal(r"partition", f"Set `partition` {_SITE}, or `resources: {{queue: …}}`; `sinfo -s` tells what there is."),
    _refusal(r"feature", f"Correct `constraint` {_SITE}; `sinfo -o %f` tells the features that nodes have."),
    _refusal(r"gres|gpu", f"See `gpus` and `gpu-type` {_SITE}; `sinfo -o %G` tells how GPUs are called here."),
    _refusal(r"memory specification", "Ask for less `memory` under `resources:`; `sinfo -o %m` tells what nodes have."),
    _refusal(r"time", "Correct `time` under `resources:`, or name a partition for longer jobs; `sinfo -s` tells both."),
    _refusal(r"job array", "The array is longer than the cluster allows (MaxArraySize of `scontrol show config`)."),
    _refusal(
        r"node configuration is not available|cpu count",
        "No node has what the segment asks for under `resources:`; `sinfo -N -l` tells what nodes have.",
    ),
    _refusal(r"access/permission|not permitted|denied", f"Set `account` or `partition` {_SITE} to what you may use."),
    _refusal(r"unrecognized option|invalid option|ambiguous", f"Correct `options` {_SITE}, or `scheduler-options`."),
    _refusal(r"unable to open file|script", "The run's record is not to be read here; see the path above."),
)
