"""Rules of a pipeline that the form of its keys does not say."""

from __future__ import annotations

from collections.abc import Sequence

from mega_data_factory.errors import ConfigError
from mega_data_factory.framework.config.mistakes import Mistakes, Place
from mega_data_factory.framework.contracts import LOADER_STAGE


def check_stage_names(stages: Sequence[tuple[str, Place]], mistakes: Mistakes) -> None:
    """Find names of stages that are reserved, or that two stages share.

    Args:
        stages: name and place of each.
        mistakes: where mistakes are added.
    """
    names = [name for name, _ in stages]
    for index, (name, place) in enumerate(stages):
        at = place.nearest("name")
        if name == LOADER_STAGE:
            hint = "the name is reserved for records that the loader skips"
            mistakes.add(ConfigError(f"{at}: a stage cannot be named `{name}`", hint=hint))
        if name in names[:index] and name not in names[index + 1 :]:
            problem = f"{names.count(name)} stages are named `{name}`"
            mistakes.add(ConfigError(f"{at}: {problem}", hint="give each its own name"))


def check_some_enabled(name: str, enabled: Sequence[bool], place: Place, mistakes: Mistakes) -> None:
    """Find a stage that has operators and none of them enabled.

    Args:
        name: name of the stage.
        enabled: of each operator whether it is enabled.
        place: place of the stage.
        mistakes: where a mistake is added.
    """
    if enabled and not any(enabled):
        problem = f"{place}: no operator of `{name}` is enabled"
        mistakes.add(ConfigError(problem, hint="remove the stage instead"))


def check_shared(uri: str, place: Place, mistakes: Mistakes) -> None:
    """Find a place that each process has for itself: workers are processes, and it would end with them.

    Args:
        uri: where the output goes.
        place: place of it in the configuration.
        mistakes: where a mistake is added.
    """
    if uri.startswith("memory://"):
        problem = f"{place}: {uri} is in the memory of one process: what workers write there is lost when they exit"
        mistakes.add(ConfigError(problem, hint="give a folder or an object store; metrics may be in memory"))
