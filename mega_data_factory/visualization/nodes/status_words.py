"""Words by which cluster managers call the state of a node, and which of our three states each one is."""

from __future__ import annotations

import re

from mega_data_factory.visualization.nodes.metric_names import STATUS_CODES, status_word

ACTIVE, DEGRADED, UNHEALTHY = STATUS_CODES

WORDS = {
    # Kubernetes: conditions, phases, taints
    "ready": ACTIVE,
    "running": ACTIVE,
    "succeeded": ACTIVE,
    "schedulingdisabled": DEGRADED,
    "cordoned": DEGRADED,
    "pending": DEGRADED,
    "memorypressure": DEGRADED,
    "diskpressure": DEGRADED,
    "pidpressure": DEGRADED,
    "notready": UNHEALTHY,
    "networkunavailable": UNHEALTHY,
    "unreachable": UNHEALTHY,
    "evicted": UNHEALTHY,
    "failed": UNHEALTHY,
    "crashloopbackoff": UNHEALTHY,
    "unknown": UNHEALTHY,  # its kubelet was not heard of
    # Slurm
    "idle": ACTIVE,
    "alloc": ACTIVE,
    "allocated": ACTIVE,
    "mix": ACTIVE,
    "mixed": ACTIVE,
    "comp": ACTIVE,
    "completing": ACTIVE,
    "planned": ACTIVE,
    "resv": ACTIVE,
    "reserved": ACTIVE,
    "drain": DEGRADED,
    "drng": DEGRADED,
    "draining": DEGRADED,
    "drained": DEGRADED,
    "maint": DEGRADED,
    "maintenance": DEGRADED,
    "failing": DEGRADED,
    "failg": DEGRADED,
    "poweringup": DEGRADED,
    "rebootissued": DEGRADED,
    "rebootrequested": DEGRADED,
    "fail": UNHEALTHY,
    "down": UNHEALTHY,
    "poweredoff": UNHEALTHY,
    "powereddown": UNHEALTHY,
    "poweringdown": UNHEALTHY,
    "noresp": UNHEALTHY,
    "notresponding": UNHEALTHY,
    "inval": UNHEALTHY,
    # YARN, HDFS
    "new": DEGRADED,
    "decommissioning": DEGRADED,
    "inservice": ACTIVE,
    "enteringmaintenance": DEGRADED,
    "inmaintenance": DEGRADED,
    "stale": DEGRADED,
    "decommissioned": UNHEALTHY,
    "lost": UNHEALTHY,
    "rebooted": UNHEALTHY,
    "shutdown": UNHEALTHY,
    # Cassandra: U(p) or D(own); N(ormal), J(oining), L(eaving), M(oving)
    "un": ACTIVE,
    "uj": DEGRADED,
    "ul": DEGRADED,
    "um": DEGRADED,
    "dn": UNHEALTHY,
    "dj": UNHEALTHY,
    "dl": UNHEALTHY,
    "dm": UNHEALTHY,
    "normal": ACTIVE,
    "joining": DEGRADED,
    "leaving": DEGRADED,
    "moving": DEGRADED,
    # Ray, Spark, Dask
    "alive": ACTIVE,
    "paused": DEGRADED,
    "closinggracefully": DEGRADED,
    "closing": DEGRADED,
    "closed": UNHEALTHY,
    "dead": UNHEALTHY,
    # Nomad, Docker Swarm, Consul
    "eligible": ACTIVE,
    "ineligible": DEGRADED,
    "initializing": DEGRADED,
    "disconnected": UNHEALTHY,
    "pause": DEGRADED,
    "passing": ACTIVE,
    "warning": DEGRADED,
    "critical": UNHEALTHY,
    # Elasticsearch, Ceph
    "green": ACTIVE,
    "yellow": DEGRADED,
    "red": UNHEALTHY,
    "healthok": ACTIVE,
    "healthwarn": DEGRADED,
    "healtherr": UNHEALTHY,
    # what people write
    "up": ACTIVE,
    "ok": ACTIVE,
    "healthy": ACTIVE,
    "online": ACTIVE,
    "available": ACTIVE,
    "starting": DEGRADED,
    "stopping": DEGRADED,
    "recovering": DEGRADED,
    "warn": DEGRADED,
    "busy": ACTIVE,
    "inactive": UNHEALTHY,
    "offline": UNHEALTHY,
    "unavailable": UNHEALTHY,
    "stopped": UNHEALTHY,
    "terminated": UNHEALTHY,
    "error": UNHEALTHY,
}
"""State by the word of a cluster manager, in small letters and without `_`, `-` and blanks."""

_BETWEEN = re.compile(r"[\s_-]+")
_NO_ANSWER = "*"  # Slurm puts it behind the state of a node that does not respond
_MARKS = "~#!%$@^"  # of Slurm: power, maintenance and reboot, beside the state itself


def state_of(word: str) -> str | None:
    """Return `active`, `degraded` or `unhealthy` for the word of a cluster manager; None if it is not known.

    Several words (`Ready,SchedulingDisabled`, `IDLE+DRAIN`) are the worst of them.
    """
    found = [_state_of_one(part) for part in re.split(r"[,+]", word)]
    states = [state for state in found if state is not None]
    return max(states, key=STATUS_CODES.__getitem__) if states else None


def shown_word(code: float, given: object) -> str | None:
    """Return the word of a state: the one that was given, if it means this state; else ours; None if unknown.

    Args:
        code: of the state, NaN if it is not known.
        given: status that holds at the time, as the node reported it; None if it reported one of our words.
    """
    ours = status_word(code) if code == code else None
    return given if isinstance(given, str) and state_of(given) == ours else ours


def _state_of_one(word: str) -> str | None:
    plain = _BETWEEN.sub("", word.casefold())
    if plain.endswith(_NO_ANSWER):
        return UNHEALTHY
    plain = plain.rstrip(_MARKS)
    return plain if plain in STATUS_CODES else WORDS.get(plain)
