"""Tables on standard output."""

from rich.console import Console
from rich.table import Table


def print_table(table: Table) -> None:
    """Print a table whose cells are plain text.

    It is drawn first and printed by Python, since rich ends the process where the reader of a pipe has gone.
    """
    console = Console(emoji=False)
    with console.capture() as drawn:
        console.print(table, markup=False, highlight=False)
    print(drawn.get(), end="")
