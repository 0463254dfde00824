"""YAML of a configuration: parsed with limits, every mistake an error that names its line."""

from __future__ import annotations

from typing import Any

import yaml

MOST_NODES = 100_000
"""Values that a configuration may have with all its aliases written out."""

MOST_LEVELS = 100
"""Mappings and lists that may lie within each other."""


class _Loader(yaml.SafeLoader):
    """Finds values that have the form of a number or a date and are none."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError) as error:
            kind = node.tag.rpartition(":")[2]
            shown = node.value if isinstance(node.value, str) and len(node.value) < 40 else f"{str(node.value)[:40]}…"
            problem = f"{shown!r} looks like {_KINDS.get(kind, kind)} and is none; to have a text, put it in quotes"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


_KINDS = {"int": "a whole number", "float": "a number", "timestamp": "a date", "binary": "base64"}


def parse(text: str, name: str = "") -> tuple[Any, yaml.Node | None]:
    """Parse one YAML document.

    Args:
        text: the document.
        name: of the file, for messages.

    Returns:
        Its value, and its tree of nodes; None for both where it is empty.

    Raises:
        yaml.YAMLError: it is not YAML, holds a value that is none of its form, has more values than `MOST_NODES`, or is
            nested deeper than `MOST_LEVELS`.
        RecursionError: it is nested so deeply that it cannot be parsed.
    """
    loader = _Loader(text)
    loader.name = name or "the text"
    try:
        node = loader.get_single_node()
        if node is None:
            return None, None
        _check_size(node)
        return loader.construct_document(node), node
    finally:
        loader.dispose()


def _check_size(root: yaml.Node) -> None:
    """Refuse documents whose nested aliases expand to an absurd number of values."""
    sizes: dict[int, int] = {}

    def size_of(node: yaml.Node, above: frozenset[int]) -> int:
        if id(node) in above:
            raise yaml.constructor.ConstructorError(None, None, "it contains a recursive alias", node.start_mark)
        if len(above) > MOST_LEVELS:
            problem = f"it is nested deeper than {MOST_LEVELS} levels"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        if id(node) not in sizes:
            inner = above | {id(node)}
            if isinstance(node, yaml.MappingNode):
                parts = [part for pair in node.value for part in pair]
            else:
                parts = node.value if isinstance(node, yaml.SequenceNode) else []
            sizes[id(node)] = 1 + sum(size_of(part, inner) for part in parts)
        if sizes[id(node)] > MOST_NODES:
            problem = f"with its aliases written out it has more than {MOST_NODES:,} values"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return sizes[id(node)]

    size_of(root, frozenset())
