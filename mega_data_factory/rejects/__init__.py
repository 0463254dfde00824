"""Reject ledger of a run: every rejected record as a row of Parquet files, which are committed with its batch."""

from mega_data_factory.rejects.files import committed_files, remove_rejects, write_rejects
from mega_data_factory.rejects.ledger import RejectFilter, RejectLedger
from mega_data_factory.rejects.schema import SCHEMA, record_key

__all__ = ["SCHEMA", "RejectFilter", "RejectLedger", "committed_files", "record_key", "remove_rejects", "write_rejects"]
