"""What a network does to its input: every layer and operation of one forward pass, and what feeds what.

The pass runs on the meta device, which knows shapes and no values. Nothing is read from a table of
architectures, so a drawing made from this is one of the network that is trained.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cifarlab.explain.names import function_name, is_one_step, layer_name
from cifarlab.models.modes import inference_mode

IMAGES = -1
"""What stands for the network's input among the inputs of a step."""


@dataclass(frozen=True)
class Step:
    """A layer or an operation, in the order of the pass."""

    name: str
    inputs: tuple[int, ...]
    """Places of the steps whose outputs it takes, or ``IMAGES``; each once."""
    shape: tuple[int, ...]
    """Of its output, without the batch: ``C H W`` or ``features``."""
    parameters: int
    """Trainable scalars that no earlier step has."""


def steps_of(network: nn.Module, image_size: int) -> list[Step]:
    """The steps of a fresh ``network`` in evaluation from one image to its logits, the last step's output.

    Args:
        network: on the meta device; hooks are left in it.
        image_size: height and width of the image, in pixels.
    """
    images = torch.zeros(1, 3, image_size, image_size, device="meta")
    recorder = _Recorder(images)
    recorder.watch(network)
    with inference_mode(network), recorder:
        logits = network(images)
    return _needed(recorder.steps, recorder.place(logits))


class _Recorder(TorchFunctionMode):
    """Notes layers by hooks, and operations between layers by torch's own protocol."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self._inside = 0
        self._counted: set[nn.Parameter] = set()
        self._places = {id(images): IMAGES}
        self._alive: list[Tensor] = [images]  # so that no other tensor takes over an identity

    def watch(self, network: nn.Module) -> None:
        """Have every layer of ``network`` noted as one step."""
        for module in network.modules():
            if is_one_step(module):
                module.register_forward_pre_hook(self._enter)
                module.register_forward_hook(self._leave)

    def place(self, tensor: Tensor) -> int:
        """The step that made ``tensor``."""
        return self._places[id(tensor)]

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if not self._inside and isinstance(result, Tensor):
            self._note(lambda fed: function_name(func, args, kwargs or {}, fed), args, result, [])
        return result

    def _enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._inside += 1

    def _leave(self, module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        self._inside -= 1
        name = layer_name(module)
        if not self._inside and name:
            self._note(lambda fed: name, inputs, output, module.parameters())

    def _note(
        self, name: Callable[[int], str], args: Any, output: Tensor, parameters: Iterable[nn.Parameter]
    ) -> None:
        inputs = dict.fromkeys(self._places[id(t)] for t in _tensors(args) if id(t) in self._places)
        if not inputs:
            return
        new = {each for each in parameters if each.requires_grad} - self._counted
        self._counted |= new
        shape = tuple(output.shape[1:])
        self.steps.append(Step(name(len(inputs)), tuple(inputs), shape, sum(each.numel() for each in new)))
        self._places[id(output)] = len(self.steps) - 1
        self._alive.append(output)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, tuple | list):
        return [tensor for item in value for tensor in _tensors(item)]
    return []


def _needed(steps: list[Step], last: int) -> list[Step]:
    """The steps that the one at ``last`` depends on, and itself, with their places adapted."""
    needed = {last}
    for place in range(last, -1, -1):
        if place in needed:
            needed |= set(steps[place].inputs) - {IMAGES}
    places = {old: new for new, old in enumerate(sorted(needed))} | {IMAGES: IMAGES}
    return [
        Step(step.name, tuple(places[each] for each in step.inputs), step.shape, step.parameters)
        for place, step in enumerate(steps)
        if place in needed
    ]
