"""Hugging Face `datasets` as an engine."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import Any, ClassVar

from mega_data_factory.observe.engines.engine import Engine, RunPlace, Task
from mega_data_factory.observe.huggingface import cache, hooks
from mega_data_factory.observe.huggingface.pieces import current_task


class HuggingFaceDatasets(Engine):
    """`map` and `filter` of datasets, in this process or in those of `num_proc`, and of streams.

    A step's account is that of a shard: `map` with `num_proc=4` has four, without it one. It is named by the
    fingerprint of the result and the number of the shard. While a run lasts, `map` and `filter` are replaced by
    functions that call them, so that a result that comes from the cache is seen.
    """

    name: ClassVar[str] = "datasets"
    collects_by_time: ClassVar[bool] = True
    guarantees: ClassVar[Mapping[str, str]] = {
        "worker kill": "map raises; shards that were finished are cached and count when it is called again, the "
        "others are processed again and counted once",
        "driver kill": "what was counted up to the last flush stays, and the run is shown as aborted; the next run "
        "counts finished shards from the cache, and processes the others",
        "speculative attempt": "there are none",
        "re-execution": "a cached result counts as the run counted it that filled the cache, and the run's notes say "
        "so; a result that is computed again in a run counts once; of several iterations over a stream, the longest "
        "counts",
    }

    def __init__(self, place: RunPlace | None = None, *, address: Any = None) -> None:
        super().__init__(place, address=address)
        if place is not None:
            hooks.install(place.run_id)

    @classmethod
    def version(cls) -> str:
        """Return the version of `datasets`."""
        return importlib.metadata.version("datasets")

    def stop(self) -> None:
        """Put the methods of `datasets` back when no other run needs them."""
        super().stop()
        assert self.place is not None
        hooks.uninstall(self.place.run_id)
        cache.forget(self.place.run_id)

    def notes(self) -> list[str]:
        """Return which results came from the cache."""
        assert self.place is not None
        return cache.notes_of(self.place.run_id)

    def task(self) -> Task | None:
        """Return the shard or iteration that this thread works on."""
        return current_task()
