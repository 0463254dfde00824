"""A browser without a screen: asks the server what the frame of the dashboard asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flask.testing import FlaskClient

from mega_data_factory.dashboard.app import create_app

PAGE = "..content.children...title.data...shown.data.."
TABLE = "..runs-body.children...runs-address.data...runs-version.data.."


def _input(name: str, prop: str, value: object) -> dict[str, object]:
    return {"id": name, "property": prop, "value": value}


class Visitor:
    """Visits a dashboard over a metrics folder."""

    def __init__(self, path: object, **options: Any) -> None:
        self.app = create_app(str(path), refresh=0.02, **options)
        self.store = self.app.server.config["store"]
        self.client: FlaskClient = self.app.server.test_client()
        self.store.runs(patience=30.0)

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.stop()

    def page(self, path: str, search: str = "", shown: object = None, changed: str = "url.pathname") -> Any:
        """What stands in the page at an address; None where it need not be made again."""
        inputs = [_input("url", "pathname", path), _input("url", "search", search)]
        inputs += [_input("look", "data", "light"), _input("tick", "data", 1)]
        return self._ask(PAGE, inputs, [_input("shown", "data", shown)], changed)

    def table(self, search: str = "", version: object = None, changed: str = "runs-typed.data", **values: Any) -> Any:
        """What stands below the controls of the list of runs."""
        inputs = [_input("runs-typed", "data", values.get("text"))]
        inputs += [_input(f"runs-{name}", "value", values.get(name)) for name in ("pipeline", "period", "status")]
        inputs += [_input("look", "data", "light"), _input("tick", "data", 1)]
        states = [_input("url", "search", search), _input("runs-picked", "data", values.get("picked", []))]
        states += [_input("runs-version", "data", version)]
        return self._ask(TABLE, inputs, states, changed)

    def _ask(self, output: str, inputs: list[Any], states: list[Any], changed: str) -> Any:
        names = [part.rsplit(".", 1) for part in output.strip(".").split("...")]
        asked = {
            "output": output,
            "outputs": [{"id": name, "property": prop} for name, prop in names],
            "inputs": inputs,
            "state": states,
            "changedPropIds": [changed],
        }
        answer = self.client.post("/_dash-update-component", json=asked)
        if answer.status_code == 204:
            return None
        assert answer.status_code == 200, answer.text
        return answer.get_json()["response"]


def texts(component: Any) -> list[str]:
    """All text that a reader sees of a component, figures left out."""
    return list(_texts(component))


def _texts(component: Any) -> Iterator[str]:
    if isinstance(component, str):
        yield component
    elif isinstance(component, list):
        if all(isinstance(child, str) or child.get("type") == "Wbr" for child in component):
            yield "".join(child for child in component if isinstance(child, str))  # one name that may break
            return
        for child in component:
            yield from _texts(child)
    elif isinstance(component, dict) and "props" in component:
        yield from _texts(component["props"].get("children"))


def found(component: Any, kind: str) -> list[dict[str, Any]]:
    """The properties of every component of a type, such as `Graph`."""
    if isinstance(component, list):
        return [item for child in component for item in found(child, kind)]
    if not isinstance(component, dict):
        return []
    here = [component["props"]] if component.get("type") == kind else []
    return here + [item for child in component.values() for item in found(child, kind)]


def written(answer: Any) -> str:
    """Everything that was sent, as one text."""
    return json.dumps(answer, ensure_ascii=False)
