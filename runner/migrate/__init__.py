"""From a conda environment file to a dependency group of pyproject.toml, with an account of every line."""
