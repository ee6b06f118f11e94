"""Durations as people write them: 90s, 10m, 1h30m."""

import re

from mlproj.errors import InvalidInput, Problem

_PARTS = re.compile(r"(?:(\d+(?:\.\d+)?)\s*h)?\s*(?:(\d+(?:\.\d+)?)\s*m(?:in)?)?\s*(?:(\d+(?:\.\d+)?)\s*s)?")


def seconds_of(text: str | float, option: str) -> float:
    """A duration in seconds.

    Args:
        text: Such as ``90s``, ``10m``, ``1h30m``, or a number of seconds.
        option: The option that it was given to, for the message.

    Raises:
        InvalidInput: When it is no duration above 0.

    Example:
        >>> seconds_of("1h30m", "--time-budget"), seconds_of("90", "--time-budget")
        (5400.0, 90.0)
    """
    try:
        seconds = float(text)
    except ValueError:
        found = _PARTS.fullmatch(str(text).strip().lower())
        hours, minutes, rest = (float(part or 0) for part in found.groups()) if found else (0.0, 0.0, 0.0)
        seconds = 3600 * hours + 60 * minutes + rest
    if not 0 < seconds < float("inf"):
        raise InvalidInput([Problem(option, f"{str(text)!r} is no duration", "Write 90s, 10m or 1h30m.")])
    return seconds


def spoken(seconds: float) -> str:
    """A duration in words.

    Example:
        >>> spoken(0.4), spoken(75), spoken(7300)
        ('0.4 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
