"""Environments of programs that cannot share ours: made from pinned requirements, made again when these change.

uv does in seconds what pip does in a minute, so uv installs where there is one.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_BUILD = Path(__file__).parents[1] / "build"


def made(name: str, requirements: Sequence[str], constraints: Path) -> Path:
    """Return the folder of an environment; make it when it is missing or stale.

    Args:
        name: of the environment; its folder is `build/{name}-venv`.
        requirements: what pip installs: names, or `-r` and a file.
        constraints: file that pins all versions.
    """
    folder = _BUILD / f"{name}-venv"
    _BUILD.mkdir(exist_ok=True)
    with (_BUILD / f"{name}-venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process of the same test run may be making it
        return _made(folder, requirements, constraints)


def _made(folder: Path, requirements: Sequence[str], constraints: Path) -> Path:
    stamp = folder / "made-from"
    files = [Path(item).read_bytes() for item in requirements if Path(item).is_file()]
    wanted = hashlib.sha256(b"\0".join([" ".join(requirements).encode(), *files, constraints.read_bytes()])).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        uv = shutil.which("uv", path=beside)
        python = str(folder / "bin" / "python")
        install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
        subprocess.run([*install, "--quiet", *requirements, "-c", str(constraints)], check=True)
        stamp.write_text(wanted)
    return folder
