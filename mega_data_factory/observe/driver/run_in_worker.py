"""What a run is in another process."""

from __future__ import annotations

import os
from typing import Any

from mega_data_factory.observe.counting import calls


class RunInWorker:
    """What a run is in another process: its functions reject and report there, but steps are defined on the driver.

    Args:
        run_id: name of the run.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id

    reject = staticmethod(calls.reject)
    report = staticmethod(calls.report)

    def step(self, *_: object, **__: object) -> Any:
        """Refuse: a step is defined on the driver.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(
            f"a step of {self.run_id} cannot be defined in a worker (process {os.getpid()}): define it where the run "
            "was started, and use it here"
        )
