"""Hugging Face `datasets`: steps given to `map` and `filter` of datasets, and of streams."""
