"""The basic block of residual networks in the five orders of He et al. 2016, and its activations."""

from typing import Literal

from torch import Tensor, nn

Activation = Literal["relu", "relu6", "leaky-relu", "elu", "swish", "gelu"]
Order = Literal[
    "original",
    "bn-after-addition",
    "relu-before-addition",
    "relu-only-pre-activation",
    "full-pre-activation",
]
Shortcut = Literal["projection", "none"]


def activation_layer(name: Activation) -> nn.Module:
    """One activation, ``max(x, 0)`` for ``relu``. Report 002, table 3 and figure 7, has the first five.

    The report gives no constants; these are the usual ones: slope 0.01 below zero for ``leaky-relu``, γ = 1
    for ``elu`` (exp(x) − 1 below zero) and ``swish`` (x·sigmoid(x)). ``gelu`` is x·Φ(x), exact.
    """
    match name:
        case "relu":
            return nn.ReLU()
        case "relu6":
            return nn.ReLU6()
        case "leaky-relu":
            return nn.LeakyReLU(0.01)
        case "elu":
            return nn.ELU()
        case "swish":
            return nn.SiLU()
        case "gelu":
            return nn.GELU()


class ResidualBlock(nn.Module):
    """``after_addition(residual(p) + shortcut)`` with ``p = pre_activation(features)``.

    The shortcut is ``projection(p)``, or ``features`` as they came where there is no projection. Where an
    order has nothing to do at one of these places, the module there is an empty ``nn.Sequential``.
    """

    def __init__(
        self,
        pre_activation: nn.Module,
        residual: nn.Module,
        projection: nn.Module | None,
        after_addition: nn.Module,
    ) -> None:
        super().__init__()
        self.pre_activation = pre_activation
        self.residual = residual
        self.projection = projection
        self.after_addition = after_addition

    def forward(self, features: Tensor) -> Tensor:
        """``[N, inputs, H, W]`` to ``[N, outputs, H / stride, W / stride]``, rounded up."""
        activated = self.pre_activation(features)
        shortcut = features if self.projection is None else self.projection(activated)
        return self.after_addition(self.residual(activated) + shortcut)  # type: ignore[no-any-return]


def pre_activation(order: Order, channels: int, activation: Activation) -> nn.Sequential:
    """What a block of this order does to its input of ``channels`` before anything else, often nothing."""
    match order:
        case "relu-only-pre-activation":
            return nn.Sequential(activation_layer(activation))
        case "full-pre-activation":
            return nn.Sequential(nn.BatchNorm2d(channels), activation_layer(activation))
        case _:
            return nn.Sequential()


def basic_block(
    inputs: int,
    outputs: int,
    stride: int,
    *,
    order: Order,
    activation: Activation,
    shortcut: Shortcut,
    pre_activation: nn.Module,
    attention: nn.Module | None,
) -> nn.Module:
    """Two 3×3 convolutions without bias in one of the orders of He et al. 2016 (1603.05027), figure 4.

    With C a convolution, B BatchNorm, R the activation and + the addition of the shortcut:

    ============================  =================  =====================================
    order                         layers             BN right behind every convolution
    ============================  =================  =====================================
    (a) original                  C B R C B + R      yes
    (b) bn-after-addition         C B R C + B R      no: the second is behind the addition
    (c) relu-before-addition      C B R C B R +      yes
    (d) relu-only-pre-activation  R C B R C B +      yes
    (e) full-pre-activation       B R C B R C +      no: BN is in front of the convolutions
    ============================  =================  =====================================

    Report 002 (section 2.1.6) compares orders in a figure that is lost, and says that it "always set the BN
    layer behind the convolution layers": of the five, (a), (c) and (d) obey that.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        stride: of the first convolution and of the projection.
        order: which of the five.
        activation: R.
        shortcut: with ``"projection"`` the identity is added where it fits, else a 1×1 convolution without
            bias, and BN (in every order; the pre-activation networks of He et al. have no BN there). With
            ``"none"`` nothing is added, and the five orders are one and the same network.
        pre_activation: what the leading B and R of (d) and (e) are here; a network's first block has them
            behind the network's first convolution. Both the residual and the projection start from its
            output (He et al. 2016, appendix); an identity skips it.
        attention: the last thing on the residual path before the addition, such as CBAM; None for nothing.
    """
    first = nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1, bias=False)
    second = nn.Conv2d(outputs, outputs, kernel_size=3, padding=1, bias=False)
    residual = nn.Sequential(first, nn.BatchNorm2d(outputs), activation_layer(activation), second)
    after_addition = nn.Sequential()
    match order:
        case "original":
            residual.append(nn.BatchNorm2d(outputs))
            after_addition.append(activation_layer(activation))
        case "bn-after-addition":
            after_addition.append(nn.BatchNorm2d(outputs)).append(activation_layer(activation))
        case "relu-before-addition":
            residual.append(nn.BatchNorm2d(outputs)).append(activation_layer(activation))
        case "relu-only-pre-activation":
            residual.append(nn.BatchNorm2d(outputs))
        case "full-pre-activation":
            pass
    if attention is not None:
        residual.append(attention)
    if shortcut == "none":
        return nn.Sequential(pre_activation, residual, after_addition)
    projection = None
    if stride != 1 or inputs != outputs:
        projection = nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel_size=1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
        )
    return ResidualBlock(pre_activation, residual, projection, after_addition)
