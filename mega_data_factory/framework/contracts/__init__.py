"""Contracts of a pipeline: records, loaders, operators and writers.

Records travel as Arrow tables. Every table has the column `record_id`: a string that the source alone determines, so
that a record keeps its name through every retry, on every machine. Operators keep the column as it is.

A pipeline only ever passes a record on, rejects it with a reason, or sets it aside with an error; none is made out of
nothing. That is why `input = output + rejected + errors` can be checked on every operator.
"""

from mega_data_factory.framework.contracts.operators import (
    RECORD_ID,
    Claims,
    Deduplicator,
    Filter,
    NamedClaims,
    Operator,
    OperatorContext,
    Refiner,
    owner_keys,
)
from mega_data_factory.framework.contracts.sink import (
    WRITER_STAGE,
    OutputFile,
    Writer,
    WriterOptions,
)
from mega_data_factory.framework.contracts.source import (
    LOADER_STAGE,
    Loader,
    SkippedRecord,
    Split,
)
from mega_data_factory.framework.judgement import Judgement, Rule

__all__ = [
    "LOADER_STAGE",
    "RECORD_ID",
    "WRITER_STAGE",
    "Claims",
    "Deduplicator",
    "Filter",
    "Judgement",
    "Loader",
    "NamedClaims",
    "Operator",
    "OperatorContext",
    "OutputFile",
    "Refiner",
    "Rule",
    "SkippedRecord",
    "Split",
    "Writer",
    "WriterOptions",
    "owner_keys",
]
