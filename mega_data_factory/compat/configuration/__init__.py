"""Configurations of the original in today's form: keys, names of components and their parameters."""
