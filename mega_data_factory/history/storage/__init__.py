"""Storage of points: packed records, compressed chunks, and their folder."""
