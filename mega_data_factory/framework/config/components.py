"""Mistakes in the components and the stages of a configuration that is wrong elsewhere too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mega_data_factory.errors import MdfError
from mega_data_factory.framework.config.mistakes import Key, Mistakes, Place
from mega_data_factory.framework.config.rules import check_shared, check_some_enabled, check_stage_names
from mega_data_factory.framework.config.source import ConfigSource
from mega_data_factory.framework.config.variables import FilledIn
from mega_data_factory.framework.registry import Kind, resolve


def component_mistakes(filled: FilledIn, source: ConfigSource) -> list[MdfError]:
    """Return the mistakes in loader, operators, writer, exporters and the names of stages.

    Args:
        filled: the values, unchecked; what is not of the form of a component is passed over.
        source: their place in the configuration.
    """
    mistakes = Mistakes()
    for kind, name, component, key in _components(filled.values):
        params = component.get("params", {})
        if not isinstance(component.get(name), str) or not isinstance(params, Mapping):
            continue
        unknown = filled.unknown_below((*key, "params"))
        with mistakes.gathered():
            known = {each: value for each, value in params.items() if each not in unknown}
            resolve(kind, component[name], known, Place(key, source), unknown)
    _check_stages(filled.values, source, mistakes)
    writer = _mapping(filled.values.get("data_writer"))
    output = _mapping(writer.get("params")).get("output_path")
    check_shared(str(output), Place(("data_writer", "params", "output_path"), source), mistakes)
    return mistakes.errors()


def _check_stages(values: Mapping[str, Any], source: ConfigSource, mistakes: Mistakes) -> None:
    names = []
    for index, item in enumerate(_list(values.get("stages"))):
        stage, place = _mapping(item), Place(("stages", index), source)
        if isinstance(stage.get("name"), str):
            names.append((stage["name"], place))
        enabled = [_mapping(operator).get("enabled") is not False for operator in _list(stage.get("operators"))]
        check_some_enabled(str(stage.get("name")), enabled, place, mistakes)
    check_stage_names(names, mistakes)


def _components(values: Mapping[str, Any]) -> Iterator[tuple[Kind, str, Mapping[str, Any], Key]]:
    """Yield kind, key of the name, section and place of every component."""
    if isinstance(loader := values.get("data_loader"), Mapping):
        yield "loader", "type", loader, ("data_loader",)
    for index, stage in enumerate(_list(values.get("stages"))):
        yield from _listed("operator", _mapping(stage), "operators", ("stages", index))
    if isinstance(writer := values.get("data_writer"), Mapping):
        yield "writer", "type", writer, ("data_writer",)
    metrics = _mapping(_mapping(values.get("executor")).get("metrics"))
    yield from _listed("exporter", metrics, "exporters", ("executor", "metrics"))


def _listed(
    kind: Kind, section: Mapping[str, Any], name: str, key: Key
) -> Iterator[tuple[Kind, str, Mapping[str, Any], Key]]:
    for at, component in enumerate(_list(section.get(name))):
        if isinstance(component, Mapping):
            yield kind, "name", component, (*key, name, at)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
