"""Which counts stand behind a rounded percentage."""

import math

from cifarlab.studies.table_check.printed import Printed, exact, half_unit, shown


def counts_behind(percent: Printed, images: int) -> range:
    """The numbers of right answers out of ``images`` that are printed as ``percent``.

    The two ends count too, however the last digit was rounded.
    """
    low, high = exact(percent) - half_unit(percent), exact(percent) + half_unit(percent)
    first, last = math.ceil(low * images / 100), math.floor(high * images / 100)
    return range(max(first, 0), min(last, images) + 1)


def count_missing(percent: Printed, images: int) -> str:
    """Why no count over ``images`` gives ``percent``; empty where one does."""
    if counts_behind(percent, images):
        return ""
    below = math.floor(exact(percent) * images / 100)
    around = " and ".join(f"{count:,} give {100 * count / images:.6g} %" for count in (below, below + 1))
    return f"no number of right answers out of {images:,} images gives {shown(percent)} %: {around}"
