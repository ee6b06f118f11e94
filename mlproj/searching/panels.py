"""What the pictures of a search share: trials as points, the axis of a metric and that of a hyperparameter. T trials.

A hyperparameter is drawn on the scale that it is sampled on: a logarithm, 1 − value on a logarithm, or plain numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.diagnose.rungs import is_rate
from mlproj.metrics import is_feasible
from mlproj.metrics.limits import Limits
from mlproj.searching.rounds import ranked
from mlproj.searching.scales import ends, position, value_at
from mlproj.searching.trials import Trial
from mlproj.spec.goal import LOSSES
from mlproj.spec.search import Choice, Dimension, Int, Log, OneMinusLog, choice_text, choice_words

INK, QUIET, NAMED, PALE = "#22313f", "#7f8c8d", "#d35400", "#b8c4ce"
_FEW = 12
"""Whole numbers with at most so many values are spread sideways, as choices are, so that points do not hide others."""
_SPREAD = 0.5
_LONGEST = 14
_MOST_TICKS = 6
_INCHES_PER_LETTER = 0.066
"""Of DejaVu Sans at 8 points, on average."""


@dataclass(frozen=True)
class Points:
    """The trials of a search as a picture shows them.

    Attributes:
        trials: Trials that finished with a value, by number (T,).
        pruned: Trials that were ended early with a value, by number (P,).
        failed: Trials that did neither.
        values: Values of the metric as the axis shows them, in percent for shares (T,).
        early: The same of the pruned ones, where they were ended (P,).
        feasible: Whether each meets every limit (T,).
        rounds: Round of each, from 0 (T,).
        n_rounds: Rounds that there were.
        best: Position of the best; None when nothing finished.
        low: Lower end of the metric's axis.
        high: Upper end; a value beyond it is shown at the end, marked as such.
        metric: Name of the metric.
    """

    trials: tuple[Trial, ...]
    pruned: tuple[Trial, ...]
    failed: tuple[Trial, ...]
    values: NDArray[np.float64]
    early: NDArray[np.float64]
    feasible: NDArray[np.bool_]
    rounds: NDArray[np.int64]
    n_rounds: int
    best: int | None
    low: float
    high: float
    metric: str

    @property
    def shown(self) -> NDArray[np.float64]:
        """Values within the axis (T,)."""
        return np.clip(self.values, self.low, self.high)

    @property
    def beyond(self) -> NDArray[np.bool_]:
        """Which of them are worse than the axis shows (T,)."""
        return self.values != self.shown

    @property
    def finished_axis(self) -> tuple[float, float]:
        """Ends of the metric's axis where nothing but finished trials is shown."""
        return _axis(self.values, self.best, is_loss=self.is_loss)

    @property
    def climb(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Positions of the feasible trials (F,), and the best of them so far (F,)."""
        rows = np.flatnonzero(self.feasible)
        best = np.minimum if self.is_loss else np.maximum
        return rows, best.accumulate(self.values[rows])

    @property
    def is_loss(self) -> bool:
        """Whether lower is better."""
        return self.metric in LOSSES

    @property
    def title(self) -> str:
        """What the metric's axis says."""
        return f"{self.metric} on dev{' in %' if is_rate(self.metric) else ''}"


def gather_points(trials: Sequence[Trial], optimize: str, satisfy: Limits) -> Points:
    """Trials as points of a picture.

    Args:
        trials: Trials of any state.
        optimize: The metric to optimise.
        satisfy: Limits by metric.
    """
    in_order = sorted(trials, key=lambda trial: trial.number)
    studies = list(dict.fromkeys(trial.study for trial in in_order))
    sound = [t for t in in_order if np.isfinite(t.metrics.get(optimize, np.nan))]
    ok, pruned = ([t for t in sound if t.state == state] for state in ("complete", "pruned"))
    numbers = {trial.number for trial in ok}
    failed = tuple(t for t in in_order if t.number not in numbers and t.state in ("complete", "failed"))
    scale = 100.0 if is_rate(optimize) else 1.0
    values, early = (scale * np.array([t.metrics[optimize] for t in some], dtype=np.float64) for some in (ok, pruned))
    order = ranked(ok, optimize, satisfy)
    best = ok.index(order[0]) if order else None
    low, high = _axis(np.append(values, early), best, is_loss=optimize in LOSSES)
    return Points(
        tuple(ok),
        tuple(pruned),
        failed,
        values,
        early,
        np.array([is_feasible(trial.metrics, satisfy) for trial in ok], dtype=np.bool_),
        np.array([studies.index(trial.study) for trial in ok], dtype=np.int64),
        len(studies),
        best,
        low,
        high,
        optimize,
    )


def _axis(values: NDArray[np.float64], best: int | None, *, is_loss: bool) -> tuple[float, float]:
    """Ends of the metric's axis: a few trials that went astray do not squeeze the others into a line."""
    if best is None:
        return 0.0, 1.0
    badness = values if is_loss else -values
    least, most, worst = (float(limit) for limit in np.quantile(badness, [0.0, 0.8, 1.0]))
    # the best by contract may have a poor value, and belongs into the picture all the same
    end = min(worst, max(2 * most - least, float(badness[best]))) if most > least else worst
    margin = 0.06 * (end - least) or 0.05 * abs(least) or 0.05
    low, high = least - margin, end + margin
    return (low, high) if is_loss else (-high, -low)


def place(dimension: Dimension, value: Any, number: int) -> float:
    """Where a value is drawn on the axis that `dress` makes, spread sideways where many would coincide.

    Args:
        dimension: The range.
        value: One of its values.
        number: Number of the trial, which decides how far it is moved aside.
    """
    aside = _SPREAD * ((number * 0.6180339887) % 1 - 0.5)  # golden ratio: neighbours never coincide
    if isinstance(dimension, Choice):
        return position(dimension, value) * max(1, len(dimension.choice) - 1) + aside
    if isinstance(dimension, OneMinusLog):
        return position(dimension, value)
    return float(value) + (aside if _has_few(dimension) else 0.0)


def _has_few(dimension: Dimension) -> bool:
    return isinstance(dimension, Int) and dimension.int[1] - dimension.int[0] < _FEW


def dress(axes: Any, dimension: Dimension, inches: float) -> None:
    """Gives a horizontal axis the scale of a hyperparameter.

    Args:
        axes: Where to draw.
        dimension: The range.
        inches: Length of the axis.
    """
    if isinstance(dimension, Choice):
        n = len(dimension.choice)
        axes.set_xlim(-0.6, n - 0.4)
        every = -(-n // _MOST_TICKS)
        axes.set_xticks(range(0, n, every), staggered(names(dimension.choice)[::every], inches))
        return
    if isinstance(dimension, OneMinusLog):
        ticks = near_one(dimension)
        axes.set_xticks([position(dimension, tick) for tick in ticks], [name(tick) for tick in ticks])
        axes.set_xlim(-0.04, 1.04)
        return
    low, high = ends(dimension)
    if isinstance(dimension, Log):
        axes.set_xscale("log")
        stretch = (high / low) ** 0.04
        axes.set_xlim(low / stretch, high * stretch)
        return
    margin = 0.6 if _has_few(dimension) else 0.04 * (high - low)
    axes.set_xlim(low - margin, high + margin)
    axes.xaxis.get_major_locator().set_params(nbins=_MOST_TICKS, integer=isinstance(dimension, Int))


def near_one(dimension: OneMinusLog) -> list[float]:
    """Round values of a range close to 1: 0.9, 0.99, 0.999; with 0.5, 0.95 and so on where those are few.

    Example:
        >>> near_one(OneMinusLog(one_minus_log=(0.9, 0.999)))
        [0.9, 0.99, 0.999]
    """
    low, high = ends(dimension)
    decades = [round(1 - 10.0**-k, k) for k in range(16)]
    halves = [round(1 - 5 * 10.0 ** -(k + 1), k + 1) for k in range(15)]
    inside = [tick for tick in decades if low - 1e-12 <= tick <= high + 1e-12]
    if len(inside) < 3:
        inside = sorted([tick for tick in (*decades, *halves) if low - 1e-12 <= tick <= high + 1e-12])
    return inside[:: -(-len(inside) // _MOST_TICKS)] if len(inside) > 1 else [low, high]


def marks(dimension: Dimension) -> list[tuple[float, str]]:
    """Values to write beside an upright axis that runs from 0 to 1 on the sampling scale.

    Args:
        dimension: The range.
    """
    if isinstance(dimension, Choice):
        every = -(-len(dimension.choice) // 8)
        places = [position(dimension, choice) for choice in dimension.choice]
        return list(zip(places, names(dimension.choice), strict=True))[::every]
    if isinstance(dimension, OneMinusLog):
        wanted: list[Any] = near_one(dimension)
    elif isinstance(dimension, Int) and _has_few(dimension):
        wanted = list(range(dimension.int[0], dimension.int[1] + 1))
    else:
        wanted = [value_at(dimension, u) for u in (0.0, 0.5, 1.0)]
    return [(position(dimension, value), name(value)) for value in wanted]


def name(value: Any) -> str:
    """A value as an axis shows it.

    Example:
        >>> name("relu"), name([64, 32]), name(0.30000000000000004)
        ('relu', '[64, 32]', '0.3')
    """
    if isinstance(value, float):
        return f"{value:.10g}" if 0.9 <= value < 1 else f"{value:.3g}"
    text = choice_words(value)
    shown = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return shown.replace("$", r"\$")


def names(choices: Sequence[Any]) -> list[str]:
    """Choices as an axis shows them: sections by their kind alone where that tells them apart.

    Example:
        >>> names([{"kind": "constant"}, {"kind": "cosine", "warmup": 0.1}, None])
        ['constant', 'cosine', 'null']
    """
    kinds = [choice.get("kind", choice) if isinstance(choice, Mapping) else choice for choice in choices]
    texts = [choice_text(kind) for kind in kinds]
    return [
        name(kind if texts.count(text) == 1 else each) for each, kind, text in zip(choices, kinds, texts, strict=True)
    ]


def staggered(texts: Sequence[str], inches: float) -> list[str]:
    r"""Labels of a horizontal axis, every other one a line lower where neighbours would touch.

    Args:
        texts: The labels.
        inches: Length of the axis.

    Example:
        >>> staggered(["adam", "momentum", "rmsprop"], 1.5)
        ['adam', '\nmomentum', 'rmsprop']
    """
    room = inches / max(1, len(texts)) / _INCHES_PER_LETTER - 1
    if all((len(a) + len(b)) / 2 <= room for a, b in pairwise(texts)):
        return list(texts)
    return [f"\n{text}" if k % 2 else text for k, text in enumerate(texts)]


def wrap_path(path: str) -> str:
    r"""A dotted path over several lines, for narrow places.

    Example:
        >>> wrap_path("training.learning_rate")
        'training.\nlearning_rate'
    """
    return path.replace(".", ".\n").replace("$", r"\$")


def tint(k: int, n: int) -> Any:
    """Colour of one of several rounds, light to dark, so that it is told apart without seeing hues.

    Args:
        k: The round, from 0.
        n: How many there are.
    """
    from matplotlib import colormaps

    return colormaps["YlGnBu"](0.45 + 0.5 * k / max(1, n - 1) if n > 1 else 0.75)
