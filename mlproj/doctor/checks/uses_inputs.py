"""A model that sees its inputs must do better than one whose inputs are all 0."""

import math
import time
from typing import Any

import numpy as np

from mlproj.doctor.patient import UPDATES, Patient
from mlproj.doctor.registry import NotApplicable, Seen, check
from mlproj.records import Fit

_CLOSER = 0.98
"""Share of the blind model's loss that counts as better."""
_LONGER = 5
"""Times as long as it goes on where a short training does not tell."""
_QUICK = 6.0
"""Seconds of a short training beyond which it does not."""


@check(2, "uses-inputs", "real inputs beat inputs of 0", needs="model", trains=True)
def uses_inputs(patient: Patient) -> Seen:
    """Trains twice for a short while, with the inputs and with zeros in their place, and compares the losses."""
    seeing, numbers = _compare(patient, 1)
    if not numbers["is_better"] and not patient.is_estimator and numbers["seconds"] < _QUICK:
        seeing, numbers = _compare(patient, _LONGER)
    on = str(numbers["split"])
    n, shown = numbers["n"], on.replace("_", "-")
    how = f"two trainings of at most {numbers['updates']:,} updates from one seed, the lowest loss of each"
    text = f"{shown} loss {numbers['loss']:.3g} with the inputs, {numbers['blind_loss']:.3g} with zeros in their place"
    if numbers["is_better"]:
        return Seen("ok", text, n, how, numbers=numbers)
    if _is_constant(seeing, on):
        advice = "Nothing of the inputs reaches the outputs: follow one batch through forward."
        return Seen("fail", f"every example of {shown} gets the same answer", n, how, advice, numbers)
    if not numbers["train_loss"] < _CLOSER * numbers["blind_train_loss"]:
        text += f" (train {numbers['train_loss']:.3g} and {numbers['blind_train_loss']:.3g})"
        advice = "Nothing is learned in that time: is the learning rate too small, or are most inputs empty?"
        return Seen("warn", text, n, how, advice, numbers)
    advice = (
        f"It learns train, yet what it learns says nothing about {shown}: check the features and the labels for a "
        "mix-up of rows, and whether the task can be learned from these columns."
    )
    return Seen("warn", text, n, how, advice, numbers)


def _compare(patient: Patient, times: int) -> tuple[Fit, dict[str, Any]]:
    """A training that sees the inputs, and the lowest losses of it and of one that does not."""
    begin = time.perf_counter()
    seeing, blind = patient.train_briefly(times=times), patient.train_briefly(blind=True, times=times)
    if "diverged" in (seeing.outcome.kind, blind.outcome.kind):
        said = next(each.outcome.text for each in (seeing, blind) if each.outcome.kind == "diverged")
        raise NotApplicable(f"a short training diverged: {said.partition(';')[0]}")
    on = next((name for name in ("dev", "train_dev") if f"{name}/loss" in seeing.history.metrics), "train")
    losses = {name: (_best(seeing, name), _best(blind, name)) for name in (on, "train")}
    return seeing, {
        "split": on, "n": int((seeing.predictions.split == on).sum()), "loss": losses[on][0],
        "blind_loss": losses[on][1], "train_loss": losses["train"][0], "blind_train_loss": losses["train"][1],
        "updates": times * UPDATES, "seconds": time.perf_counter() - begin,
        "is_better": losses[on][0] < _CLOSER * losses[on][1],
    }  # fmt: skip


def _best(fit: Fit, split: str) -> float:
    return min((value for value in fit.history.metrics[f"{split}/loss"] if math.isfinite(value)), default=math.nan)


def _is_constant(fit: Fit, split: str) -> bool:
    """Whether all examples of a split (of train, where it has but one) get one and the same answer."""
    part = fit.predictions.part(split)
    for answers in (part if len(part) > 1 else fit.predictions.part("train")).labels.values():
        values = answers.y_pred[:, None] if answers.p is None else answers.p
        if np.ptp(values, axis=0).max() > 1e-6 * max(float(np.abs(values).max()), 1e-30):
            return False
    return True
