"""Adapters that run a peer's own script, from the user's own copy, on our data and by our clock."""
