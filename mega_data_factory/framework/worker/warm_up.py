"""A first batch that is made up, so that no real one is charged for what a worker does once."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from mega_data_factory.framework.batch import Batch
from mega_data_factory.framework.contracts import RECORD_ID, Filter, Judgement, Rule
from mega_data_factory.framework.plan import OperatorPlan, StagePlan
from mega_data_factory.framework.registry import Component
from mega_data_factory.framework.worker.stage import Stage, StageSettings


class OddRecords(Filter):
    """Rejects every second record."""

    def judge(self, table: pa.Table) -> Judgement:
        """Judge by the place in the table."""
        odd = pc.bit_wise_and(pa.array(range(table.num_rows), pa.int64()), 1)
        return Judgement.of(table.num_rows, [Rule("odd", pc.equal(odd, 1), odd, 1.0)])


def run_example(settings: StageSettings) -> Batch:
    """Run a stage of its own on a made-up batch and return what left it.

    Everything that is shared by the stages of a process is used once then: kernels of Arrow, tables as JSON, the
    collector of metrics and its histograms. The account of the batch is that of no stage of the run.

    Args:
        settings: of the run, so that the same is used as in its batches.
    """
    component = Component("odd_records", f"{__name__}:{OddRecords.__name__}", {})
    plan = StagePlan("example", 0, (OperatorPlan("odd_records", 0, component),), 1, 1)
    ids = pa.array(["a", "b", "c"], pa.string())
    batch = Batch("000000-00000", 0, pa.table({RECORD_ID: ids, "text": ids}), 3)
    result = Stage(plan, "example-0", settings)(batch)
    return Batch.from_header(result.header(), result.table)
