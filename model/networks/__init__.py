"""The networks of the method: one generator per kind, and the two discriminators."""
