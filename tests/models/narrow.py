"""Narrow networks for tests: every family and every switch of its structure, at a cost of milliseconds."""

from dataclasses import replace
from typing import get_args

from cifarlab.models import (
    Activation,
    Aspp,
    Cbam,
    FastCnn,
    LeNet,
    Model,
    Order,
    PlainCnn,
    ResNet,
    ShakeShake,
    SlimAttention,
    Spp,
    TinyAttention,
)

_RESNET = ResNet(blocks=(1, 2), channels=(8, 16))
_CBAM = Cbam(ratio=2)
_SHALLOW = TinyAttention(width=8, depths=(1, 1, 1), last_units=0)
_SHAKE = ShakeShake(width=8, depth=8)

NARROW: dict[str, Model] = {
    "narrow plain-cnn": PlainCnn((8, 8, 16)),
    "narrow plain-cnn-regularized": PlainCnn((8, 8, 16), batch_norm=True, dropout=(0.1, 0.2, 0.3)),
    **{f"narrow resnet {order}": replace(_RESNET, order=order) for order in get_args(Order)},
    **{f"narrow resnet {name}": replace(_RESNET, activation=name) for name in get_args(Activation)[1:]},
    "narrow plain": replace(_RESNET, shortcut="none"),
    "narrow resnet-dropout": replace(_RESNET, dropout=0.2),
    "narrow resnet-cbam": replace(_RESNET, attention=_CBAM),
    "narrow resnet-cbam full-pre-activation": replace(_RESNET, attention=_CBAM, order="full-pre-activation"),
    "narrow resnet-aspp": replace(_RESNET, head=Aspp(width=8)),
    "narrow resnet-spp": replace(_RESNET, head=Spp(width=8)),
    "narrow resnet-cbam-aspp": replace(_RESNET, attention=_CBAM, head=Aspp(width=8)),
    "narrow tiny-attention": replace(_SHALLOW, depths=(2, 1, 1)),
    "narrow tiny-attention bottleneck": replace(_SHALLOW, unit="bottleneck"),
    "narrow tiny-attention basic": replace(_SHALLOW, unit="basic"),
    "narrow slim-attention": SlimAttention(width=4),
    "narrow slim-attention-paper": SlimAttention(
        width=2, depths=((2,), (1, 1)), batch_norm=False, dropout=0.0
    ),
    "narrow lenet": LeNet(),
    "narrow lenet relu max": LeNet("relu", "max"),
    "narrow shake-shake": _SHAKE,
    "narrow even-shake": replace(_SHAKE, forward="even"),
    "narrow shake-even": replace(_SHAKE, backward="even"),
    "narrow shake-keep batch": replace(_SHAKE, backward="keep", level="batch"),
    "narrow fast-cnn": FastCnn((8, 8, 16)),
}
"""Name to config. A new family adds its own here; ``test_zoo`` checks that each has one."""
