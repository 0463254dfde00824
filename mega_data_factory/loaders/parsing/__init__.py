"""Shared code of the loaders: finding files, cutting them into lines and records, checking values."""
