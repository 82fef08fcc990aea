"""Programs of the segments. They run in their own environment and share nothing with the runner."""
