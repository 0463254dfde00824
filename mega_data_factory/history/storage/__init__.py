"""How points are kept: packed records, compressed chunks, and the folder they lie in."""
