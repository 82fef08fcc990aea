"""What an image is: its planes, scenes, channels and sizes, wherever they come from."""
