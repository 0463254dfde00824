"""Make the environment that Superset runs in: `python -m tests.superset.make_environment` prints its folder.

It is made as the manual says, from the requirements and constraints that `mdf export superset --setup` writes, and made
again when these change. uv does in seconds what pip does in a minute, so uv does it where there is one.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import mega_data_factory.exports.superset

SETUP = Path(mega_data_factory.exports.superset.__file__).parent / "setup"
FOLDER = Path(__file__).parents[2] / "build" / "superset-venv"


def made() -> Path:
    """The environment, made when it is missing or stale."""
    stamp = FOLDER / "made-from"
    wanted = hashlib.sha256(b"".join((SETUP / f"{name}.txt").read_bytes() for name in ("requirements", "constraints")))
    if not stamp.is_file() or stamp.read_text() != wanted.hexdigest():
        shutil.rmtree(FOLDER, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)
        beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        uv = shutil.which("uv", path=beside)
        python = str(FOLDER / "bin" / "python")
        install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
        files = ["-r", str(SETUP / "requirements.txt"), "-c", str(SETUP / "constraints.txt")]
        subprocess.run([*install, "--quiet", *files], check=True)
        stamp.write_text(wanted.hexdigest())
    return FOLDER


if __name__ == "__main__":
    print(made())
