"""What is shown: lines on the screen, JSON events, the summary."""
