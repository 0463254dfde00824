"""Programs that tests start."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil

_PATIENCE = 20.0


def end(process: subprocess.Popen[Any], *, with_children: bool = False) -> None:
    """Ask a process to end, and kill it if it has not ended after 20 seconds.

    Args:
        process: the process.
        with_children: signal its whole process group; it was started with `start_new_session`.
    """

    def signalled(number: int) -> None:
        if with_children:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)

    signalled(signal.SIGTERM)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        signalled(signal.SIGKILL)
        process.wait()


def in_folder(name: str, folder: Path) -> list[int]:
    """Return the processes that have a name in their command and `folder` as TMPDIR: of one test, not of another."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if name in " ".join(process.info["cmdline"] or []):
            with contextlib.suppress(psutil.Error):
                if process.environ().get("TMPDIR") == str(folder):
                    found.append(process.pid)
    return found
