"""Outside suites and vectors."""
