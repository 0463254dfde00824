"""Check of what browsers post to the callbacks of the dashboard, before Dash acts on it.

Dash takes the body of a request at its word and fails somewhere inside where a value has another type. Here the body
must name a callback that runs on the server, exactly its inputs and states, and values of the types of the controls.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter, ValidationError

from mega_data_factory.dashboard.run_query import PERIODS


def _period(key: str) -> str:
    if key not in PERIODS:
        raise ValueError("not a period of the list of runs")
    return key


_STRICT = ConfigDict(strict=True)
_TEXT: TypeAdapter[Any] = TypeAdapter(str | None, config=_STRICT)
_NUMBER: TypeAdapter[Any] = TypeAdapter(int | None, config=_STRICT)
_TEXTS: TypeAdapter[Any] = TypeAdapter(list[str] | None, config=_STRICT)
_PERIOD: TypeAdapter[Any] = TypeAdapter(Annotated[str, AfterValidator(_period)] | None, config=_STRICT)
_LIST: TypeAdapter[Any] = TypeAdapter(list[Any] | None, config=_STRICT)

_KINDS: Mapping[str, TypeAdapter[Any]] = {
    "url.pathname": _TEXT,
    "url.search": _TEXT,
    "look.data": _TEXT,
    "shown.data": _LIST,
    "tick.data": _NUMBER,
    "runs-typed.data": _TEXT,
    "runs-pipeline.value": _TEXT,
    "runs-period.value": _PERIOD,
    "runs-status.value": _TEXTS,
    "runs-picked.data": _TEXTS,
    "runs-version.data": _LIST,
    "runs-compare.n_clicks": _NUMBER,
    "compare-runs.value": _TEXTS,
    "nodes-nodes.value": _TEXTS,
    "nodes-metrics.value": _TEXTS,
    "nodes-period.value": _TEXT,
    "nodes-view.data": _TEXT,
}
"""Types of the values that callbacks get, by id and property of the control."""


class _Value(BaseModel):
    """Value of one property of a control."""

    model_config = _STRICT
    id: str
    property: str
    value: Any = None


class _Question(BaseModel):
    """Body of a request to `/_dash-update-component`, as far as Dash reads it."""

    model_config = _STRICT
    output: str
    outputs: Any
    inputs: list[_Value]
    state: list[_Value] = []
    changedPropIds: list[str]


def problem_of(sent: Any, callbacks: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return what is wrong with the body of a request to a callback; None if nothing is.

    Args:
        sent: The decoded body.
        callbacks: The callbacks of the application by output, as `Dash.callback_map` holds them.
    """
    try:
        json.dumps(sent, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "a text with a lone surrogate"
    try:
        question = _Question.model_validate(sent)
    except ValidationError as error:
        return _first(error)
    callback = callbacks.get(question.output)
    if callback is None or "callback" not in callback:  # those that run in the browser have none
        return "there is no such callback"
    if _plain(question.outputs) != _outputs(callback["output"]):
        return "the outputs are not those of the callback"
    for part, values in (("inputs", question.inputs), ("state", question.state)):
        if [_key(value) for value in values] != [f"{known['id']}.{known['property']}" for known in callback[part]]:
            return f"the {part} are not those of the callback"
        for value in values:
            if (wrong := _wrong(value)) is not None:
                return wrong
    if not {*question.changedPropIds} <= {_key(value) for value in question.inputs}:
        return "what has changed is not among the inputs"
    return None


def _key(value: _Value) -> str:
    return f"{value.id}.{value.property}"


def _outputs(output: Any) -> Any:
    """Return the outputs as a browser lists them: a list where the callback returns several."""
    if isinstance(output, Sequence) and not isinstance(output, str):
        return [_outputs(part) for part in output]
    return {"id": output.component_id, "property": output.component_property}


def _plain(outputs: Any) -> Any:
    """Return outputs without the mark that Dash adds where two callbacks write one property: `search@1f…`."""
    if isinstance(outputs, list):
        return [_plain(part) for part in outputs]
    if isinstance(outputs, Mapping) and isinstance(outputs.get("property"), str):
        return {**outputs, "property": outputs["property"].partition("@")[0]}
    return outputs


def _wrong(value: _Value) -> str | None:
    try:
        _KINDS[_key(value)].validate_python(value.value)
    except ValidationError as error:
        return f"{_key(value)}: {_first(error)}"
    return None


def _first(error: ValidationError) -> str:
    """Describe the first error of a validation in one line, without the value."""
    found = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in found["loc"])
    return f"{place}: {found['msg']}" if place else found["msg"]
