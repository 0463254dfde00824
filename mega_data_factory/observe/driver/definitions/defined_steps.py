"""Steps of a run, on the driver: their names, and their order in stages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from mega_data_factory.observe.driver.notebook import Cell


@dataclass(frozen=True)
class DefinedStep:
    """A step as it was defined.

    Attributes:
        id: distinct within the run.
        name: operator name, distinct within the stage.
        stage: stage name.
        stage_index: place of the stage in the order of definition.
        operator_index: place of the step in its stage.
        function: the user's function, as text.
        options: what the step was given beside the function, without what was left out.
        given_name: operator name before it was made distinct.
        cell: where a cell of a notebook has defined it; None outside of notebooks.
    """

    id: str
    name: str
    stage: str
    stage_index: int
    operator_index: int
    function: str
    options: Mapping[str, Any] = field(default_factory=dict)
    given_name: str = ""
    cell: Cell | None = None

    def as_config(self) -> dict[str, Any]:
        """Return the step for the configuration in the run row."""
        return {"stage": self.stage, "name": self.name, "function": self.function, **self.options}


class DefinedSteps:
    """The steps of a run in the order of their definition. Any thread may define one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # making a step may define another
        self._steps: dict[str, DefinedStep] = {}
        self._stages: dict[str, int] = {}  # stage → its place
        self._names: dict[str, dict[str, int]] = {}  # stage → name → how often it was given
        self._defined = 0

    @contextmanager
    def defining(
        self, name: str, stage: str, function: str, options: Mapping[str, Any], cell: Cell | None = None
    ) -> Iterator[tuple[DefinedStep, DefinedStep | None]]:
        """Enter a step when the block ends, and not at all where it raises: what is refused is no step of the run.

        A step with the name of another of its stage is a second instance, `name_2`. A cell of a notebook that is
        executed again defines its steps again: they take the place of the earlier ones.

        Args:
            name: operator name.
            stage: stage name.
            function: the user's function, as text.
            options: of the step.
            cell: where a notebook defines it.

        Yields:
            The step, and the one that it replaces.
        """
        with self._lock:
            replaced = self._defined_by(cell, name, stage)
            number, self._defined = str(self._defined), self._defined + 1
            if replaced is not None:
                step = replace(replaced, id=number, function=function, options=options, cell=cell)
            else:
                step = self._next(number, name, stage, function, options, cell)
            yield step, replaced
            if replaced is not None:
                del self._steps[replaced.id]
            else:
                self._stages.setdefault(stage, step.stage_index)
                used = self._names.setdefault(stage, {})
                used[name] = used.get(name, 0) + 1
                used.setdefault(step.name, 1)
            self._steps[step.id] = step

    def _next(
        self, number: str, name: str, stage: str, function: str, options: Mapping[str, Any], cell: Cell | None
    ) -> DefinedStep:
        """Return a step behind those of its stage, under a name that is free there."""
        used = self._names.get(stage, {})
        distinct, instance = name, used.get(name, 1)
        while distinct in used:
            instance += 1
            distinct = f"{name}_{instance}"
        place = self._stages.get(stage, len(self._stages))
        return DefinedStep(number, distinct, stage, place, len(used), function, options, given_name=name, cell=cell)

    def _defined_by(self, cell: Cell | None, name: str, stage: str) -> DefinedStep | None:
        """Return the step that an earlier execution of a cell has defined at the same line, if there is one."""
        if cell is None:
            return None
        for step in self._steps.values():
            if step.cell is None or (step.given_name, step.stage) != (name, stage):
                continue
            if (step.cell.file, step.cell.line) == (cell.file, cell.line) and step.cell.execution != cell.execution:
                return step
        return None

    def full_name(self, step: str) -> str:
        """Return `stage/name` of a step by its id, or the id if it is unknown."""
        with self._lock:
            defined = self._steps.get(step)
        return step if defined is None else f"{defined.stage}/{defined.name}"

    def places(self) -> dict[str, DefinedStep]:
        """Return the steps by their ids."""
        with self._lock:
            return dict(self._steps)

    def as_config(self) -> list[dict[str, Any]]:
        """Return the steps for the configuration in the run row."""
        return [step.as_config() for step in self.places().values()]


def text_of(function: Callable[..., Any] | object) -> str:
    """Return `module.name` of a function, class or object, as its reader would look for it."""
    module = getattr(function, "__module__", None) or type(function).__module__
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{module}.{name}"
