"""Coarse to fine: how many trials a round has, where the next one looks, and whether the best lies at an edge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mlproj.metrics import is_feasible, rank_key
from mlproj.searching.halving import standing
from mlproj.searching.scales import contains, ends, position, zoom
from mlproj.searching.trials import Trial
from mlproj.spec.fields import forms_at
from mlproj.spec.project import Project
from mlproj.spec.search import Choice, Dimension, Int, Log, OneMinusLog, Space, Uniform, choice_text
from mlproj.spec.vary import try_values

_MIN_FOR_ROUNDS = 16
_BEST, _BEST_SHARE = 5, 0.2
_MARGIN = 0.1
_EDGE = 0.05


def round_sizes(trials: int, rounds: int, sampler: str) -> tuple[int, ...]:
    """Trials of each round: shared evenly, earlier rounds get what is left over.

    Args:
        trials: Trials in all.
        rounds: Rounds asked for.
        sampler: A grid is one round; so are fewer than 16 trials.

    Example:
        >>> round_sizes(65, 2, "random"), round_sizes(64, 2, "grid"), round_sizes(15, 2, "tpe")
        ((33, 32), (64,), (15,))
    """
    n = 1 if sampler == "grid" or trials < _MIN_FOR_ROUNDS else min(rounds, trials)
    size, left_over = divmod(trials, n)
    return tuple(size + (i < left_over) for i in range(n))


def ranked(trials: Sequence[Trial], optimize: str, satisfy: Mapping[Any, str]) -> list[Trial]:
    """Completed trials, best first; among equals the earlier one.

    Args:
        trials: Trials of any state.
        optimize: The metric to optimise.
        satisfy: Limits by metric.
    """

    def key(trial: Trial) -> tuple[float, ...]:
        return (*rank_key(trial.metrics, optimize, satisfy, trial.metrics.get("loss")), -trial.number)

    return sorted((trial for trial in trials if trial.state == "complete"), key=key, reverse=True)


def next_space(
    declared: Space, current: Space, trials: Sequence[Trial], optimize: str, satisfy: Mapping[Any, str]
) -> dict[str, Dimension]:
    """Where the next round looks: around the best trials so far.

    The box of the best 20 % of the completed feasible trials of all rounds, at least five, on the sampling scale,
    widened by 10 % of the current width on each side and cut off at the declared ends; choices are those seen there.
    When no trial is feasible, those that violate the limits least stand in.

    Trials that were ended early are counted in and come after the completed ones, in the order in which halving let
    them go: a box around the few that finished would be as narrow as luck. A limit that they missed so early is not
    held against them, for they might have met it in the end.

    Args:
        declared: The space of the first round.
        current: The space of the last round.
        trials: Trials of all rounds.
        optimize: The metric to optimise.
        satisfy: Limits by metric.

    Returns:
        The new space; the current one when no trial was trained.
    """
    done = ranked(trials, optimize, satisfy)
    feasible = [trial for trial in done if is_feasible(trial.metrics, satisfy)]
    pool = (feasible or done) + standing(trials, optimize, satisfy)
    best = pool[: max(_BEST, int(_BEST_SHARE * len(pool) + 0.5))]
    if not best:
        return dict(current)
    return {
        path: _box(dimension, current[path], [trial.params[path] for trial in best])
        for path, dimension in declared.items()
    }


def _box(declared: Dimension, current: Dimension, values: Sequence[Any]) -> Dimension:
    if isinstance(declared, Choice):
        seen = {choice_text(value) for value in values}
        return Choice(choice=tuple(choice for choice in declared.choice if choice_text(choice) in seen))
    places = [position(declared, value) for value in values]
    assert not isinstance(current, Choice)
    low, high = (position(declared, end) for end in ends(current))
    margin = _MARGIN * (high - low)
    return zoom(declared, max(0.0, min(places) - margin), min(1.0, max(places) + margin))


def in_range(space: Space, trials: Sequence[Trial]) -> list[Trial]:
    """Trained trials whose values all lie in a space: what a round knows before it begins.

    Args:
        space: The space of the round.
        trials: Trials of earlier rounds.
    """
    return [
        trial
        for trial in trials
        if trial.state in ("complete", "pruned")
        and all(contains(space[path], value) for path, value in trial.params.items())
    ]


@dataclass(frozen=True)
class Edge:
    """A best value so close to the end of its range that better ones may lie beyond.

    Attributes:
        path: The key.
        value: Its best value.
        end: Which end it lies at.
        dimension: The range as declared.
        widened: A range that goes further there.
    """

    path: str
    value: Any
    end: Literal["lower", "upper"]
    dimension: Dimension
    widened: Dimension


def edges(project: Project, declared: Space, params: Mapping[str, Any]) -> list[Edge]:
    """The keys whose best value lies within 5 % of an end of the declared range, on the sampling scale.

    An end that is the last value the key can take, such as no dropout or one layer, is none.

    Args:
        project: The project, whose types bound what a wider range may hold.
        declared: The space of the first round.
        params: Values of the best trial.
    """
    found: list[Edge] = []
    for path, dimension in declared.items():
        if isinstance(dimension, Choice):
            continue
        place = position(dimension, params[path])
        end: Literal["lower", "upper"] | None = "lower" if place <= _EDGE else "upper" if place >= 1 - _EDGE else None
        widened = _widened(project, path, dimension, end, params) if end else None
        if end and widened:
            found.append(Edge(path, params[path], end, dimension, widened))
    return found


def _widened(
    project: Project, path: str, dimension: Log | OneMinusLog | Uniform | Int, end: str, params: Mapping[str, Any]
) -> Dimension | None:
    """The range with one end further out; None where the key takes no such value."""
    low, high = ends(dimension)
    is_upper = end == "upper"
    old = high if is_upper else low
    new = _bounded(path, old, _further(dimension, is_upper=is_upper))
    is_too_close = isinstance(dimension, OneMinusLog) and new >= 1
    if new == old or is_too_close or try_values(project, {**params, path: new})[1]:
        return None
    both = (low, new) if is_upper else (new, high)
    match dimension:
        case Log():
            return Log(log=both)
        case OneMinusLog():
            return OneMinusLog(one_minus_log=both)
        case Uniform():
            return Uniform(uniform=both)
        case Int():
            return Int(int=(int(both[0]), int(both[1])))


def _further(dimension: Log | OneMinusLog | Uniform | Int, *, is_upper: bool) -> float:
    """One step beyond an end: a decade, half the width, or twice (half) the whole number, at least 1."""
    low, high = ends(dimension)
    match dimension:
        case Log():
            return _round(high * 10 if is_upper else low / 10)
        case OneMinusLog():
            left = _round((1 - high) / 10 if is_upper else min(1.0, (1 - low) * 10))
            return float(f"{1 - left:.15g}")
        case Uniform():
            return _round(high + (high - low) / 2 if is_upper else low - (high - low) / 2)
        case Int():
            return max(high * 2, high + 1) if is_upper else min(low, max(1, low // 2))


def _bounded(path: str, old: float, new: float) -> float:
    """A new end inside what the key can take; halfway to a bound that itself is excluded."""
    for rule in [rule for form in forms_at(path.split(".")) if form.type in (int, float) for rule in form.rules]:
        for name, is_excluded in (("le", False), ("lt", True), ("ge", False), ("gt", True)):
            bound = getattr(rule, name, None)
            if bound is None:
                continue
            is_beyond = new > bound if name.startswith("l") else new < bound
            if is_beyond or (is_excluded and new == bound):
                new = _round((old + bound) / 2) if is_excluded else bound
    return new


def _round(value: float) -> float:
    """A value as a person would write it, without the rounding errors of its making."""
    return float(f"{value:.12g}")
