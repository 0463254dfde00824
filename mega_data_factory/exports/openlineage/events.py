"""Events of OpenLineage for a run at one moment.

Source: OpenLineage specification 2-0-2, with the facets of `openlineage-python`, which are generated from it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    InputDatasetFacet,
    JobFacet,
    OutputDatasetFacet,
    RunFacet,
    error_message_run,
    input_statistics_input_dataset,
    job_type_job,
    output_statistics_output_dataset,
    processing_engine_run,
)

from mega_data_factory import storage
from mega_data_factory._version import __version__
from mega_data_factory.exports.cardinality import Bounds
from mega_data_factory.exports.openlineage.column_facets import column_facets
from mega_data_factory.exports.openlineage.datasets import DatasetName, dataset_name, inputs_of, output_of
from mega_data_factory.exports.openlineage.facets import MdfRejectionsRunFacet, MdfRunRunFacet
from mega_data_factory.framework.metrics.models import OperatorMetrics, RunMetrics
from mega_data_factory.framework.metrics.rows.rollup import over_workers
from mega_data_factory.redaction import without_credentials

PRODUCER = f"https://pypi.org/project/mega-data-factory/{__version__}/"

DEFAULT_JOB = "mega-data-factory"
"""Name of the job of a pipeline without a name."""

_RUNS = uuid.uuid5(uuid.NAMESPACE_URL, "https://pypi.org/project/mega-data-factory/")

_STATES = {
    "running": RunState.RUNNING,
    "completed": RunState.COMPLETE,
    "failed": RunState.FAIL,
    "interrupted": RunState.ABORT,
    "aborted": RunState.ABORT,
}


@dataclass(frozen=True)
class Naming:
    """Names that the events give to the job and its datasets.

    Attributes:
        namespace: of the job.
        job: name of the job; the pipeline's by default.
        inputs: locations of further inputs, which the configuration does not name.
        outputs: locations of further outputs.
    """

    namespace: str
    job: str | None = None
    inputs: Sequence[str] = field(default_factory=tuple)
    outputs: Sequence[str] = field(default_factory=tuple)


def start_event(run: RunMetrics, naming: Naming) -> RunEvent:
    """Return the event of the start: job, inputs and output, without counts."""
    inputs = [InputDataset(*name) for name in _input_names(run, naming)]
    outputs = [OutputDataset(*name) for name in _output_names(run, naming)]
    facets = {"processing_engine": _engine(run)}
    return _event(RunState.START, run.start_time, run, naming, facets, inputs, outputs)


def state_event(
    run: RunMetrics,
    operators: Sequence[OperatorMetrics],
    naming: Naming,
    metrics: str | None = None,
    columns: Sequence[Mapping[str, Any]] = (),
) -> RunEvent:
    """Return the event of a run's state: RUNNING, COMPLETE, FAIL or ABORT, with everything counted so far.

    Counts of a dataset stand only where one dataset is read, or written: how they are shared among several is not
    known.

    Args:
        run: the row of the run.
        operators: rows of operators, over workers or of each.
        naming: names of job and datasets.
        metrics: folder or URI of the metrics, where they are stored.
        columns: rows of the table `columns`, where the columns of the output were measured.
    """
    facets: dict[str, RunFacet] = {
        "processing_engine": _engine(run),
        "mdf_run": _run_facet(run, metrics),
        "mdf_rejections": _rejections(operators),
    }
    if run.error and run.status != "completed":
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
            message=run.error, programmingLanguage="PYTHON", producer=PRODUCER
        )
    inputs, outputs = _input_names(run, naming), _output_names(run, naming)
    moment = run.end_time or run.heartbeat or run.start_time
    return _event(
        _STATES[run.status],
        moment,
        run,
        naming,
        facets,
        [InputDataset(*name, inputFacets=_input_facets(run) if len(inputs) == 1 else {}) for name in inputs],
        [_output(name, run, columns, alone=len(outputs) == 1) for name in outputs],
    )


def _event(
    state: RunState,
    moment: datetime,
    run: RunMetrics,
    naming: Naming,
    facets: dict[str, Any],
    inputs: list[InputDataset],
    outputs: list[OutputDataset],
) -> RunEvent:
    kind: dict[str, JobFacet] = {
        "jobType": job_type_job.JobTypeJobFacet(
            processingType="BATCH", integration="MEGA_DATA_FACTORY", jobType="JOB", producer=PRODUCER
        )
    }
    return RunEvent(
        eventType=state,
        eventTime=_iso(moment),
        run=Run(runId=lineage_id(run, naming), facets=facets),
        job=Job(namespace=naming.namespace, name=_job_name(run, naming), facets=kind),
        inputs=inputs,
        outputs=outputs,
        producer=PRODUCER,
    )


def lineage_id(run: RunMetrics, naming: Naming) -> str:
    """Return the UUID of a run in OpenLineage: it follows from job and run id, so that all sessions share it.

    Not from the start, which sessions know to a few milliseconds only; so version 5 of RFC 9562 instead of 7.
    """
    return str(uuid.uuid5(_RUNS, json.dumps([naming.namespace, _job_name(run, naming), run.run_id])))


def _job_name(run: RunMetrics, naming: Naming) -> str:
    return naming.job or run.pipeline or DEFAULT_JOB


def _input_names(run: RunMetrics, naming: Naming) -> list[DatasetName]:
    return list(dict.fromkeys([*inputs_of(run), *(dataset_name(place) for place in naming.inputs)]))


def _output_names(run: RunMetrics, naming: Naming) -> list[DatasetName]:
    own = output_of(run)
    return list(dict.fromkeys([*([own] if own else []), *(dataset_name(place) for place in naming.outputs)]))


def _engine(run: RunMetrics) -> RunFacet:
    version = run.mdf_version or __version__
    return processing_engine_run.ProcessingEngineRunFacet(
        version=version, name="mega-data-factory", openlineageAdapterVersion=__version__, producer=PRODUCER
    )


def _run_facet(run: RunMetrics, metrics: str | None) -> RunFacet:
    moment = run.end_time or run.heartbeat
    return MdfRunRunFacet(
        id=run.run_id,
        status=run.status,
        inputRecords=run.total_input_records,
        outputRecords=run.total_output_records,
        rejectedRecords=run.rejected_records,
        errorRecords=run.total_errors,
        createdRecords=run.created_records,
        balanced=run.balanced,
        durationSeconds=(moment - run.start_time).total_seconds() if moment else None,
        metrics=None if metrics is None else without_credentials(storage.absolute(metrics)),
        producer=PRODUCER,
    )


def _rejections(operators: Sequence[OperatorMetrics]) -> RunFacet:
    bounds = Bounds()
    found = []
    for row in bounds.operators(over_workers(operators), by_worker=False):
        if not row.rejected_records and not row.error_count:
            continue
        found.append(
            {
                "stage": row.stage_name,
                "operator": row.operator_name,
                "inputRecords": row.input_records,
                "outputRecords": row.output_records,
                "rejectedRecords": row.rejected_records,
                "errorRecords": row.error_count,
                "reasons": dict(bounds.reasons(row)),
            }
        )
    return MdfRejectionsRunFacet(operators=found, producer=PRODUCER)


def _input_facets(run: RunMetrics) -> dict[str, InputDatasetFacet]:
    statistics = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
        rowCount=run.total_input_records, producer=PRODUCER
    )
    return {"inputStatistics": statistics}


def _output(name: DatasetName, run: RunMetrics, columns: Sequence[Mapping[str, Any]], *, alone: bool) -> OutputDataset:
    if not alone:
        return OutputDataset(*name)
    return OutputDataset(*name, facets=column_facets(columns, PRODUCER), outputFacets=_output_facets(run))


def _output_facets(run: RunMetrics) -> dict[str, OutputDatasetFacet]:
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=run.total_output_records, size=run.output_bytes, fileCount=run.output_files, producer=PRODUCER
    )
    return {"outputStatistics": statistics}


def _iso(moment: datetime) -> str:
    return moment.replace(tzinfo=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
