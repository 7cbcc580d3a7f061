"""Networks: one file per family, each with its config beside it."""

from cifarlab.models.blocks import Activation, Order, Shortcut
from cifarlab.models.cbam import Cbam
from cifarlab.models.fast_cnn import FastCnn
from cifarlab.models.lenet import LeNet
from cifarlab.models.plain_cnn import PlainCnn
from cifarlab.models.pyramid_pooling import Aspp, GlobalAverage, Head, Spp
from cifarlab.models.resnet import ResNet
from cifarlab.models.shake_shake import ShakeShake
from cifarlab.models.slim_attention import SlimAttention
from cifarlab.models.tiny_attention import TinyAttention

Model = PlainCnn | ResNet | TinyAttention | SlimAttention | LeNet | ShakeShake | FastCnn
"""The union of all model configs is the registry."""

CATALOG: dict[str, tuple[str | None, Model]] = {
    "tiny-attention": ("tiny-attention", TinyAttention()),
    "tiny-attention-wide": ("tiny-attention", TinyAttention(width=128)),
    "tiny-attention-wide-7m": ("tiny-attention", TinyAttention(width=128, last_units=3)),
    "lenet-5": ("tiny-attention", LeNet()),
    "slim-attention": ("slim-attention", SlimAttention()),
    "slim-attention-paper": (
        "slim-attention",
        SlimAttention(depths=((2,), (1, 1)), batch_norm=False, dropout=0.0),
    ),
    "plain-cnn": ("cnn-to-shake-shake", PlainCnn()),
    "plain-cnn-regularized": (
        "cnn-to-shake-shake",
        PlainCnn(batch_norm=True, dropout=(0.2, 0.3, 0.4)),
    ),
    "shake-shake-26-2x32d": ("cnn-to-shake-shake", ShakeShake(width=32)),
    "shake-shake-26-2x64d": ("cnn-to-shake-shake", ShakeShake(width=64)),
    "shake-shake-26-2x96d": ("cnn-to-shake-shake", ShakeShake(width=96)),
    "plain-20": ("small-resnets", ResNet((3, 3, 3), (16, 32, 64), shortcut="none")),
    "plain-56": ("small-resnets", ResNet((9, 9, 9), (16, 32, 64), shortcut="none")),
    "resnet10": ("small-resnets", ResNet((1, 1, 1, 1), (64, 128, 256, 512))),
    "resnet16": ("small-resnets", ResNet((2, 1, 2, 2), (64, 128, 256, 256))),
    "resnet24": ("small-resnets", ResNet((3, 3, 2, 3), (64, 128, 128, 256))),
    "resnet48": ("small-resnets", ResNet((8, 5, 5, 5), (64, 128, 128, 128))),
    "resnet18": ("cbam-aspp", ResNet()),
    "resnet18-cbam": ("cbam-aspp", ResNet(attention=Cbam())),
    # With CBAM, as in the report's fourth model.
    "resnet18-cbam-aspp": ("cbam-aspp", ResNet(attention=Cbam(), head=Aspp())),
    "resnet18-cbam-spp": ("cbam-aspp", ResNet(attention=Cbam(), head=Spp())),
    "fast-cnn": (None, FastCnn()),
}
"""The networks by name: (report, config), and None for a network of our own."""

__all__ = [
    "CATALOG",
    "Activation",
    "Aspp",
    "Cbam",
    "FastCnn",
    "GlobalAverage",
    "Head",
    "LeNet",
    "Model",
    "Order",
    "PlainCnn",
    "ResNet",
    "ShakeShake",
    "Shortcut",
    "SlimAttention",
    "Spp",
    "TinyAttention",
]
