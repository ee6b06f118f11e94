"""Scales: how a range is sampled, narrowed, and stored.

Every dimension maps [0, 1] to its values, its *sampling scale*: `value_at` draws a value from a uniform position,
`position` finds it again. Learning rates are uniform on the logarithm, β through 1 − β.

>>> from mlproj.spec.search import Log, OneMinusLog
>>> value_at(Log(log=(1e-4, 1.0)), 0.5), round(value_at(OneMinusLog(one_minus_log=(0.9, 0.999)), 0.5), 12)
(0.01, 0.99)
"""

import json
import math
from typing import TYPE_CHECKING, Any

from mlproj.spec.search import Choice, Dimension, Int, Log, OneMinusLog, Uniform, choice_text

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_ROUNDING = 1e-9
"""Positions carry rounding errors; what lies this close to an end lies on it."""


def ends(dimension: Log | OneMinusLog | Uniform | Int) -> tuple[float, float]:
    """Smallest and largest value of a range.

    Example:
        >>> ends(Int(int=(16, 256)))
        (16, 256)
    """
    match dimension:
        case Log():
            return dimension.log
        case OneMinusLog():
            return dimension.one_minus_log
        case Uniform():
            return dimension.uniform
        case Int():
            return dimension.int


def position(dimension: Dimension, value: Any) -> float:
    """Where a value lies on the sampling scale: 0 at the lower end, 1 at the upper one.

    Args:
        dimension: The range.
        value: One of its values; values beyond an end count as that end.

    Example:
        >>> position(Log(log=(1e-4, 1.0)), 0.1), position(Int(int=(1, 5)), 2)
        (0.75, 0.25)
    """
    if isinstance(dimension, Choice):
        texts = [choice_text(choice) for choice in dimension.choice]
        return texts.index(choice_text(value)) / max(1, len(texts) - 1)
    low, high = ends(dimension)
    start, end, place = (_scaled(dimension, each) for each in (low, high, min(max(value, low), high)))
    return (place - start) / (end - start) if end > start else 0.0


def value_at(dimension: Dimension, u: float) -> Any:
    """The value at a position of the sampling scale; uniform positions draw as the scale says.

    Args:
        dimension: The range.
        u: From 0 to 1; whole numbers and choices have an equal share of it each.

    Example:
        >>> [value_at(Int(int=(1, 4)), u) for u in (0.0, 0.24, 0.26, 1.0)]
        [1, 1, 2, 4]
    """
    if isinstance(dimension, Choice):
        return dimension.choice[_share(u, len(dimension.choice))]
    if isinstance(dimension, Int):
        first, last = dimension.int
        return first + _share(u, last - first + 1)
    low, high = ends(dimension)
    if u <= 0 or u >= 1:
        return high if u >= 1 else low
    match dimension:
        case Log():
            value = _between(u, low, high)
        case OneMinusLog():
            value = from_stored(dimension, _between(u, 1 - low, 1 - high))
        case Uniform():
            value = (1 - u) * low + u * high
    return min(max(value, low), high)


def zoom(dimension: Dimension, low: float, high: float) -> Dimension:
    """The part of a range between two positions of its sampling scale.

    Args:
        dimension: The range.
        low: Position of the new lower end, from 0 to 1.
        high: Position of the new upper end.

    Returns:
        A range of the same scale; whole numbers and choices in between, at least the nearest one.

    Example:
        >>> zoom(Log(log=(1e-4, 1.0)), 0.25, 0.5), zoom(Int(int=(1, 4)), 0.3, 0.7)
        (Log(log=(0.001, 0.01)), Int(int=(2, 3)))
    """
    match dimension:
        case Choice():
            first, last = _inside(low, high, 0, len(dimension.choice) - 1)
            return Choice(choice=dimension.choice[first : last + 1])
        case Int():
            return Int(int=_inside(low, high, *dimension.int))
        case Log():
            return Log(log=(value_at(dimension, low), value_at(dimension, high)))
        case OneMinusLog():
            return OneMinusLog(one_minus_log=(value_at(dimension, low), value_at(dimension, high)))
        case Uniform():
            return Uniform(uniform=(value_at(dimension, low), value_at(dimension, high)))


def contains(dimension: Dimension, value: Any) -> bool:
    """Whether a value is one of a range.

    Example:
        >>> contains(Int(int=(16, 64)), 65), contains(Choice(choice=(32, 64)), 64)
        (False, True)
    """
    if isinstance(dimension, Choice):
        return choice_text(value) in map(choice_text, dimension.choice)
    low, high = ends(dimension)
    return bool(low <= value <= high)


def stored_name(path: str, dimension: Dimension) -> str:
    """What Optuna calls a key: `1-PATH` on the scale one_minus_log, where it holds 1 − value, else the path.

    Example:
        >>> stored_name("training.beta1", OneMinusLog(one_minus_log=(0.9, 0.999)))
        '1-training.beta1'
    """
    return f"1-{path}" if isinstance(dimension, OneMinusLog) else path


def to_stored(dimension: Dimension, value: Any) -> Any:
    """A value as Optuna holds it: 1 − value for one_minus_log, JSON text for a choice.

    Example:
        >>> to_stored(Choice(choice=(None, [64, 32])), [64, 32]), to_stored(Int(int=(1, 4)), 3)
        ('[64, 32]', 3)
    """
    match dimension:
        case Choice():
            return choice_text(value)
        case OneMinusLog():
            return 1 - value
        case _:
            return value


def from_stored(dimension: Dimension, stored: Any) -> Any:
    """The value behind what Optuna holds; the inverse of `to_stored`, never outside the range.

    Example:
        >>> from_stored(Choice(choice=(None, [64, 32])), "[64, 32]")
        [64, 32]
    """
    if isinstance(dimension, Choice):
        return next((choice for choice in dimension.choice if choice_text(choice) == stored), json.loads(stored))
    low, high = ends(dimension)
    if not isinstance(dimension, OneMinusLog):
        return min(max(stored, low), high)
    # 1 − (1 − x) is x only where 1 − x loses no digits: the ends are as they were written
    return low if stored >= 1 - low else high if stored <= 1 - high else min(max(1 - stored, low), high)


def distribution(dimension: Dimension) -> "BaseDistribution":
    """Optuna's distribution of the stored values.

    Example:
        >>> distribution(Choice(choice=(32, 64)))
        CategoricalDistribution(choices=('32', '64'))
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match dimension:
        case Choice():
            return CategoricalDistribution([choice_text(choice) for choice in dimension.choice])
        case Int():
            return IntDistribution(*dimension.int)
        case Log():
            return FloatDistribution(*dimension.log, log=True)
        case OneMinusLog():
            low, high = dimension.one_minus_log
            return FloatDistribution(1 - high, 1 - low, log=True)
        case Uniform():
            return FloatDistribution(*dimension.uniform)


def _scaled(dimension: Dimension, value: float) -> float:
    """A value on a scale that grows evenly with the position; halved where differences could overflow."""
    match dimension:
        case Log():
            return math.log(value)
        case OneMinusLog():
            return -math.log(1 - value)
        case _:
            return value / 2


def _between(u: float, start: float, end: float) -> float:
    """10ʳ with r between the logarithms of two numbers."""
    return float(10 ** ((1 - u) * math.log10(start) + u * math.log10(end)))


def _share(u: float, n: int) -> int:
    """Which of n equal parts of [0, 1] a position lies in."""
    return min(max(int(u * n), 0), n - 1)


def _inside(low: float, high: float, first: int, last: int) -> tuple[int, int]:
    """Smallest and largest whole number between two positions of [first, last]; the nearest one when there is none."""
    left, right = (first + u * (last - first) for u in (low, high))
    start, end = math.ceil(left - _ROUNDING), math.floor(right + _ROUNDING)
    if start > end:
        start = end = round((left + right) / 2)
    return min(max(start, first), last), max(min(end, last), first)
