"""The metrics folder: names, encoding, live segments, folding."""
