"""Opens image files of all formats."""
