"""Small config classes that hold a field of every kind."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Circle:
    radius: float = 1.0


@dataclass(frozen=True)
class Square:
    side: int = 2
    corner: Circle = Circle(0.25)


@dataclass(frozen=True)
class Sample:
    """One field of every kind that a config may hold."""

    name: str
    shape: Circle | Square = Circle()
    only: Circle | None = None
    sizes: tuple[int, ...] = (1, 2)
    pair: tuple[float, str] = (0.5, "x")
    shapes: tuple[Circle | Square, ...] = ()
    on: bool = False
    limit: int | None = None
    word: Literal["red", "green"] = "red"
