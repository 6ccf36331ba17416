"""Formats of what traders look for: ratios, parts of capital, days, and why a figure is undefined."""

import math

MINUS = "\N{MINUS SIGN}"


def because(reason: str) -> str:
    """An undefined figure, and why it is."""
    return f"undefined: {reason}"


def ratio(value: float, digits: int = 2) -> str:
    """A ratio."""
    return f"{value:.{digits}f}".replace("-", MINUS)


def percent(value: float, digits: int = 2) -> str:
    """A part of the capital as a percentage."""
    return f"{100 * value:.{digits}f} %".replace("-", MINUS)


def bp(value: float) -> str:
    """A part of the capital in basis points."""
    return f"{1e4 * value:.1f} bp".replace("-", MINUS)


def days(value: float) -> str:
    """Market days; a part of one counts as one."""
    return f"{math.ceil(value)}"
