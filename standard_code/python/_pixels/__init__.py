"""What is found in pixels and drawn of it: thresholds, regions, outlines, colours."""
