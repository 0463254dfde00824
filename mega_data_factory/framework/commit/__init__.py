"""Commit of finished batches, exactly once.

- Gathering batches to files, and writing them: `gatherer`, `group_writing`, `exclusion_files`.
- Columns of the output, measured: `column_measuring`, `text_measuring`.
- The commit log and what a resumed run reads of it: `log`, `log_entries`, `committed_splits`.
- The output folder as a whole: `output`, `earlier_output`, and the `lock` that one driver holds.
"""
