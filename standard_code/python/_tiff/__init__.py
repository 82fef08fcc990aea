"""TIFF files, read and written."""
