"""Counting: what a step was given and gave, as an account.

`forms` counts the records of every form, `signatures` recognises the same records again, `record_text` writes one as
text; `calls` holds what the user's function says while it runs, `rows` tallies calls on single records, and a `survey`
looks at each record, as a row of a sheet, for slices and the reject ledger. An `account` is the sum that travels to the
driver, `wire` its bytes.
"""
