"""Metrics of nodes between their history and what is made of it: taken in, chosen, put in frames, found out about."""
