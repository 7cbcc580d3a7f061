"""An audit of a data set: duplicates within and across its halves, doubtful labels, class balance."""

from cifarlab.audit.conduct import audit

__all__ = ["audit"]
