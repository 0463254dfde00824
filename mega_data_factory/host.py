"""This host: its name, and whether processes of it are alive."""

from __future__ import annotations

import socket

import psutil

_CLOCK_TICK = 1.0
"""Seconds by which the reported start of a process may be late: the kernel counts it from boot."""


def host_name() -> str:
    """Return the name of this host, as the metrics and the locks of a run have it."""
    return socket.gethostname()


def is_driver_alive(pid: int, seen: float) -> bool:
    """Return whether the process that was seen under this number may still be running on this host.

    The number alone does not say so: a later process may have got it. True if the system hides the process.

    Args:
        pid: Number of the process.
        seen: Time at which it was certainly running, in seconds since 1970 by the clock of this host.
    """
    if not psutil.pid_exists(pid):
        return False
    try:
        process = psutil.Process(pid)
        return process.create_time() <= seen + _CLOCK_TICK and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:  # it ended just now, or belongs to another user
        return True
