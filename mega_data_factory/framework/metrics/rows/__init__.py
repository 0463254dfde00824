"""Rows of metrics, and the values they are made of."""
