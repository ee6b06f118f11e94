"""Figures that were measured in rounds: ratios are taken within a round, and shown as median and spread.

A round is `{contender: {measure: value}}`; a contender that was left out of a round is not in it.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Round = Mapping[str, Mapping[str, float]]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Spread:
    """Median, smallest and largest of some values, and how many there were.

    Example:
        >>> Spread.of([3.0, 1.0, 2.0]).text()
        '2.00 (1.00 to 3.00)'
        >>> Spread.of([0.5]).text(3)
        '0.500'
    """

    middle: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread | None":
        """The spread of some values; None where there are none."""
        return cls(statistics.median(values), min(values), max(values), len(values)) if values else None

    def text(self, digits: int = 2) -> str:
        """Median (smallest to largest); of one value the value."""
        if self.n == 1:
            return f"{self.middle:,.{digits}f}"
        return f"{self.middle:,.{digits}f} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"


def values(rounds: Sequence[Round], contender: str, measure: str) -> list[float]:
    """What was measured of one contender, round by round."""
    return [one[contender][measure] for one in rounds if measure in one.get(contender, {})]


def ratios(rounds: Sequence[Round], contender: tuple[str, str], base: tuple[str, str]) -> list[float]:
    """One figure to another, within each round that has both.

    Args:
        rounds: The rounds.
        contender: Contender and measure.
        base: Contender and measure that it is divided by.

    Example:
        >>> ratios([{"a": {"s": 1.0}, "b": {"s": 4.0}}, {"b": {"s": 5.0}}], ("a", "s"), ("b", "s"))
        [0.25]
    """
    pairs = [(values([one], *contender), values([one], *base)) for one in rounds]
    return [above[0] / below[0] for above, below in pairs if above and below]


def turned(items: Sequence[Item], at: int) -> list[Item]:
    """The items, beginning with another one in each round.

    Example:
        >>> turned("abc", 4)
        ['b', 'c', 'a']
    """
    start = at % len(items) if items else 0
    return [*items[start:], *items[:start]]
