"""Named changes to the text of a script, each checked against how often its place must occur."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cifarlab.errors import UserError


@dataclass(frozen=True)
class Change:
    """Every place that a pattern finds is replaced, and there must be exactly ``count`` of them.

    A count of zero states that a script has no such place, so nothing that needs a change slips through.
    """

    name: str
    """What the change does, in a few words; it stands in the record of a race."""
    pattern: str
    """A regular expression; ``^`` and ``$`` match at every line."""
    replacement: str
    """As for ``re.sub``."""
    count: int = 1


def changed(text: str, changes: Iterable[Change]) -> str:
    """``text`` after the changes, one after another.

    Raises:
        UserError: a change's place does not occur as often as it says, so the script is not the one that
            the changes were written for.
    """
    for change in changes:
        text, found = re.subn(change.pattern, change.replacement, text, flags=re.MULTILINE)
        if found != change.count:
            raise UserError(
                f"this version of the script is not known: the place of the change {change.name!r} must "
                f"occur {change.count} times and occurs {found} times; take the script as it is published"
            )
    return text
