"""Whether data are the publisher's own: a published accuracy is a target on no others."""

from pathlib import Path

from cifarlab.data.cifar.place import recognize
from cifarlab.data.split import DataDescription

NAME = "cifar10"


def is_official_cifar10(argument: str, data: DataDescription) -> bool:
    """Whether ``data``, opened as ``argument``, are CIFAR-10 with the publisher's sizes and MD5 sums.

    CIFAR's own files bear the bare name only where that is proven, but a folder of pictures bears its own.
    """
    return data.name == NAME and (argument == NAME or recognize(Path(argument)) is not None)
