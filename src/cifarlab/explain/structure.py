"""From the steps of a network to boxes, branches and repetitions: what a drawing of it shows.

The graph is taken apart at its forks: everything between a fork and the step where all its ways have met
again is a parallel part, whose ways are taken apart in the same manner.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, groupby
from typing import TypeGuard

from cifarlab.explain.dataflow import IMAGES, Step
from cifarlab.explain.names import PLUS, is_beside

MOST_LINES = 4
"""Layers on a way around which a shortcut leads, up to which both are drawn as one box."""


@dataclass(frozen=True)
class Box:
    """One or a few layers, one after the other."""

    lines: tuple[str, ...]
    shape: tuple[int, ...]
    """Of the output."""
    parameters: int
    has_shortcut: bool = False
    """Whether a way leads around all lines but the last, which says where it ends."""


@dataclass(frozen=True)
class Parallel:
    """Ways that begin at one place and meet in ``join``; an empty one hands on what it gets."""

    ways: "tuple[Chain, ...]"
    join: Box


@dataclass(frozen=True)
class Repeated:
    """So many equal parts, one after the other."""

    part: "Box | Parallel"
    times: int


Part = Box | Parallel | Repeated
Chain = tuple[Part, ...]


def structure_of(steps: Sequence[Step]) -> Chain:
    """The whole network as one chain of parts."""
    return _repeated(_Graph(steps).chain(IMAGES, len(steps)))


def parameters_in(chain: Chain) -> int:
    """Trainable scalars of all parts."""
    total = 0
    for part in chain:
        match part:
            case Box():
                total += part.parameters
            case Parallel():
                total += part.join.parameters + sum(map(parameters_in, part.ways))
            case Repeated():
                total += part.times * parameters_in((part.part,))
    return total


@dataclass(frozen=True)
class _Way:
    """One of the ways from a fork, as far as it is taken apart."""

    parts: "tuple[Step | Parallel, ...]"
    place: int
    """Of the step that comes next, or of the last one in ``parts``, where there are any."""


class _Graph:
    """Steps with what each feeds, and where all that it feeds meets again."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._fed: dict[int, list[int]] = {place: [] for place in range(IMAGES, len(steps))}
        for place, step in enumerate(steps):
            for each in step.inputs:
                self._fed[each].append(place)
        # The immediate post-dominators, of Cooper, Harvey and Kennedy 2001.
        self._after = {len(steps): len(steps)}
        for place in range(len(steps) - 1, IMAGES - 1, -1):
            first, *others = self._fed[place] or [len(steps)]
            for other in others:
                first = self._meeting(first, other)
            self._after[place] = first

    def chain(self, place: int, until: int) -> Chain:
        """The parts between two steps, both left out, where all ways from the first lead to the other."""
        return _boxed(self._between(place, until))

    def _between(self, place: int, until: int) -> "tuple[Step | Parallel, ...]":
        parts: list[Step | Parallel] = []
        while (place != until) and (after := self._after[place]) != until:
            if len(self._fed[place]) == 1:
                parts.append(self._steps[after])
            else:
                parts.append(self._parallel([_Way((), each) for each in self._fed[place]], after))
            place = after
        if len(self._fed.get(place, [])) > 1:
            raise ValueError("ways that fork again before they meet cannot be drawn side by side")
        return tuple(parts)

    def _parallel(self, ways: list[_Way], join: int) -> Parallel:
        """Those of the ways that meet before ``join`` are a parallel part of their own."""
        while (meeting := min(self._meeting(a.place, b.place) for a, b in combinations(ways, 2))) < join:
            members = [way for way in ways if self._meeting(way.place, meeting) == meeting]
            inner = _Way((self._parallel(members, meeting),), meeting)
            position = ways.index(members[0])
            ways = [way for way in ways if way not in members]
            ways.insert(position, inner)
        step = self._steps[join]
        return Parallel(tuple(_boxed(self._rest(way, join)) for way in ways), _box([step]))

    def _rest(self, way: _Way, until: int) -> "tuple[Step | Parallel, ...]":
        if way.place == until:
            return way.parts
        parts = way.parts or (self._steps[way.place],)
        return (*parts, *self._between(way.place, until))

    def _meeting(self, first: int, second: int) -> int:
        """Where the ways from both steps have all met; one of the two where the other leads there."""
        while first != second:
            if first < second:
                first = self._after[first]
            else:
                second = self._after[second]
        return first


def _boxed(parts: "Sequence[Step | Parallel]") -> Chain:
    """Steps joined to boxes: what stands beside a layer shares its box.

    A way that begins with such a step, as pre-activation does, has them in front of its layers.
    """
    chain: list[Box | Parallel] = []
    waiting: list[Step] = []
    leading = bool(parts) and isinstance(parts[0], Step) and is_beside(parts[0].name)
    for part in parts:
        match part:
            case Parallel():
                chain += [_box(waiting)] if waiting else []
                chain.append(part)
                waiting, leading = [], False
            case Step() if is_beside(part.name) and not leading and chain:
                chain[-1] = _followed(chain[-1], part)
            case Step() if is_beside(part.name):
                waiting.append(part)
            case Step():
                chain.append(_box([*waiting, part]))
                waiting = []
    for step in waiting if chain else []:
        chain[-1] = _followed(chain[-1], step)
    chain += [_box(waiting)] if waiting and not chain else []
    return tuple(_as_unit(part) for part in chain)


def _box(steps: Sequence[Step]) -> Box:
    line = " · ".join(step.name for step in steps)
    return Box((line,), steps[-1].shape, sum(step.parameters for step in steps))


def _followed(part: Box | Parallel, step: Step) -> Box | Parallel:
    """``part`` with one more step on its last line."""
    box = part.join if isinstance(part, Parallel) else part
    lines = (*box.lines[:-1], f"{box.lines[-1]} · {step.name}")
    box = replace(box, lines=lines, shape=step.shape, parameters=box.parameters + step.parameters)
    return replace(part, join=box) if isinstance(part, Parallel) else box


def _as_unit(part: Part) -> Part:
    """A few layers and a shortcut around them as one box; other ways with their plain boxes put together."""
    if not isinstance(part, Parallel):
        return part
    ways = tuple(_merged(way) for way in part.ways)
    if part.join.lines[0].startswith(PLUS) and len(ways) == 2:
        (shortcut, path) = sorted(part.ways, key=len)
        boxes = [each for each in (*shortcut, *path) if isinstance(each, Box) and not each.has_shortcut]
        if len(shortcut) < min(2, len(path)) and len(boxes) == len(shortcut) + len(path) <= MOST_LINES + 1:
            around = f"({boxes[0].lines[0]})" if shortcut else "input"
            last = part.join.lines[0].replace(PLUS, f"{PLUS} {around}", 1)
            lines = (*(box.lines[0] for box in boxes[len(shortcut) :]), last)
            parameters = sum(box.parameters for box in (*boxes, part.join))
            return Box(lines, part.join.shape, parameters, has_shortcut=True)
    return replace(part, ways=ways)


def _merged(way: Chain) -> Chain:
    """Plain boxes that follow one another as one, up to ``MOST_LINES``."""
    merged: list[Part] = []
    for part in way:
        last = merged[-1] if merged else None
        if _is_plain(last) and _is_plain(part) and len(last.lines) + len(part.lines) <= MOST_LINES:
            merged[-1] = Box((*last.lines, *part.lines), part.shape, last.parameters + part.parameters)
        else:
            merged.append(part)
    return tuple(merged)


def _is_plain(part: Part | None) -> TypeGuard[Box]:
    return isinstance(part, Box) and not part.has_shortcut


def _repeated(chain: Chain) -> Chain:
    """Equal parts that follow one another as one part and a number."""
    found: list[Part] = []
    for part, equal in groupby(chain):
        times = len(list(equal))
        inner = replace(part, ways=tuple(map(_repeated, part.ways))) if isinstance(part, Parallel) else part
        found.append(Repeated(inner, times) if times > 1 and not isinstance(inner, Repeated) else inner)
    return tuple(found)
