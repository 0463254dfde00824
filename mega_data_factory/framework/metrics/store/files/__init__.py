"""Single files of the metrics folder: their names, their encoding, and lists of them."""
