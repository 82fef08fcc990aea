"""Why a job waits, by the scheduler's own word: what comes by itself, and what never does."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    pattern: re.Pattern[str]
    words: str
    cure: str = ""  # "": it comes by itself


def reason_of(word: str) -> Reason | None:
    """None: a word that is not known, which is taken for one that comes by itself."""
    return next((one for one in _REASONS if one.pattern.search(word)), None)


def is_held(word: str) -> bool:
    """Whether it waits for what will not come by itself."""
    found = reason_of(word)
    return bool(found and found.cure)


def _reason(pattern: str, words: str, cure: str = "") -> Reason:
    return Reason(re.compile(pattern, re.IGNORECASE), words, cure)


_SMALLER = "Ask for less under `resources:` of the segment, or name another partition or QOS in run-pipeline.toml."
_RELEASE = "See `scontrol show job` for it, mend what is told there, then `scontrol release` it, or cancel and resume."

# the first that fits counts
_REASONS = (
    # what never comes
    _reason(
        r"DependencyNeverSatisfied",
        "it waits for a job that failed, so it can never start",
        "Look at the job before it; `run-pipeline resume` submits again what is open.",
    ),
    _reason(
        r"PartitionTimeLimit",
        "it asks for more time than its partition gives",
        "Ask for less `time`, cut the chunks smaller (`target-time`), or name a partition for longer jobs.",
    ),
    _reason(r"PartitionNodeLimit|PartitionConfig", "no node of its partition has what it asks for", _SMALLER),
    _reason(r"BadConstraints", "no node has the features that it asks for", "Correct `constraint`, `gpus` or memory."),
    _reason(r"MaxMemPerLimit", "it asks for more memory than one job may have", _SMALLER),
    _reason(r"MaxWallDuration", "it asks for more time than its account or QOS gives", "Ask for less `time`."),
    _reason(r"(QOS|Assoc)\w*Per(Job|Node)(Limit)?$", "it asks for more than one job of its account or QOS may have",
            _SMALLER),
    _reason(r"QOSMin|PartitionMin", "it asks for less than its QOS or partition wants at least",
            "Ask for more under `resources:`, or name another partition or QOS in run-pipeline.toml."),
    _reason(
        r"Grp(?!\w*Run)\w*Minutes(Limit)?$|GrpWallLimit|(QOS|Association)TimeLimit|QOSUsageThreshold|AccountingPolicy",
        "the hours of its account are used up",
        "Ask those who look after the cluster for more, or name another `account`.",
    ),
    _reason(r"InvalidAccount|AccountNotAllowed|AssociationNotFound", "its account is not valid here",
            "Set `account` of the executor; `sacctmgr show associations user=$USER` tells yours."),
    _reason(r"InvalidQOS|QOSNotAllowed", "its QOS is not valid for this account or partition", "Set `qos`."),
    _reason(r"JobHeldUser", "you, or somebody for you, put it on hold", "`scontrol release` lets it start."),
    _reason(r"JobHeldAdmin", "those who look after the cluster put it on hold", _RELEASE),
    _reason(r"MaxRequeue", "it was started again too often, and is held since", _RELEASE),
    _reason(r"launch failed requeued held", "it could not be started on its node, and is held since", _RELEASE),
    _reason(r"user env retrieval failed", "your login environment could not be read on the node", _RELEASE),
    _reason(r"requeued? (in )?held|SPECIAL_EXIT|REQUEUE_HOLD|RESV_DEL_HOLD", "it is held", _RELEASE),
    _reason(r"ReservationDeleted|InvalidReservation", "its reservation is not there any more",
            "Take the reservation out of `options`."),
    _reason(r"DeadLine", "it cannot end before its deadline", "Take the deadline out of `options`."),
    _reason(r"can never run", "the cluster has nothing that is large enough", _SMALLER),
    # what comes by itself
    _reason(r"^ReqNodeNotAvail.*(maint|reserv)", "its nodes are reserved, perhaps for maintenance; with a shorter "
            "`time` it may start before"),
    _reason(r"ReqNodeNotAvail|NodeDown|PartitionDown|PartitionInactive|FrontEndDown|DOWN, DRAINED", "nodes are down or "
            "reserved at present"),
    _reason(r"^Dependency", "it starts after another job"),
    _reason(r"^(Priority|Resources|None|Not Running: .*|)$", "it waits for its turn"),
    _reason(r"JobArrayTaskLimit", "as many of its array run as may run at once"),
    _reason(r"(QOS|Assoc)\w*(Grp|Max|Limit)|Max\w+PerAccount", "as much runs at once as its account or "
            "QOS may have"),
    _reason(r"BeginTime", "it starts again in a moment"),
    _reason(r"Licenses", "it waits for a licence"),
    _reason(r"Cleaning|Prolog|BurstBuffer|Reservation", "its nodes are made ready"),
)  # fmt: skip
