"""The data sets that have official archives."""

DATA_SETS = {"cifar10": ("cifar10",), "cifar100": ("cifar100",), "cifar12": ("cifar10", "cifar100")}
"""What can be fetched and verified by name, and whose archives it needs."""
