"""One file of tests for each module, without disk or network where possible."""
