"""What tells a finished segment from a changed one; the reader computes it, so the code stands with the reader."""

from runner.pipeline.content_hash import content_hash

__all__ = ["content_hash"]
