"""What torch imports only when it is first used: importing is none of the clock's business."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def finish_imports() -> None:
    """Let torch import now what it would import in the middle of the first run.

    The first optimizer brings the compiler along, hundreds of modules: seconds, which would count as time of
    the run where there is no warm-up.
    """
    network = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    with FlopCounterMode(display=False):
        network(torch.zeros(1, 1)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
