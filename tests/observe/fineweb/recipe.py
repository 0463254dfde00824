"""The first pipeline of datatrove's `examples/fineweb.py`, as that writes it, on this machine instead of Slurm.

python recipe.py FOLDER: reads `FOLDER/warc/*.warc.gz`, writes to `FOLDER/base_processing` and `FOLDER/logs`.
"""

import sys

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
    URLFilter,
)
from datatrove.pipeline.readers import WarcReader
from datatrove.pipeline.writers.jsonl import JsonlWriter

DUMP = "CC-MAIN-2023-50"
MAIN = sys.argv[1]
FILTERED = f"{MAIN}/base_processing"

main_processing_executor = LocalPipelineExecutor(
    pipeline=[
        WarcReader(f"{MAIN}/warc/", glob_pattern="*.warc.gz", default_metadata={"dump": DUMP}),
        URLFilter(exclusion_writer=JsonlWriter(f"{FILTERED}/removed/1_url/{DUMP}")),
        Trafilatura(favour_precision=True, timeout=120),  # a second by default: too little on a busy machine
        LanguageFilter(
            exclusion_writer=JsonlWriter(
                f"{FILTERED}/2_non_english/", output_filename="${language}/" + DUMP + "/${rank}.jsonl.gz"
            )
        ),
        GopherRepetitionFilter(exclusion_writer=JsonlWriter(f"{FILTERED}/removed/3_gopher_rep/{DUMP}")),
        GopherQualityFilter(exclusion_writer=JsonlWriter(f"{FILTERED}/removed/4_gopher_qual/{DUMP}")),
        C4QualityFilter(
            filter_no_terminal_punct=False,
            exclusion_writer=JsonlWriter(f"{FILTERED}/removed/5_c4/{DUMP}"),
        ),
        FineWebQualityFilter(exclusion_writer=JsonlWriter(f"{FILTERED}/removed/6_fineweb_qual/{DUMP}")),
        JsonlWriter(f"{FILTERED}/output/{DUMP}"),
    ],
    tasks=2,
    workers=2,
    logging_dir=f"{MAIN}/logs/base_processing/{DUMP}",
)

if __name__ == "__main__":
    main_processing_executor.run()
