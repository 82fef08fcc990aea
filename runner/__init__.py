"""run-pipeline: runs the segments of a pipeline file, each in its own environment."""

__version__ = "0.1.0"
