"""Views for charts beside the tables themselves: rows joined with their run or reshaped.

Filters of a dashboard go by the name of a column. So every view below has `run_id`, `pipeline` and `run_start`, and
those of stages and operators `stage_name` and `operator_name`: one choice narrows every chart that it can narrow.
"""

# ruff: noqa: S608 - the queries are made of constants
from __future__ import annotations

from collections.abc import Mapping

_RUN = "runs.pipeline AS pipeline, runs.status AS run_status, runs.start_time AS run_start"

_OF_RUN = "JOIN runs USING (run_id)"
"""Rows of runs that the table `runs` knows: those of a run that is being pruned are on their way out."""

MOST_STEPS = 500
"""Points that a line has per run at most: of a long run several intervals are one step."""


def _step(interval: str) -> str:
    """Return the seconds from one point to the next: the interval, or the multiple of it that keeps to `MOST_STEPS`."""
    length = "epoch(coalesce(runs.end_time, runs.heartbeat, runs.start_time) - runs.start_time)"
    return f"{interval} * greatest(1, ceil({length} / ({MOST_STEPS} * {interval})))"


def _elapsed(step: str) -> str:
    """Return the seconds from the start of the run to that of the step; an interval may begin just before the run."""
    return f'(greatest(0, floor(epoch("timestamp" - run_start) / {step}) * {step}))::BIGINT'


CHART_VIEWS: Mapping[str, str] = {
    "stage_history": f"SELECT stages.*, {_RUN} FROM stages {_OF_RUN}",
    "operator_history": f"SELECT operators.*, {_RUN} FROM operators {_OF_RUN}",
    "stage_samples": f"""
        WITH placed AS (
            SELECT samples.*, {_step('samples."interval"')} AS step,
                min(operator_index) OVER (PARTITION BY run_id, stage_name) AS first_operator,
                max(operator_index) OVER (PARTITION BY run_id, stage_name) AS last_operator,
                {_RUN}
            FROM samples {_OF_RUN}
        )
        SELECT run_id, stage_name, stage_index, pipeline, run_status, run_start, {_elapsed("step")} AS elapsed,
            count(DISTINCT "timestamp") * max("interval") AS seconds,
            sum(input_records) FILTER (operator_index = first_operator)::BIGINT AS input_records,
            sum(output_records) FILTER (operator_index = last_operator)::BIGINT AS output_records,
            sum(rejected_records)::BIGINT AS rejected_records, sum(error_count)::BIGINT AS error_count,
            sum(created_records)::BIGINT AS created_records, sum(busy_time) AS busy_time
        FROM placed GROUP BY ALL
    """,
    "node_history": f"""
        WITH spaced AS (
            SELECT *, greatest(1, round(1.5 * coalesce(
                epoch(max("timestamp") OVER each_node - min("timestamp") OVER each_node)
                / nullif(count(*) OVER each_node - 1, 0), 1
            ))) AS spacing
            FROM nodes WINDOW each_node AS (PARTITION BY run_id, node_id)
        ), placed AS (
            SELECT spaced.* EXCLUDE (spacing), coalesce(spaced.hostname, spaced.node_id) AS node,
                {_step("spacing")} AS step, {_RUN}
            FROM spaced {_OF_RUN}
        )
        SELECT * EXCLUDE (step), {_elapsed("step")} AS elapsed FROM placed
    """,
    "rejections": f"""
        WITH reasons AS (
            SELECT run_id, stage_name, operator_name, worker_id, "timestamp",
                unnest(map_entries(from_json(rejected_reasons, '"MAP(VARCHAR, BIGINT)"'))) AS entry
            FROM operators WHERE rejected_reasons IS NOT NULL
        )
        SELECT reasons.run_id, stage_name, operator_name, worker_id, "timestamp", entry.key AS reason,
            entry.value AS records, {_RUN}
        FROM reasons {_OF_RUN}
    """,
}
"""Name of a view → the query that it stands for.

- `stage_history`, `operator_history`, `node_history`: rows of the table with the run beside them; `node` names a node
  by its host, `elapsed` is seconds since the start of the run, in steps a little wider than the samples are apart, so
  that nodes whose samples lie between each other's share their steps.
- `stage_samples`: per stage and step of `elapsed`, records into its first operator and out of its last one, and the
  `seconds` of the intervals in which there was work.
- `rejections`: records rejected, a row per operator, worker and reason.
"""
