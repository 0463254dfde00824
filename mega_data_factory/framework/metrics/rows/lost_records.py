"""Records that a later operator lost, taken out of the rows of the operators that they passed."""

from __future__ import annotations

from mega_data_factory.framework.metrics.rows.operator import OperatorMetrics


def row_without_records(
    row: OperatorMetrics, count: int, text_bytes: int | None = None, tokens: int | None = None
) -> OperatorMetrics:
    """Return a row with `count` fewer records in input, output and histogram, as if they had never come in.

    It takes records that a later operator lost out of the accounts of the operators they had passed. Counts only:
    the time was spent, and the extremes were seen. On the row of a single batch, whose records all have one
    latency, the histogram is exact; of several batches the fullest buckets give up the records.

    Args:
        row: The row of an operator that the records passed.
        count: records.
        text_bytes: bytes of text in them where they were lost; of this operator they are taken for the same.
        tokens: tokens in them, likewise.

    Raises:
        ValueError: the row passed on fewer records.
    """
    if not 0 <= count <= min(row.input_records, row.output_records):
        raise ValueError(f"cannot take {count} records out of {row.output_records} that {row.key} passed on")
    result = row.copy()
    result.prepare_to_merge()
    result.rejected_records = row.rejected_records
    result.input_records -= count
    result.output_records -= count
    result.unmatched_records = min(result.unmatched_records, result.output_records)
    if result.changed_records is not None:
        result.changed_records = min(result.changed_records, result.output_records)
    for unit, lost in (("text_bytes", text_bytes), ("tokens", tokens)):
        for name in (f"input_{unit}", f"output_{unit}"):
            if lost and (before := getattr(result, name)) is not None:
                setattr(result, name, max(0, before - lost))
    result.latency_histogram.remove(count)
    if not result.input_records:
        result.min_latency = result.max_latency = None
    return result
