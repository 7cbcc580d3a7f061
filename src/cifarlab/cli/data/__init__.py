"""``cifarlab data``: one module per thing that can be done with a data set."""

import importlib
import sys

from cifarlab.errors import UserError, nearest

SUMMARIES = {
    "fetch": "download official archives, or go on with a download that broke off",
    "verify": "check an archive or a folder from its first to its last byte",
    "show": "draw the stages of a recipe's augmentation as a picture",
    "audit": "find duplicates, near-duplicates and doubtful labels",
}


def main(arguments: list[str]) -> None:
    """Hand over to the module of what is to be done."""
    match arguments:
        case []:
            raise UserError(f"data needs to know what to do; there are: {', '.join(SUMMARIES)}")
        case ["-h" | "--help", *_]:
            print("usage: cifarlab data COMMAND …\n")
            for name, summary in SUMMARIES.items():
                print(f"  {name:<8} {summary}")
            sys.exit(0)
        case [name, *_] if name not in SUMMARIES:
            raise UserError(f"data has no command {name!r}; {nearest(name, SUMMARIES)}")
        case [name, *rest]:
            importlib.import_module(f"cifarlab.cli.data.{name}").main(rest)
