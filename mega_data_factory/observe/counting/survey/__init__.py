"""Survey of records one by one: `survey`, of rows of `sheets`, for `slice_sums` and for rejects (`reject_rows`)."""
