"""Comparing what two pipelines, or two folders, hold: pair by pair, on a ladder from the same bytes to different."""
