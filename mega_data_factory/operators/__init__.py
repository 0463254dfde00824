"""What may be done with records: refine, filter, deduplicate; one class per file."""
