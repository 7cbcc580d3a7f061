"""The five reports whose studies are re-created here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """A published study of image classification on CIFAR-10."""

    number: str
    name: str
    studied: str


REPORTS = (
    Report("000", "tiny-attention", "Residual Attention Network with 396,810 parameters; training-set size"),
    Report("001", "slim-attention", "a smaller Residual Attention Network; optimizer; regularization"),
    Report(
        "002",
        "small-resnets",
        "ResNets under 5 M parameters: optimizer, schedule, penalty, activation, mixup",
    ),
    Report("003", "cnn-to-shake-shake", "a plain CNN, its regularization and augmentation, then Shake-Shake"),
    Report("004", "cbam-aspp", "ResNet18 with rotation augmentation, CBAM and ASPP on 12 classes"),
)
