"""How a program runs: its arguments, its files, and one piece of work per file."""
