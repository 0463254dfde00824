"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Metrics = Annotated[
    str,
    typer.Option(
        "--metrics", envvar="MDF_METRICS", metavar="PATH|URI", help="The metrics folder: a path, s3://…, gs://…"
    ),
]


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, and nothing else.")]


DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")]


DEFAULT = "./metrics"
