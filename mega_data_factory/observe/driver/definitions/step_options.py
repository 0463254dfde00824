"""Options of a step: checked where they are given, shown in the configuration of the run, and made a specification."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypedDict

from mega_data_factory.observe.counting.calls import plain_text
from mega_data_factory.observe.driver.checking import check_slice_by, check_text, slice_name
from mega_data_factory.observe.driver.definitions.defined_steps import DefinedStep, text_of
from mega_data_factory.observe.driver.settings import ObserveSettings
from mega_data_factory.observe.steps.spec import RunRef, StepSpec

if TYPE_CHECKING:
    from mega_data_factory.observe.counting.survey.sheets import SliceBy, Watch


class StepOptions(TypedDict, total=False):
    """Keywords of `ObservedRun.step`, which describes them."""

    name: str | None
    stage: str | None
    reason: str | None
    text: str | None
    tokens: str | None
    slice_by: SliceBy | Sequence[SliceBy] | None
    on_error: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any] | None
    filters: bool | None
    flat: bool | None
    batched: bool | None
    count: Callable[[Any], int] | None


@dataclass(frozen=True)
class CountingOptions:
    """What a step was given on how to count; the attributes are the keywords of `ObservedRun.step` of the same names.

    Raises:
        TypeError: a value is not of its type.
        ValueError: `on_error` is neither `raise` nor `skip`, or a text is empty.
    """

    reason: str | None
    text: str | None
    tokens: str | None
    slice_by: SliceBy | Sequence[SliceBy] | None
    on_error: str
    filters: bool | None
    flat: bool | None
    batched: bool | None
    count: Callable[[Any], int] | None

    def __post_init__(self) -> None:
        if self.on_error not in ("raise", "skip"):
            raise ValueError(f"on_error must be 'raise' or 'skip', not {self.on_error!r}")
        for option in ("reason", "text", "tokens"):
            if (given := getattr(self, option)) is not None:
                check_text(f"{option} of a step", given)
                object.__setattr__(self, option, plain_text(given))
        if self.slice_by is not None:
            object.__setattr__(self, "slice_by", check_slice_by(self.slice_by))

    def as_keywords(self) -> dict[str, Any]:
        """Return the options by their names."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def as_config(self) -> dict[str, Any]:
        """Return what was given, for the configuration in the run row."""
        shown: dict[str, Any] = {}
        for option, value in self.as_keywords().items():
            if option == "slice_by" and value is not None:
                shown[option] = [entry if isinstance(entry, str) else text_of(entry) for entry in value]
            elif value is not None and (option, value) != ("on_error", "raise"):
                shown[option] = value if isinstance(value, str | bool) else text_of(value)
        return shown

    def spec(self, run: RunRef, step: DefinedStep, settings: ObserveSettings, *, one_by_one: bool) -> StepSpec:
        """Return the specification of a step; what was not given is as the run has it.

        Args:
            run: what the step knows of its run.
            step: as it was defined.
            settings: of the run.
            one_by_one: whether its records pass one by one, and are weighed as they do.
        """
        return StepSpec(
            run,
            step.id,
            step.name,
            step.stage,
            self.reason,
            self.text or settings.text,
            self.on_error,
            self.filters,
            self.flat,
            self.batched,
            self.count,
            settings.rejected_samples,
            self._watch(settings, one_by_one=one_by_one),
            step.operator_index,
        )

    def _watch(self, settings: ObserveSettings, *, one_by_one: bool) -> Watch | None:
        slice_by = settings.slice_by if self.slice_by is None else self.slice_by
        tokens = self.tokens or settings.tokens
        text = self.text or settings.text
        if not (slice_by or tokens or settings.rejects or (text and one_by_one)):
            return None
        from mega_data_factory.observe.counting.survey.sheets import Watch  # brings Arrow

        entries: tuple[SliceBy, ...] = tuple(slice_by)  # type: ignore[arg-type]  # checked, and a tuple by now
        return Watch(entries, tuple(map(slice_name, entries)), text, tokens, settings.rejects)
