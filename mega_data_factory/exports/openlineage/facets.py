"""Facets of our own: what OpenLineage's standard facets have no place for.

Their JSON Schema is `facets.json` beside this file. Keys and class names follow the specification's section "Custom
Facet Naming": prefix, name, entity.
"""

from __future__ import annotations

from typing import Any

import attr
from openlineage.client.facet_v2 import RunFacet

_SCHEMA = "urn:mega-data-factory:openlineage:1-0-0:facets.json#/$defs/"
"""Identifies one version of `facets.json`, which is part of the package: it is at no address of the web."""


@attr.define
class MdfRunRunFacet(RunFacet):
    """What the run is called here, and the state of its books; key `mdf_run`.

    Attributes:
        id: id of the run.
        status: `running`, `completed`, `failed`, `interrupted` or `aborted`.
        inputRecords: records read by the loader.
        outputRecords: records committed by the writer.
        rejectedRecords: records rejected, over all stages.
        errorRecords: records set aside because something raised.
        createdRecords: records that operators made beside those that came in.
        balanced: whether every record is accounted for; absent while that is not known.
        durationSeconds: seconds from the start to the end, or until now.
        metrics: folder or URI of the metrics; absent if they are not stored.
    """

    id: str
    status: str
    inputRecords: int
    outputRecords: int
    rejectedRecords: int
    errorRecords: int
    createdRecords: int
    balanced: bool | None = None
    durationSeconds: float | None = None
    metrics: str | None = None

    @staticmethod
    def _get_schema() -> str:
        return f"{_SCHEMA}MdfRunRunFacet"


@attr.define
class MdfRejectionsRunFacet(RunFacet):
    """Records that did not reach the output, by operator and reason; key `mdf_rejections`.

    Attributes:
        operators: a mapping for each operator that rejected or set aside records: `stage`, `operator`,
            `inputRecords`, `outputRecords`, `rejectedRecords`, `errorRecords`, `reasons` (records by reason).
    """

    operators: list[dict[str, Any]]

    @staticmethod
    def _get_schema() -> str:
        return f"{_SCHEMA}MdfRejectionsRunFacet"
