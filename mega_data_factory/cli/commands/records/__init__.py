"""Commands on records: which were rejected, where one went, what other thresholds would change."""
