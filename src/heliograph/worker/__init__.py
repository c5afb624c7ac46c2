"""One engine in one process."""
