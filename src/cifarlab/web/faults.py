"""Why a request cannot be answered, in words that tell nothing of the machine's folders."""

import contextlib
import sys
from collections.abc import Iterator

from cifarlab.errors import UserError, printable


class NoSuchThing(Exception):
    """What the request names is not there; the message is fit for the caller."""


class RunFault(Exception):
    """A run cannot do what is asked of it; the message is fit for the caller."""

    @classmethod
    @contextlib.contextmanager
    def instead(cls, what: str) -> Iterator[None]:
        """Say ``what`` to the caller, and what is wrong, with paths, to the user at the terminal."""
        try:
            yield
        except UserError as error:
            print(f"cifarlab serve: {printable(error)}", file=sys.stderr, flush=True)
            raise cls(f"{what}; the terminal of cifarlab serve says why") from error
