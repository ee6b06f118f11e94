"""The judge of learning curves: from trainings on parts of the data to one conclusion.

>>> sizes = [100, 141, 200, 283, 400, 566, 800]
>>> fits = [
...     CurveFit(n, n, r, r, "", {"error": {"train": 0.0, "dev": 0.02 + 1.6 / n**0.5 + 0.001 * r}})
...     for n in sizes for r in range(3)
... ]
>>> judge_curve(fits, Asked("error", target=0.03, target_from="--target"), {"dev": 400}).state
'not_by_data'
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlproj.diagnose.curve.brackets import halving_probe, most_gain, training_error_forbids
from mlproj.diagnose.curve.curve import Curve
from mlproj.diagnose.curve.forecast import FARTHEST, N_DRAWS, SHOWN, Forecast, forecast
from mlproj.diagnose.curve.measured import curve_of
from mlproj.diagnose.curve.say import Findings, advise, conclude, why_refused
from mlproj.diagnose.curve.shape import find_shape
from mlproj.diagnose.gaps import smallest_worth_closing
from mlproj.diagnose.rungs import RELATIVE_LOSS, is_rate
from mlproj.diagnose.words import choose_numbers
from mlproj.errors import MlprojError
from mlproj.records import Anchor, Band, CurveFit, CurveState, Extrapolation, LearningCurve, Reach
from mlproj.spec.goal import LOSSES

LIKELY, UNLIKELY = 0.5, 0.1
"""Probability at four times the data from which a target is worth collecting for, and up to which it is given up."""
SPLITS = ("train", "train_dev", "dev")


@dataclass(frozen=True)
class Asked:
    """What a curve is held against.

    Attributes:
        metric: Metric of the curve.
        target: Error that is wanted.
        target_from: Where the target comes from.
        human: Human level in this metric.
        floor: Lower 95 % limit of what the disagreement of annotators leaves; nothing gets below it.
        recipe: What was kept the same at every size.
        weighted: Whether examples are weighted.
        distributions_differ: Whether dev is of another distribution than train.
    """

    metric: str
    target: float | None = None
    target_from: str = ""
    human: float | None = None
    floor: float | None = None
    recipe: str = ""
    weighted: bool = False
    distributions_differ: bool = False

    @property
    def scale(self) -> str:
        """What the numbers are."""
        if self.metric == RELATIVE_LOSS:
            return "loss / constant"
        shown = self.metric if self.metric in LOSSES else f"1 - {self.metric}"
        return f"weighted {shown}" if self.weighted else shown


def judge_curve(
    fits: Sequence[CurveFit],
    asked: Asked,
    n: Mapping[str, int],
    *,
    notes: Sequence[str] = (),
    failed: tuple[int, str] = (0, ""),
    missing: int = 0,
    n_draws: int = N_DRAWS,
) -> LearningCurve:
    """Judges a learning curve.

    Args:
        fits: The trainings.
        asked: Metric, target and setting.
        n: Examples of the held-out splits.
        notes: What else should be said.
        failed: Trainings that failed, with the first reason.
        missing: Trainings that are still to be made.
        n_draws: Draws of the bootstrap.

    Raises:
        MlprojError: When no training has a dev error.
    """
    curves = {split: curve_of(fits, asked.metric, split, n.get(split)) for split in SPLITS}
    dev, train, train_dev = curves["dev"], curves["train"], curves["train_dev"]
    if dev is None:
        raise MlprojError(f"No training has a {asked.scale} on dev, so there is no curve to judge.")
    shape = find_shape(dev)
    told = forecast(dev, n_draws) if shape.kind == "falling" else None
    trusted = told if told is not None and told.is_better_than_last else None
    same = train_dev if train_dev is not None else None if asked.distributions_differ else dev
    gain = None if same is None else most_gain(same, train)
    now = _band(dev, len(dev) - 1)
    findings = Findings(
        numbers=choose_numbers(dev.mean.tolist(), is_rate=is_rate(asked.metric)),
        dev=now,
        n=round(float(dev.sizes[-1])),
        target=asked.target,
        target_from=asked.target_from,
        floor=asked.floor,
        shape=shape,
        why_not=why_refused(shape, len(dev)) if told is None else "" if trusted else why_refused(None, len(dev)),
        probe=halving_probe(dev),
        most_gain=gain,
        train=None if train is None else _band(train, len(train) - 1),
        forbidden_by=_forbidden_by(asked, now, train, gain),
        extrapolation=None if trusted is None else _extrapolate(trusted, dev, asked.target, n_draws),
        worth=smallest_worth_closing(float(dev.mean[-1]), is_rate=is_rate(asked.metric)),
    )
    state = _state(findings)
    return LearningCurve(
        metric=asked.metric,
        scale=asked.scale,
        anchors=_anchors(curves, dev),
        n=dict(n),
        shape=shape.kind,
        shape_at=shape.at,
        shape_method=shape.method,
        state=state,
        text=conclude(findings, state),
        advice=advise(findings, state, is_partial=missing > 0),
        target=asked.target,
        target_from=asked.target_from,
        human=asked.human,
        floor=asked.floor,
        extrapolation=findings.extrapolation,
        why_not=findings.why_not,
        probe=findings.probe,
        most_gain=findings.most_gain,
        recipe=asked.recipe,
        notes=tuple(notes),
        failed=failed,
        missing=missing,
    )


def _forbidden_by(asked: Asked, dev: Band, train: Curve | None, gain: tuple[float, float, float] | None) -> str:
    """What forbids the target, whatever a fit says; empty where nothing does."""
    if asked.target is None:
        return ""
    if training_error_forbids(train, asked.target):
        return "train"
    if asked.floor is not None and asked.target < asked.floor:
        return "floor"
    return "gap" if gain is not None and dev.low - gain[2] > asked.target else ""


def _state(found: Findings) -> CurveState:
    """What can be said: first what needs no fit, then what the fit says."""
    if found.target is not None and found.dev.error <= found.target:
        return "reached"
    if found.forbidden_by:
        return "not_by_data"
    if found.extrapolation is None:
        return "not_by_data" if found.is_too_little else "refused"
    double, fourfold = found.extrapolation.reaches
    if found.target is None:
        return _worth_it(found, double)
    chance = fourfold.p_target or 0.0
    return "more_data" if chance >= LIKELY else "not_by_data" if chance <= UNLIKELY else "unresolved"


def _worth_it(found: Findings, double: Reach) -> CurveState:
    """Without a target: whether the next doubling gains what would be worth closing in a ladder."""
    if found.is_too_little or found.dev.error - double.low < found.worth:
        return "not_by_data"
    return (
        "more_data" if found.dev.error - double.error >= found.worth and double.high < found.dev.error else "unresolved"
    )


def _band(curve: Curve, k: int) -> Band:
    low, high = curve.bands()[k]
    return Band(
        float(curve.mean[k]), low, high, float(np.std(curve.errors[k], ddof=1)) if curve.repeats[k] > 1 else 0.0
    )


def _anchors(curves: Mapping[str, Curve | None], dev: Curve) -> tuple[Anchor, ...]:
    """One anchor per dev size; other splits were measured on the same trainings."""
    there = {split: curve for split, curve in curves.items() if curve is not None and len(curve) == len(dev)}
    return tuple(
        Anchor(round(float(size)), int(dev.repeats[k]), {split: _band(curve, k) for split, curve in there.items()})
        for k, size in enumerate(dev.sizes)
    )


def _extrapolate(told: Forecast, dev: Curve, target: float | None, n_draws: int) -> Extrapolation:
    n = float(dev.sizes[-1])
    reaches = tuple(
        Reach(ratio, round(n * ratio), *told.at(ratio), None if target is None else told.chance(target, ratio))
        for ratio in SHOWN
    )
    needed = None
    if target is not None:
        low, middle, high = (None if each is None else round(n * each) for each in told.needed(target))
        needed = (low, middle, high)
    line = tuple((round(n * r), float(e)) for r, e in zip(told.ratios, told.central, strict=True))
    bound = (round(n * FARTHEST), told.at(FARTHEST)[1])
    return Extrapolation(reaches, bound, needed, dict(told.weights), dict(told.misses), line, told.n_tests, n_draws)
