"""The drawing of a network: complete for every network, true to what it computes, and without overlaps."""

import itertools
from xml.etree import ElementTree

import pytest
import torch
from torch import nn

from cifarlab.errors import UserError
from cifarlab.explain.architecture import architecture_diagram, architecture_svg
from cifarlab.explain.dataflow import steps_of
from cifarlab.explain.placement import Diagram, shape_text
from cifarlab.explain.structure import Box, Chain, Parallel, Repeated, parameters_in, structure_of
from cifarlab.models import CATALOG, Model, Order, ResNet
from cifarlab.models.cost import count_parameters

SIZES = {"plain-cnn": 8, "resnet24": 8, "tiny-attention": 16, "slim-attention": 16}
CASES = [(name, 32) for name in CATALOG] + list(SIZES.items())


def built(model: Model, image_size: int = 32) -> nn.Module:
    with torch.device("meta"):
        return model.build(10, image_size)


def chain_of(model: Model) -> Chain:
    return structure_of(steps_of(built(model), 32))


def stages_by_hooks(network: nn.Module, image_size: int) -> set[str]:
    """The widest output of a convolution at every size of the maps, and of the last layer."""
    found: dict[tuple[int, ...], int] = {}

    def note(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
        channels, *sides = output.shape[1:]
        found[tuple(sides)] = max(channels, found.get(tuple(sides), 0)) if sides else channels

    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and not name.startswith("head.") and "perc" not in name:
            module.register_forward_hook(note)
    network.eval()(torch.zeros(1, 3, image_size, image_size, device="meta"))
    return {shape_text((channels, *sides)) for sides, channels in found.items()}


@pytest.mark.parametrize(("name", "image_size"), CASES)
def test_every_network_is_drawn_with_its_shapes_and_its_parameters(name: str, image_size: int) -> None:
    model = CATALOG[name][1]
    root = ElementTree.fromstring(architecture_svg(model, 10, image_size))
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    network = built(model, image_size)
    count = count_parameters(network)
    assert f"{count.trainable:,} trainable parameters" in texts
    assert not count.statistics or any(text.endswith(f"= {count.total:,}") for text in texts)
    shown = {text.split(" · ")[0] for text in texts}
    assert stages_by_hooks(network, image_size) - shown == set()


@pytest.mark.parametrize("name", [name for name in CATALOG if "wide" not in name])
def test_the_boxes_have_all_parameters(name: str) -> None:
    network = built(CATALOG[name][1])
    assert parameters_in(structure_of(steps_of(network, 32))) == count_parameters(network).trainable


def boxes_of(chain: Chain) -> list[Box]:
    found: list[Box] = []
    for part in chain:
        match part:
            case Box():
                found.append(part)
            case Repeated():
                found += boxes_of((part.part,))
            case Parallel():
                found += [box for way in part.ways for box in boxes_of(way)] + [part.join]
    return found


@pytest.mark.parametrize("name", ["resnet24", "tiny-attention", "shake-shake-26-2x96d", "resnet18-cbam-aspp"])
def test_nothing_overlaps_and_nothing_lies_outside(name: str) -> None:
    diagram = architecture_diagram(CATALOG[name][1], 100, 32)
    frames = [frame for frame in diagram.frames if frame.kind != "group"]
    for a, b in itertools.combinations(frames, 2):
        apart = a.left + a.width <= b.left or b.left + b.width <= a.left
        assert apart or a.top + a.height <= b.top or b.top + b.height <= a.top
    for frame in diagram.frames:
        assert frame.left >= 0 and frame.left + frame.width <= diagram.width
        assert frame.top >= 0 and frame.top + frame.height <= diagram.height
    assert all(0 <= x <= diagram.width for path in diagram.paths for x, _ in path.points)
    for path in diagram.paths:
        for (x, y), (to_x, to_y) in itertools.pairwise(path.points):
            assert x == to_x or y == to_y
            assert not any(_crosses((x, y, to_x, to_y), diagram, place) for place in range(len(frames)))


def _crosses(line: tuple[float, float, float, float], diagram: Diagram, place: int) -> bool:
    """Whether a line runs through the inside of a box."""
    frame = [frame for frame in diagram.frames if frame.kind != "group"][place]
    x, y, to_x, to_y = line
    beside = max(x, to_x) <= frame.left + 1 or min(x, to_x) >= frame.left + frame.width - 1
    return not (beside or max(y, to_y) <= frame.top + 1 or min(y, to_y) >= frame.top + frame.height - 1)


def test_equal_blocks_are_drawn_once_with_their_number() -> None:
    chain = chain_of(CATALOG["resnet24"][1])
    assert [part.times for part in chain if isinstance(part, Repeated)] == [3, 2, 2]
    shortcuts = [box.lines[-1] for box in boxes_of(chain) if box.has_shortcut]
    assert shortcuts[:2] == ["+ input · ReLU", "+ (1×1 conv, 128, /2 · BN) · ReLU"]
    assert len(shortcuts) == 7  # of eleven blocks


def test_a_network_without_shortcuts_has_none() -> None:
    chain = chain_of(CATALOG["plain-20"][1])
    assert all(isinstance(part, Box | Repeated) for part in chain)
    assert not any(box.has_shortcut for box in boxes_of(chain))


@pytest.mark.parametrize("order", ["bn-after-addition", "relu-only-pre-activation", "full-pre-activation"])
def test_every_order_of_a_block_keeps_its_shortcut(order: Order) -> None:
    chain = chain_of(ResNet((1, 1, 1, 1), (8, 8, 16, 16), order=order))
    ways = sum(isinstance(part, Parallel) for part in chain) + sum(
        box.has_shortcut for box in boxes_of(chain)
    )
    assert ways == 4


def test_branches_are_side_by_side() -> None:
    aspp = chain_of(CATALOG["resnet18-cbam-aspp"][1])
    (pyramid,) = (part for part in aspp if isinstance(part, Parallel))
    assert len(pyramid.ways) == 5
    assert pyramid.join.shape == (5 * 256, 4, 4)
    slim = chain_of(CATALOG["slim-attention"][1])
    for module in (part for part in slim if isinstance(part, Parallel)):
        mask, trunk = module.ways
        assert module.join.lines == ("×",)
        assert "sigmoid · plus 1" in boxes_of(mask)[-1].lines[-1]
        assert all(box.shape == module.join.shape for box in boxes_of(trunk))
    shake = chain_of(CATALOG["shake-shake-26-2x32d"][1])
    inner = shake[1].ways[0][0] if isinstance(shake[1], Parallel) else None
    assert isinstance(inner, Parallel) and len(inner.ways) == 2 and inner.join.lines == ("Shake",)


def test_equal_networks_have_equal_drawings_and_others_have_not() -> None:
    first, second = (architecture_svg(CATALOG["lenet-5"][1], 10, 32) for _ in range(2))
    assert first == second
    assert architecture_svg(CATALOG["lenet-5"][1], 12, 32) != first


def test_a_size_that_the_network_does_not_take_is_refused() -> None:
    with pytest.raises(UserError, match="multiple of 8, not 12 pixels"):
        architecture_svg(CATALOG["plain-cnn"][1], 10, 12)


def test_what_is_drawn_is_what_runs() -> None:
    """The steps repeat the network's own computation order: each takes only what came before."""
    for name in ("tiny-attention", "resnet18-cbam-spp"):
        for place, step in enumerate(steps_of(built(CATALOG[name][1]), 32)):
            assert step.inputs and all(each < place for each in step.inputs)
