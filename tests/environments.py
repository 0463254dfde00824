"""Environments of programs that cannot share ours: made from pinned requirements, made again when these change.

`python -m tests.environments` makes all of them. uv installs them with a quarter of pip's CPU time; where it fails, for
example behind a mirror that only pip is configured for, pip does it.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_BUILD = _ROOT / "build"
_SUPERSET = _ROOT / "mega_data_factory" / "exports" / "superset" / "setup"


def superset() -> Path:
    """Return the folder of the environment of Superset, as the manual says to make it."""
    return made("superset", ["-r", str(_SUPERSET / "requirements.txt")], _SUPERSET / "constraints.txt")


def mlflow() -> Path:
    """Return the folder of the environment of MLflow's server."""
    return made("mlflow", ["mlflow"], _ROOT / "tests" / "mlflow" / "constraints.txt")


def fineweb() -> Path:
    """Return the folder of the environment of datatrove's FineWeb recipe, of the packages in its lock alone."""
    lock = _ROOT / "tests" / "observe" / "fineweb" / "requirements.lock"
    return made("fineweb", ["--no-deps", "-r", str(lock)], lock)


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
        _install(folder, [*requirements, "-c", str(constraints)])
        stamp.write_text(wanted)
    return folder


def _install(folder: Path, requirements: Sequence[str]) -> None:
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    python = str(folder / "bin" / "python")
    if uv:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        if subprocess.run([uv, "pip", "install", "--python", python, "--quiet", *requirements]).returncode == 0:
            return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    subprocess.run([python, "-m", "pip", "install", "--no-compile", "--quiet", *requirements], check=True)


if __name__ == "__main__":
    superset()
    mlflow()
    fineweb()
