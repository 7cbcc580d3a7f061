"""Looking inside a trained network: what it looks at, what it has learned from, how sure it should be."""

from cifarlab.explain.conduct import explain

__all__ = ["explain"]
