"""JSON Schema of OpenLineage's events, made from the classes of `openlineage-python`.

These are generated from the published schemas, which no package carries: names, types and required fields are the
same. Facets are told apart by their `_schemaURL`. Ours are checked against `facets.json` of the package.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import attr
from jsonschema import Draft202012Validator
from openlineage.client import event_v2, facet_v2

OWN = "urn:mega-data-factory:openlineage:"
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}


def check(event: Mapping[str, Any]) -> None:
    """Fail unless an event and each of its facets keep to their schemas."""
    _checked(event, _schema(event_v2.RunEvent))
    places = [event["run"]["facets"], event["job"]["facets"]]
    for dataset in [*event["inputs"], *event["outputs"]]:
        places += [dataset["facets"], dataset.get("inputFacets", {}), dataset.get("outputFacets", {})]
    for facets in places:
        for key, facet in facets.items():
            _check_facet(key, facet)


def _check_facet(key: str, facet: Mapping[str, Any]) -> None:
    address = facet["_schemaURL"]
    if address.startswith(OWN):
        assert key.startswith("mdf_"), "custom facets have the prefix of their project"
        base, _, pointer = address.partition("#/$defs/")
        text = (resources.files("mega_data_factory.exports.openlineage") / "facets.json").read_text()
        schema = json.loads(text)
        assert base == schema["$id"]
        _checked(facet, {**schema, "$ref": f"#/$defs/{pointer}"})
    else:
        kind = _published()[address]
        _checked(facet, _schema(kind))


@cache
def _published() -> dict[str, type[Any]]:
    """Return the classes of all facets of the specification, by the address of their schema."""
    found = {}
    for module in vars(facet_v2).values():
        for kind in vars(module).values() if isinstance(module, types.ModuleType) else ():
            if isinstance(kind, type) and hasattr(kind, "_get_schema"):
                found[kind._get_schema()] = kind
    return found


def _checked(value: Any, schema: Mapping[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(value)


def _schema(kind: type[Any]) -> dict[str, Any]:
    """Return the schema of a class."""
    definitions: dict[str, Any] = {}
    return {**_reference(kind, definitions), "$defs": definitions}


def _reference(kind: type[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return a reference to the definition of a class, which may hold itself.

    Unknown keys are refused, those without a default are required.
    """
    name = f"{kind.__module__}.{kind.__name__}"
    if name not in definitions:
        definitions[name] = {}
        attr.resolve_types(kind)
        fields = attr.fields(kind)
        required = [field.name for field in fields if field.default is attr.NOTHING]
        always = [field.name for field in fields if field.name in ("_producer", "_schemaURL", "producer", "schemaURL")]
        definitions[name] = {
            "type": "object",
            "properties": {field.name: _type(field.type, definitions) for field in fields},
            "required": sorted({*required, *always}),
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name}"}


def _type(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_type(other, definitions) for other in arguments if other is not type(None)]}
    if origin is list:
        return {"type": "array", "items": _type(arguments[0], definitions)}
    if origin is dict:
        value = arguments[1]
        facet = isinstance(value, type) and issubclass(value, facet_v2.BaseFacet)
        return {"type": "object", "additionalProperties": {"type": "object"} if facet else _type(value, definitions)}
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if isinstance(hint, type) and hint.__name__ == "EventType":
        return {"enum": [member.value for member in hint]}  # type: ignore[attr-defined]
    return _reference(hint, definitions) if attr.has(hint) else {}
