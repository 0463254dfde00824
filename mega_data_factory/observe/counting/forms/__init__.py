"""Forms of records: lists, dicts of columns, data frames, tables.

- Operations on one kind: `form`; of the libraries of data frames: `library_forms`.
- Counts of records in any form: `forms`; columns as Arrow has them: `columns`; one record as text: `record_text`.
- The same records recognised again: `signatures`.
"""
