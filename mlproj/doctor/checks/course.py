"""How the training of a run went: did it end too early, or go on too long? E epochs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlproj.diagnose.rungs import is_rate
from mlproj.doctor.patient import Course, Patient
from mlproj.doctor.registry import NotApplicable, Seen, check
from mlproj.metrics import as_loss

_LEAST = 4
"""Epochs below which nothing can be said of a trend."""
_LEAST_FALL, _RISE = 0.02, 0.10
_NOISE, _NEAR_ZERO = 3.0, 0.1
Values = NDArray[np.float64]


@check(12, "still-improving", "the training went on until it no longer helped", needs="run")
def still_improving(patient: Patient) -> Seen:
    """Fits a line to the last third of the loss on dev, and asks whether it still falls by more than its noise."""
    if patient.course is not None and patient.course.outcome == "diverged":
        n = patient.course.history.epochs
        rate = patient.project.training.learning_rate
        advice = f"Try a smaller training.learning_rate (now {rate:g}) or a training.clip_norm."
        return Seen("fail", "the training diverged: its numbers exploded", n, "outcome of the run", advice, {})
    course, on, losses = _losses(patient)
    tail, epochs = _tail(losses), len(losses)
    ahead, noise = _fall(tail)
    numbers = {"split": on, "fall": ahead, "noise": noise, "epochs": epochs, "over": len(tail)}
    numbers |= {"first": float(tail[0]), "last": float(tail[-1]), "outcome": course.outcome}
    how = f"straight line through the {on.replace('_', '-')} loss of the last {len(tail)} epochs"
    shown = on.replace("_", "-")
    if course.outcome == "early_stopped":
        text = f"stopped by itself after {epochs:,} epochs, when the held-out metric no longer improved"
        return Seen("ok", text, epochs, how, numbers=numbers)
    # without held-out examples: a train loss near 0 falls for ever, and that says nothing
    if still_falls(losses) and (on != "train" or losses[-1] > _NEAR_ZERO * losses[0]):
        text = f"the {shown} loss still fell by {100 * ahead:.0f} % over the last {len(tail)} of {epochs:,} epochs"
        advice = (
            f"Train longer (training.epochs is {patient.project.training.epochs}) or raise the learning rate "
            f"({patient.project.training.learning_rate:g}): what looks like bias may be a training cut short."
        )
        return Seen("warn", text, epochs, how, advice, numbers)
    text = f"the {shown} loss changed by {-100 * ahead:+.0f} % over the last {len(tail)} of {epochs:,} epochs"
    return Seen("ok", text, epochs, how, numbers=numbers)


@check(13, "dev-rising", "dev does not get worse while train gets better", needs="run")
def dev_rising(patient: Patient) -> Seen:
    """Compares the end of the metric on dev with its best stretch, both averaged over some epochs."""
    course, _, _ = _losses(patient)
    metric = patient.project.metric.optimize or ("rmse" if patient.is_regression else "error")
    values = course.history.metrics.get(f"dev/{metric}")
    if values is None:
        raise NotApplicable("the run has no metric on dev for each epoch")
    errors = np.array([as_loss(metric, value) for value in values])
    if not np.isfinite(errors).all():
        raise NotApplicable(f"{metric} on dev was not a number in some epoch")
    width = max(2, len(errors) // 10)
    smooth = np.convolve(errors, np.ones(width) / width, mode="valid")
    best, last = int(np.argmin(smooth)), float(smooth[-1])
    rise, noise = last - float(smooth[best]), _noise(errors) / np.sqrt(width)
    losses = np.array(course.history.metrics.get("dev/loss", ()))
    numbers = {"metric": metric, "best": float(smooth[best]), "last": last, "rise": rise, "noise": float(noise)}
    numbers |= {"best_epoch": best + width, "epochs": len(errors), "averaged_over": width}
    if len(losses):
        numbers |= {"lowest_loss": float(losses.min()), "last_loss": float(losses[-1])}
    how = f"dev {metric} averaged over {width} epochs: the end against the best"
    at_best, at_end = (f"{as_loss(metric, value):.3g}" for value in (float(smooth[best]), last))  # 1 − (1 − score)
    least = max(_RISE * float(smooth[best]), _NOISE * float(noise), _chance(metric, last + smooth[best], patient))
    if rise > least and best + width < len(errors):
        text = f"dev {metric} went from {at_best} around epoch {best + width} to {at_end} at the end"
        advice = (
            "Problematic overfitting: stop earlier (training.early_stopping), or use l2, dropout, more data or a "
            "smaller model. The weights of the best epoch were kept, so this costs time and hides how much is possible."
        )
        return Seen("warn", text, len(errors), how, advice, numbers)
    text = f"dev {metric} {at_end} at the end, at best {at_best}"
    return Seen("ok", text, len(errors), how, numbers=numbers)


def _chance(metric: str, both: float, patient: Patient) -> float:
    """A rise of a rate that two models with these error rates (their sum) reach by chance on dev.

    The number of examples on which the two differ is at most n·(e₁ + e₂), and half of them fall either way.
    """
    if not is_rate(metric):
        return 0.0
    y = patient.dataset.parts["dev"].y if "dev" in patient.dataset.parts else np.zeros((1, 1))
    n = len(y)
    if metric not in ("error", "accuracy"):  # which speak of single classes, and the smallest decides
        n = int(min(np.unique(column, return_counts=True)[1].min() for column in y.T))
    return 2 * float(np.sqrt(both / max(n, 1)))


def still_falls(losses: Values) -> bool:
    """Whether a loss still falls at the end: its lowest value lies there, and the line falls by more than its noise.

    Args:
        losses: One per epoch (E,), at least four.

    Example:
        >>> still_falls(np.array([4.0, 3.0, 2.0, 1.5, 1.0])), still_falls(np.array([4.0, 1.0, 1.1, 1.0, 1.1]))
        (True, False)
    """
    ahead, noise = _fall(_tail(losses))
    at_end = int(np.argmin(losses)) >= len(losses) - max(1, len(losses) // 10)
    return at_end and ahead > max(_LEAST_FALL, _NOISE * noise)


def _tail(losses: Values) -> Values:
    return losses[-max(_LEAST, len(losses) // 3) :]


def _fall(tail: Values) -> tuple[float, float]:
    """The share by which a loss falls over some epochs, and the standard error of that share."""
    change, error = _trend(tail)
    first = max(float(tail[0]), 1e-12)
    return -change / first, error / first


def _losses(patient: Patient) -> tuple[Course, str, Values]:
    """The course of a run that can be judged, the split it was judged by, and the loss there after each epoch."""
    if patient.course is None:
        raise NotApplicable("needs a run")
    history = patient.course.history.metrics
    on = next((name for name in ("dev", "train_dev", "train") if f"{name}/loss" in history), None)
    if on is None:
        raise NotApplicable("the store holds no loss for each epoch of this run")
    losses = np.array(history[f"{on}/loss"])
    if patient.course.outcome in ("diverged", "interrupted", "pruned"):
        raise NotApplicable(f"the training ended early: {patient.course.outcome}")
    if patient.is_estimator:
        raise NotApplicable("the model is fitted once: there are no epochs")
    if len(losses) < _LEAST:
        raise NotApplicable(f"no trend shows in fewer than {_LEAST} epochs (here {len(losses)})")
    if not np.isfinite(losses).all():
        raise NotApplicable("the loss was not a number in some epoch")
    return patient.course, on, losses


def _trend(values: Values) -> tuple[float, float]:
    """By how much a straight line through some values changes from first to last, and the standard error of that.

    Example:
        >>> fall, error = _trend(np.array([4.0, 3.0, 2.0, 1.0]))
        >>> round(fall, 6), round(error, 6)
        (-3.0, 0.0)
    """
    x = np.arange(len(values)) - (len(values) - 1) / 2
    slope = float(x @ values / (x @ x))
    rest = values - values.mean() - slope * x
    error = float(np.sqrt(rest @ rest / max(len(values) - 2, 1) / (x @ x)))
    return slope * (len(values) - 1), error * (len(values) - 1)


def _noise(values: Sequence[float] | Values) -> float:
    """Standard deviation from one epoch to the next, which a slow trend hardly touches."""
    return float(np.std(np.diff(values)) / np.sqrt(2))
