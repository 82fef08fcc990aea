"""A recorded run again, from its own record: what differs from then, the run with outputs of its own, a comparison."""
