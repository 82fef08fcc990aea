"""What is done: content hash, status file, run records, locks."""
