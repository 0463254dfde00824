"""Refuse to start a pipeline where one runs already: in the worker that imports the script of a user's operator."""

from __future__ import annotations

import os

from mega_data_factory.errors import ConfigError

IN_WORKER = "MDF_IN_WORKER"
"""Environment variable of worker processes."""


def refuse_in_worker() -> None:
    """Refuse where this process is a worker.

    Raises:
        ConfigError: it is one; the script that holds the operator starts a pipeline when it is imported.
    """
    if os.environ.get(IN_WORKER):
        raise ConfigError(
            "a worker has imported a script that starts a pipeline: it would start itself again and again",
            hint='put the lines that run the pipeline below `if __name__ == "__main__":`, '
            "or the operator into a module of its own",
        )
