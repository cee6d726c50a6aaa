"""The steps of the plan, by what they look at. Each takes the peer and returns a result."""
