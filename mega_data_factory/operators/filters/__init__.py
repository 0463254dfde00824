"""Operators that reject records, each with its reason."""
