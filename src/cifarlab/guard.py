"""The guard between a gradient and the weights: nothing that is not finite gets past it."""

import math

import torch
from torch import Tensor, nn

from cifarlab.distributed import ALONE, Group
from cifarlab.errors import Diverged

DEFERRED_INTERVAL = 50
"""Steps between two looks at the flag on an accelerator, where every look would wait for the device."""


class FiniteGuard:
    """Makes the optimizer skip a step whose loss or gradient is not finite, then ends the run.

    torch's fused optimizers skip a step when their ``found_inf`` is 1 (the mechanism of GradScaler), so the
    weights stay as they were from the first bad step on, even where the flag is looked at later.

    Args:
        optimizer: one that skips bad steps, if ``interval`` is more than 1.
        interval: steps between two looks; 1 looks before every step.
        group: the processes that take each step together; a bad loss in one of them counts in all.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, interval: int, group: Group = ALONE) -> None:
        self._group = group
        self._optimizer = optimizer
        self._interval = interval
        self._steps = 0
        self._first_bad: Tensor | None = None
        self._found: Tensor | None = None

    def before_step(self, loss: Tensor, network: nn.Module, number: float | Tensor) -> None:
        """Judge the scalar ``loss`` and the gradients in ``network``, between backward and step ``number``.

        Raises:
            Diverged: at this step or, with a longer interval, at one before it.
        """
        self.judge(loss, network, number)
        self.look_now_and_then()

    def judge(self, loss: Tensor, network: nn.Module, number: float | Tensor) -> None:
        """Note on the device whether a step is bad; nothing waits for it, and nothing moves in memory.

        Args:
            number: the step's; a scalar on the device where the step is recorded and replayed.
        """
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        bad = ~(torch.isfinite(loss.detach()) & torch.isfinite(norm))
        if self._first_bad is None or self._found is None:
            self._first_bad = torch.full_like(norm, math.inf)
            self._found = torch.zeros_like(norm, dtype=torch.float32)
            if skips_bad_steps(self._optimizer):
                self._optimizer.found_inf = self._found  # type: ignore[attr-defined]
        here = self._group.smallest(torch.where(bad, number, math.inf))
        self._first_bad.copy_(torch.minimum(self._first_bad, here))
        self._found.copy_(torch.isfinite(self._first_bad))

    def look_now_and_then(self) -> None:
        """Look at the flag if as many steps as ``interval`` have been judged since the last look."""
        self._steps += 1
        if self._steps % self._interval == 0:
            self.look()

    def forget(self) -> None:
        """Take no notice of what was judged so far: it was none of the run's steps."""
        if self._first_bad is not None and self._found is not None:
            self._first_bad.fill_(math.inf)
            self._found.zero_()

    def look(self) -> None:
        """Raise Diverged if any step so far was bad. Called before every save."""
        if self._first_bad is not None and math.isfinite(float(self._first_bad)):
            raise Diverged(
                f"in step {int(self._first_bad)} the loss or a gradient is not finite; "
                "the weights were not touched by it"
            )


def guard_for(optimizer: torch.optim.Optimizer, device: torch.device, group: Group = ALONE) -> FiniteGuard:
    """A guard that looks at every step on the CPU, now and then elsewhere.

    An optimizer that cannot skip a step by itself has every step looked at, everywhere.
    """
    deferred = skips_bad_steps(optimizer) and device.type != "cpu"
    return FiniteGuard(optimizer, DEFERRED_INTERVAL if deferred else 1, group)


def skips_bad_steps(optimizer: torch.optim.Optimizer) -> bool:
    """Whether ``optimizer`` skips a step when its ``found_inf`` says so; torch's fused ones and ours do."""
    fused = all(parameters.get("fused") for parameters in optimizer.param_groups)
    return fused or getattr(optimizer, "honors_found_inf", False)
