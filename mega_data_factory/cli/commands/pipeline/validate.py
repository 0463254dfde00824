"""`mdf validate`: whether a configuration is right, and what it is in today's form."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.markup import escape

from mega_data_factory import storage
from mega_data_factory.cli.display.console import stderr, stdout
from mega_data_factory.cli.display.streams import print_text
from mega_data_factory.cli.failures import SUCCESS, print_json
from mega_data_factory.errors import InputError
from mega_data_factory.formats import plural
from mega_data_factory.framework.config.pipeline import PipelineConfig
from mega_data_factory.framework.driver.places import checked_plan
from mega_data_factory.framework.plan import Plan
from mega_data_factory.redaction import without_credentials


def validate(path: Path, overrides: Sequence[str], *, upgrade: bool, as_json: bool) -> int:
    """Check a configuration to the last parameter.

    JSON: `{ok: true, pipeline, stages, operators, warnings: [text]}`, with `upgrade` also `configuration`, or
    `{error: {slug, message, hint}}`. A warning is about this machine, such as a source that is not here, or about what
    was written in the form of the original.

    Args:
        path: the file.
        overrides: `key=value` each.
        upgrade: print the configuration in today's form, as YAML that means the same.
        as_json: print JSON.
    """
    config = PipelineConfig.from_yaml(path, overrides, with_components=True)
    made = checked_plan(config)
    missing = _missing_source(made)
    if as_json:
        warnings = [*config.old_form, *([missing] if missing else [])]
        answer = _counts(made) | {"warnings": [without_credentials(text) for text in warnings]}
        print_json(answer | ({"configuration": _in_todays_form(config)} if upgrade else {}))
        return SUCCESS
    if upgrade:
        print_text(
            yaml.safe_dump(_in_todays_form(config), sort_keys=False, allow_unicode=True, width=120).rstrip(), sys.stdout
        )
    else:
        counts = _counts(made)
        numbers = f"{plural(counts['stages'], 'stage')}, {plural(counts['operators'], 'operator')}"
        stdout().print(f"ok: {escape(str(path))}: {numbers}")
    if missing:
        stderr().print(f"warning: {without_credentials(missing)}", markup=False, soft_wrap=True)
    return SUCCESS


def _counts(made: Plan) -> dict[str, Any]:
    operators = sum(len(stage.operators) for stage in made.stages)
    return {"ok": True, "pipeline": made.config.name, "stages": len(made.stages), "operators": operators}


def _in_todays_form(config: PipelineConfig) -> Mapping[str, Any]:
    """Return the configuration with its name, under which its runs are compared, and variables not filled in."""
    return {"name": config.name, **config.as_written()}


def _missing_source(made: Plan) -> str | None:
    """Return why a run would find nothing to read here; None if it would, and of sources that are not local."""
    paths = made.loader.params.get("path", [])
    local = all(storage.is_local(str(path)) for path in ([paths] if isinstance(paths, str) else paths))
    if not paths or not local or not made.loader.target.startswith("mega_data_factory.loaders."):
        return None
    try:
        next(iter(made.loader.build().splits(made.executor.batch_size)), None)
    except InputError as error:
        return error.message
    return None
