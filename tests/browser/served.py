"""The dashboard as its command serves it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


class Served:
    """`mdf dashboard` as a process of its own, on a free port."""

    def __init__(self, metrics: Path, *options: str) -> None:
        command = [sys.executable, "-m", "mega_data_factory.cli", "dashboard", "--metrics", str(metrics), "--port", "0"]
        self.process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        told = self.process.stdout.readline()
        assert " at http://" in told, told + self.process.communicate(timeout=10)[1]
        self.address = told.split(" at ")[1].split()[0]

    @property
    def root(self) -> str:
        """The address without what stands behind the port."""
        return self.address.partition("?")[0].rstrip("/")

    def stop(self) -> tuple[int, str]:
        """End it as a terminal does; its exit code and what it said on stderr."""
        self.process.terminate()
        said = self.process.communicate(timeout=20)[1]
        return self.process.returncode, said
