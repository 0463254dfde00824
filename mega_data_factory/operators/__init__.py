"""Built-in operators: refiners, filters, deduplicators; one class per file."""
