"""Upkeep of a metrics folder: compaction, retention."""
