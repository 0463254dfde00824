"""Hooks in `datasets` while a run lasts: methods that call the original ones, and how steps are hashed."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from mega_data_factory.observe.engines.engine import Task, this_worker
from mega_data_factory.observe.huggingface.bound import STEP, Use, stand_in_for, use_of
from mega_data_factory.observe.huggingface.cache import replay_cached, write_account
from mega_data_factory.observe.huggingface.pieces import Piece
from mega_data_factory.observe.huggingface.streams import observed_iteration, observed_stream
from mega_data_factory.observe.steps.classes import ObservedClass
from mega_data_factory.observe.steps.spec import RunRef
from mega_data_factory.observe.steps.step import AsyncStep, Step

_lock = threading.Lock()
_runs: set[str] = set()
_originals: dict[tuple[type, str], Any] = {}


def install(run_id: str) -> None:
    """Replace the methods of `datasets` that call steps, unless another run has done so.

    Args:
        run_id: the run that needs them.
    """
    from datasets import Dataset, IterableDataset

    with _lock:
        _runs.add(run_id)
        if _originals:
            return
        _hash_steps_as_their_functions()
        _replace(Dataset, "_map_single", lambda _: _map_shard())
        _replace(Dataset, "map", _observed_map)
        _replace(Dataset, "filter", _observed_filter)
        _replace(IterableDataset, "map", functools.partial(observed_stream, filters=False))
        _replace(IterableDataset, "filter", functools.partial(observed_stream, filters=True))
        _replace(IterableDataset, "__iter__", observed_iteration)
        _replace(IterableDataset, "iter", observed_iteration)


def uninstall(run_id: str) -> None:
    """Put the methods back, unless another run needs them.

    Args:
        run_id: the run that has ended.
    """
    with _lock:
        _runs.discard(run_id)
        if _runs:
            return
        for (owner, name), method in _originals.items():
            setattr(owner, name, method)
        _originals.clear()


def _replace(owner: type, name: str, observed: Callable[[Any], Any]) -> None:
    _originals[owner, name] = inspect.getattr_static(owner, name)
    setattr(owner, name, observed(getattr(owner, name)))


def _observed_map(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return `Dataset.map`, which also sees what comes from the cache."""
    signature = inspect.signature(original)

    @functools.wraps(original)
    def observed(self: Any, *args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(self, *args, **kwargs)
        function = bound.arguments.get("function")
        use = use_of(function, batched=bool(bound.arguments.get("batched")))
        if use is None:
            return original(*bound.args, **bound.kwargs)
        use.refuse_what_cannot_be()
        bound.arguments["function"] = stand_in_for(function)
        result = original(*bound.args, **bound.kwargs)
        replay_cached(use, self, result, bound.arguments)
        return result

    return observed


def _observed_filter(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return `Dataset.filter`, which hashes a step as its function; it calls `map`, which sees the rest."""
    signature = inspect.signature(original)

    @functools.wraps(original)
    def observed(self: Any, *args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(self, *args, **kwargs)
        bound.arguments["function"] = stand_in_for(bound.arguments.get("function"))
        return original(*bound.args, **bound.kwargs)

    return observed


class _MapShard:
    """`Dataset._map_single`, which works on one shard, in any process; pickled as a reference to this module.

    Args:
        original: the method.
    """

    def __init__(self, original: Callable[..., Iterator[Any]]) -> None:
        functools.update_wrapper(self, original)  # the fingerprint of a result has this name and signature in it
        self.original = original

    def __reduce__(self) -> tuple[Any, ...]:
        return _map_shard, ()

    def __call__(self, **arguments: Any) -> Iterator[Any]:
        use = use_of(arguments.get("function"), batched=bool(arguments.get("batched")))
        if use is None:
            return self.original(**arguments)
        return _observed_shard(self.original, use, arguments)


def _observed_shard(original: Callable[..., Iterator[Any]], use: Use, arguments: dict[str, Any]) -> Iterator[Any]:
    """Work on a shard; deliver its account before the result is there to be seen."""
    spec, worker = use.step.spec, this_worker()
    piece = Piece(spec, Task(arguments["new_fingerprint"], f"{worker}/{time.time_ns()}", worker))
    expected, cache_file = _records_to_process(arguments), arguments.get("cache_file_name")
    results = original(**arguments | {"function": use.bound_to(piece)})
    try:
        while True:
            with piece.entered():
                try:
                    result = next(results)
                except StopIteration:
                    return
            if piece.summed is None and piece.records_in >= expected and cache_file is not None:
                write_account(piece, spec, cache_file)  # the cache file gets its name after this
            if result[1]:  # it is done
                piece.finish()
            yield result
    finally:
        piece.finish()


def _records_to_process(arguments: dict[str, Any]) -> int:
    rows = len(arguments["shard"])
    if arguments.get("batched") and arguments.get("drop_last_batch"):
        size = arguments.get("batch_size") or rows
        return rows // size * size
    return rows


@functools.cache
def _hash_steps_as_their_functions() -> None:
    """Let `datasets` hash a step as the function that it observes.

    The fingerprint of a result then depends neither on the run nor on being observed: what was cached stays valid. A
    step that skips failing records has another result than its function, and another hash.
    """
    from datasets.utils._dill import Pickler, pklregister

    save_function = Pickler.dispatch[FunctionType]

    def save_stand_in(pickler: Any, function: Any) -> None:
        step = function.__dict__.get(STEP)
        if isinstance(step, Step):
            save_step(pickler, step)
        else:
            save_function(pickler, function)

    def save_step(pickler: Any, step: Step) -> None:
        if step.spec.on_error == "raise":
            pickler.save(step.function)
        else:
            pickler.save((step.spec.on_error, step.function))

    def save_class(pickler: Any, made: ObservedClass) -> None:
        pickler.save(made.wrapped)

    def save_run(pickler: Any, _: object) -> None:
        pickler.save("run")

    def save_module(pickler: Any, module: ModuleType) -> None:
        if module.__name__.startswith("mega_data_factory"):  # dill saves what is in it, unless it is in site-packages
            pickler.save_reduce(importlib.import_module, (module.__name__,), obj=module)
        else:
            save_other_module(pickler, module)

    save_other_module = Pickler.dispatch[ModuleType]
    pklregister(ModuleType)(save_module)
    pklregister(FunctionType)(save_stand_in)
    pklregister(Step)(save_step)
    pklregister(AsyncStep)(save_step)
    pklregister(ObservedClass)(save_class)
    for kind in (RunRef, *_run_classes()):
        pklregister(kind)(save_run)


def _run_classes() -> list[type]:
    """Return the classes of a run, which a function may hold to reject by name; their module is in a higher layer."""
    module = sys.modules.get("mega_data_factory.observe.driver.run")
    return [] if module is None else [module.ObservedRun, module.RunInWorker]


_method: _MapShard | None = None


def _map_shard() -> _MapShard:
    """Return the method of this process; a spawned one has it here, though not in its place in `datasets`.

    This is no `functools.cache`: dill would pickle that by value, with an empty cache, and the method would be observed
    twice in a forked process.
    """
    global _method
    if _method is None:
        from datasets import Dataset

        _method = _MapShard(Dataset._map_single)
    return _method
