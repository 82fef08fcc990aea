"""What `compare_outputs.py` looks at: images, label images and tables."""
