"""What charts read beside the tables themselves: views that put the run beside its rows, or rows into a better form.

Filters of a dashboard go by the name of a column. So every view below has `run_id`, `pipeline` and `run_start`, and
those of stages and operators `stage_name` and `operator_name`: one choice narrows every chart that it can narrow.
"""

# ruff: noqa: S608 - the queries are made of constants
from __future__ import annotations

from collections.abc import Mapping

_RUN = "runs.pipeline AS pipeline, runs.status AS run_status, runs.start_time AS run_start"

_OF_RUN = "JOIN runs USING (run_id)"
"""Rows of runs that the table `runs` knows: those of a run that is being pruned are on their way out."""

CHART_VIEWS: Mapping[str, str] = {
    "stage_history": f"SELECT stages.*, {_RUN} FROM stages {_OF_RUN}",
    "operator_history": f"""
        SELECT operators.*, operators.stage_name || ' · ' || operators.operator_name AS place, {_RUN}
        FROM operators {_OF_RUN}
    """,
    "stage_samples": f"""
        WITH steps AS (
            SELECT run_id, stage_name, stage_index, "timestamp", "interval", operator_index,
                sum(input_records)::BIGINT AS input_records, sum(output_records)::BIGINT AS output_records,
                sum(rejected_records)::BIGINT AS rejected_records, sum(error_count)::BIGINT AS error_count,
                sum(busy_time) AS busy_time
            FROM samples GROUP BY ALL
        ), per_stage AS (
            SELECT run_id, stage_name, stage_index, "timestamp", "interval",
                min_by(input_records, operator_index) AS input_records,
                max_by(output_records, operator_index) AS output_records,
                sum(rejected_records)::BIGINT AS rejected_records, sum(error_count)::BIGINT AS error_count,
                sum(busy_time) AS busy_time
            FROM steps GROUP BY ALL
        )
        SELECT per_stage.*, {_RUN} FROM per_stage {_OF_RUN}
    """,
    "node_history": f"""
        SELECT nodes.*, coalesce(nodes.hostname, nodes.node_id) AS node, {_RUN} FROM nodes {_OF_RUN}
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

- `stage_history`, `operator_history`, `node_history`: rows of the table with the run beside them; `place` names an
  operator with its stage, `node` a node by its host name.
- `stage_samples`: per interval and stage, records into its first operator and out of its last one.
- `rejections`: records rejected, a row per operator, worker and reason.
"""
