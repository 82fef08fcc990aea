"""A segment over many items: which there are, which are done, and the words of each one's command line."""
