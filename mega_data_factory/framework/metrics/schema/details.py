"""Tables of details: scores of rules, slices of records, columns of the output."""

from __future__ import annotations

import pyarrow as pa

from mega_data_factory.framework.metrics.schema.column_types import COUNT, REAL, TEXT, TIME, table

_SCORES = pa.list_(
    pa.struct(
        [("bucket", pa.int32())]
        + [(side, pa.int64()) for side in ("kept", "failed_other", "failed_alone", "failed_both")]
    )
)

SCORES = table(
    ("run_id", TEXT, "the run"),
    ("stage_name", TEXT, "the stage"),
    ("operator_name", TEXT, "the operator instance, distinct within the stage"),
    ("rule_index", pa.int32(), "place of the rule among those of the operator, from 0; the first that fails decides"),
    ("reason", TEXT, "the reason of the records that the rule rejects"),
    ("parameter", TEXT, "parameter of the operator that is the threshold; null if none is"),
    ("timestamp", TIME, "when last measured, naive UTC"),
    ("fails", TEXT, "how score and threshold compare for a record that fails: <, <=, > or >=; null if unknown"),
    ("threshold", REAL, "what the score is compared with; null if nothing is"),
    ("population", TEXT, "whose scores these are: all records that the rule judged, or only the rejected ones"),
    (
        "judged_records",
        COUNT,
        "records that the rule decided on: not where its score is null; null for rejected ones only",
    ),
    ("failed_records", COUNT, "records that fail the rule, whatever other rules say"),
    ("failed_alone_records", COUNT, "of these, records that fail no other rule of the operator"),
    (
        "rejected_records",
        COUNT,
        "records of which the rule is the first that they fail: its count in rejected_reasons",
    ),
    ("unscored_records", COUNT, "of the judged records, those without a number"),
    ("min_passed", REAL, "least score of a record that passes the rule"),
    ("max_passed", REAL, "greatest score of a record that passes the rule"),
    ("min_failed", REAL, "least score of a record that fails the rule"),
    ("max_failed", REAL, "greatest score of a record that fails the rule"),
    ("whole_numbers", pa.bool_(), "whether every score is a whole number"),
    (
        "histogram",
        _SCORES,
        "records by bucket of the score: (2^((bucket-2049)/64), 2^((bucket-2048)/64)], 0 for 0, "
        "negative ones mirrored; those that pass all rules, fail only others, fail this alone, fail this and others",
    ),
    (
        "failed_together",
        TEXT,
        "JSON object: records by the rules that they fail together, comma-separated rule_index; "
        "the 64 most frequent, the rest as other; in the first rule of an operator",
    ),
)

SLICES = table(
    ("run_id", TEXT, "the run"),
    ("stage_name", TEXT, "the stage"),
    ("operator_name", TEXT, "the operator instance, distinct within the stage"),
    ("operator_index", pa.int32(), "place of the operator in the stage, from 0"),
    ("slice_by", TEXT, "what the slices are of, as in `metrics.slice_by`: a column, source_file() or domain(column)"),
    ("slice_kind", TEXT, "value; null: of records without a value; other: all slices that have no row of their own"),
    ("slice_value", TEXT, "the value, at most 120 characters; null if slice_kind is not value"),
    ("slices", COUNT, "slices that the row is of: 1, of `other` at most this many"),
    ("timestamp", TIME, "when last measured, naive UTC"),
    ("input_records", COUNT, "records of the slice offered to the operator by committed batches"),
    ("output_records", COUNT, "records of the slice passed on by committed batches"),
    ("pass_rate", REAL, "100 * output / input, percent; null when nothing came in"),
    ("rejected_records", COUNT, "records rejected with a reason"),
    ("error_count", COUNT, "records that raised and were set aside"),
    ("rejected_reasons", TEXT, "JSON object: records rejected, by reason; past 256 reasons the rarer ones are `other`"),
    ("input_text_bytes", COUNT, "bytes of text in the records offered; null if there is no text column"),
    ("output_text_bytes", COUNT, "bytes of text in the records passed on; null if there is no text column"),
    ("input_tokens", COUNT, "tokens in the records offered; null if no column holds their number"),
    ("output_tokens", COUNT, "tokens in the records passed on; null if no column holds their number"),
    ("missed_records", COUNT, "records that the row may lack at most, as they are in other; 0: the row is exact"),
)

_VALUES = pa.list_(pa.struct([("bucket", pa.int64()), ("count", pa.int64())]))

COLUMNS = table(
    ("run_id", TEXT, "the run"),
    ("column_name", TEXT, "column of the output; of a field of a struct struct.field"),
    ("column_type", TEXT, "Arrow's name of its type; a column of two types has two rows"),
    ("column_index", pa.int32(), "place of the column in the output, from 0"),
    ("timestamp", TIME, "when last measured, naive UTC"),
    (
        "kind",
        TEXT,
        "what the numbers are: number (values), time (seconds since 1970), text (characters), binary (bytes), "
        "list (items), boolean or other (none)",
    ),
    ("records", COUNT, "records written"),
    ("nulls", COUNT, "of these, records without a value"),
    ("not_finite", COUNT, "values that are NaN or infinite; they are in no column that follows"),
    ("true_values", COUNT, "of a boolean column, values that are true; null for others"),
    ("distinct_values", COUNT, "distinct values, estimated; null for lists and others"),
    ("distinct_error", REAL, "relative standard error of that estimate"),
    ("minimum", REAL, "least number"),
    ("maximum", REAL, "largest number"),
    ("p01", REAL, "number that 1 percent of the values do not exceed, from the histogram"),
    ("p05", REAL, "the same for 5 percent"),
    ("p25", REAL, "the same for 25 percent"),
    ("p50", REAL, "the median"),
    ("p75", REAL, "the same for 75 percent"),
    ("p95", REAL, "the same for 95 percent"),
    ("p99", REAL, "the same for 99 percent"),
    (
        "quantile_error",
        REAL,
        "relative width of a bucket, which bounds the error of quantiles; 0 if they are exact",
    ),
    ("dropped_bits", pa.int32(), "low bits of the float64 that a bucket does not tell apart"),
    ("value_histogram", _VALUES, "values by bucket: the bits of the float64 without its dropped_bits low bits"),
)
