"""Versions of the metrics files, and what each of them changed."""

from __future__ import annotations

HISTORY: dict[int, str] = {
    0: "the columns of the published layout; nothing in the file says its version",
    1: "runs, stages and operators have the columns of this package; the file says version and run",
    2: "samples; in runs the heartbeat and who writes it; comments of columns are no longer in the files",
    3: "nodes; in runs the exports that failed",
    4: "in runs the records that could not be written, and where the output is; `balanced` was `books_closed`, "
    "`unbalanced_records` was `books_difference`; in nodes the CPU that the run itself used; in runs "
    "`processed_records`, which holds what `committed_records` did: that is records in files now; "
    "in operators the bytes that came in, and the records that a condition let pass; on three levels what has passed "
    "a stage and is in no file yet; in runs the time that its workers took to start; on three levels and in samples "
    "the records that operators create; in operators and samples the seconds of CPU; "
    "on three levels bytes of text and tokens, in and out; "
    "in operators the records that refiners change; the tables scores, slices and columns",
}
"""Changes of each version of the files."""

SCHEMA_VERSION = max(HISTORY)
"""The version of files written now. A reader reads all before it; what they lack is null."""

EARLIER_NAMES: dict[str, dict[str, str]] = {
    "runs": {"balanced": "books_closed", "unbalanced_records": "books_difference"},
}
"""Table → column → what files before version 4 call it. It is read under the new name."""
