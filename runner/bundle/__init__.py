"""All that pipelines need, in one file for a machine without a network; `form` and `unpack` run there alone."""
