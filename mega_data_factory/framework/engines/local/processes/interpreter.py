"""Fresh interpreters that run a module of the local engine, which gets file descriptors as its arguments."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

WORKER = "mega_data_factory.framework.engines.local.worker"
FORK_SERVER = "mega_data_factory.framework.engines.local.processes.fork_server"


def command(module: str, files: Sequence[int]) -> list[str]:
    """Return the command that runs the module.

    Args:
        module: its name.
        files: file descriptors, its arguments.
    """
    return [sys.executable, "-m", module, *map(str, files)]


def python_path() -> str:
    """Return what `PYTHONPATH` must be for another interpreter to find the modules that this one finds."""
    return os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)


def start(
    module: str, files: Sequence[int], environment: Mapping[str, str], held: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start an interpreter that runs the module.

    It prints to the standard error, and is in a session of its own: Ctrl-C belongs to the driver, which decides what
    becomes of its processes.

    Args:
        module: its name.
        files: file descriptors, its arguments.
        environment: its environment variables.
        held: file descriptors that it keeps open as long as it lives.
    """
    return subprocess.Popen(
        command(module, files),
        pass_fds=(*files, *held),
        stdin=subprocess.DEVNULL,
        stdout=sys.__stderr__.fileno() if sys.__stderr__ else subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )
