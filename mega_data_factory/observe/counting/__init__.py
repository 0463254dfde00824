"""Counting: what a step was given and gave, as an account.

`form` and `library_forms` know the kinds of records, `forms` counts the records of every kind, `signatures` recognises
the same records again, `record_text` writes one as text; `calls` holds what the user's function says while it runs,
`rows` tallies calls on single records, and a `survey` looks at each record, as a row of `sheets`, for `slice_sums` and
`reject_rows`. Records that are `set_aside` leave the step; `cpu` is measured of some of its work. An `account` is the
sum that travels to the driver, `wire` its bytes.
"""
