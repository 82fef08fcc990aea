"""The only place that starts processes: ask a program, run a segment, end a whole process tree."""
