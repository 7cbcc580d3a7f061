"""Figures as the race prints them, everywhere in the same letters."""


def seconds_text(value: float) -> str:
    """A time with as many digits as it is worth: ``2.593 s``, ``312.4 s``, ``2,879 s``."""
    digits = 3 if value < 10 else 2 if value < 100 else 1 if value < 1000 else 0
    return f"{value:,.{digits}f} s"


def ratio_text(ratio: float) -> str:
    """0.4765 → ``0.476``."""
    return f"{ratio:.3f}"


def percent_text(share: float, digits: int = 2) -> str:
    """0.8512 → ``85.12 %``."""
    return f"{number_text(100 * share, digits)} %"


def points_text(difference: float) -> str:
    """0.0031 → ``+0.31 points``."""
    return f"{signed_text(difference)} points"


def signed_text(difference: float) -> str:
    """A difference of accuracies in points, with its sign: 0.0031 → ``+0.31``."""
    return f"{100 * difference:+.2f}".replace("-", "\N{MINUS SIGN}")


def number_text(value: float, digits: int) -> str:
    """A number with a true minus sign and commas at thousands."""
    return f"{value:,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def target_text(target: float) -> str:
    """0.85 → ``85 %``, and 0.9505 → ``95.05 %``."""
    return f"{100 * target:.4g} %"
