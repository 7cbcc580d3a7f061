"""The race: a recipe against the clock, and against a peer under the same clock."""
