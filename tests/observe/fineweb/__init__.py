"""The FineWeb recipe of datatrove, in an environment of its own, on pages that the test writes."""
