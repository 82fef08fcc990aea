"""Real repositories, real command lines: what several tests need."""
