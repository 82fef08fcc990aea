"""A login node that is reached by one ssh process: who holds it, what runs at its other end, what travels."""
