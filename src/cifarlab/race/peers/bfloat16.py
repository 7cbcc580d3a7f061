"""A script's networks in bf16 on a CPU: faster where the processor has such arithmetic."""

import torch
from torch import Tensor, nn


def forward_in_bf16(network: nn.Module) -> None:
    """From now on the forward pass of ``network`` runs under torch's autocast to bf16, wherever it is called.

    Weights stay in fp32 and logits become fp32, so nothing changes for loss, gradients and optimizers.
    """
    cast = torch.autocast("cpu", torch.bfloat16)
    setattr(network, "forward", cast(network.forward))  # noqa: B010 - a method, to a type checker
    network.register_forward_hook(_in_fp32)


def _in_fp32(network: nn.Module, inputs: object, logits: Tensor) -> Tensor:
    return logits.float()
