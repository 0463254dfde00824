"""Set-up files of Superset beside the bundle: packages to install, configuration, environment."""

from __future__ import annotations

import secrets
import shlex
from importlib import resources
from pathlib import Path

from mega_data_factory import storage
from mega_data_factory.errors import OutputError
from mega_data_factory.storage import Location

SETUP_FILES = ("requirements.txt", "constraints.txt", "superset_config.py")

ENVIRONMENT_FILE = "superset.env"


def write_setup(folder: Location) -> list[Path]:
    """Write the files of an installation; the environment file, which holds the secret key, only when it is not there.

    Args:
        folder: where to, local.

    Returns:
        The absolute paths of all of them.

    Raises:
        OutputError: one cannot be written.
    """
    if not storage.is_local(folder):
        raise OutputError(f"{folder}: Superset is installed on this machine", hint="give --setup a local folder")
    target = Path(storage.absolute(folder))
    source = resources.files("mega_data_factory.exports.superset") / "setup"
    for name in SETUP_FILES:
        with storage.atomic_output(target / name) as sink:
            sink.write((source / name).read_bytes())
    environment = target / ENVIRONMENT_FILE
    if not environment.exists():
        with storage.atomic_output(environment) as sink:
            sink.write(_environment(target).encode())
        environment.chmod(0o600)
    return [target / name for name in (*SETUP_FILES, ENVIRONMENT_FILE)]


def _environment(folder: Path) -> str:
    """Return shell commands that set what Superset's programs look for."""
    variables = {
        "SUPERSET_HOME": str(folder / "home"),
        "SUPERSET_CONFIG_PATH": str(folder / "superset_config.py"),
        "SUPERSET_SECRET_KEY": secrets.token_urlsafe(48),
        "FLASK_APP": "superset.app:create_app()",
    }
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    path = f'export PATH={shlex.quote(str(folder / "venv/bin"))}:"$PATH"'
    return "\n".join(["# Keep this file: without its key Superset cannot read its own database.", *exports, path, ""])
