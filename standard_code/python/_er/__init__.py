"""Synthetic images of the ER with their truth: what goes together, what was trained, and the page."""
