"""Text of a pipeline file -> `runner.model.Pipeline`; `reader.read_pipeline` is the way in."""
