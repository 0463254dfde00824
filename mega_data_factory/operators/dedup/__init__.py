"""Operators that pass a record on once and reject its copies."""
