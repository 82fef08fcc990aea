"""The command line; the only place that turns an error into a message and an exit status."""
