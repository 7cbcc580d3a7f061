"""Studies: sets of runs that answer one question, and what they say about a published number."""
