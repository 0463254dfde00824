"""Operators that change or add columns."""
