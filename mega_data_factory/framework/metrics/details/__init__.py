"""Details: small mergeable summaries that a batch carries beside its operator rows."""
