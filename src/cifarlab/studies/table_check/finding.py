"""One thing that cannot be right."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What a rule found."""

    rule: str
    """Its name, such as ``trace``; docs/table-format.md lists them."""
    where: str
    """The place in the report, as the table file names it."""
    message: str
    """What is printed, what follows from the rest, and that they differ."""
