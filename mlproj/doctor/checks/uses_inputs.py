"""A model that sees its inputs must do better than one whose inputs are all 0."""

import math

from mlproj.doctor.patient import UPDATES, Patient
from mlproj.doctor.registry import NotApplicable, Seen, check
from mlproj.records import Fit

_CLOSER = 0.98
"""Share of the blind model's loss that counts as better."""


@check(2, "uses-inputs", "real inputs beat inputs of 0", needs="model", trains=True)
def uses_inputs(patient: Patient) -> Seen:
    """Trains twice for a short while, with the inputs and with zeros in their place, and compares the losses."""
    seeing, blind = patient.train_briefly(), patient.train_briefly(blind=True)
    if "diverged" in (seeing.outcome.kind, blind.outcome.kind):
        raise NotApplicable(f"a short training diverged: {seeing.outcome.text}")
    on = next((name for name in ("dev", "train_dev") if f"{name}/loss" in seeing.history.metrics), "train")
    sees, sees_nothing = _best(seeing, on), _best(blind, on)
    learns, learns_nothing = _best(seeing, "train"), _best(blind, "train")
    n = len(patient.small.parts[on])  # type: ignore[index]  # a split that the history names
    shown = on.replace("_", "-")
    numbers = {"split": on, "loss": sees, "blind_loss": sees_nothing, "train_loss": learns}
    numbers |= {"blind_train_loss": learns_nothing}
    text = f"{shown} loss {sees:.3g} with the inputs, {sees_nothing:.3g} with zeros in their place"
    how = f"two trainings of about {UPDATES} updates from one seed, the lowest loss of each"
    if not learns < _CLOSER * learns_nothing:
        text += f" (train {learns:.3g} and {learns_nothing:.3g})"
        advice = "The inputs do not reach the outputs, or nothing is learned at all: follow one batch through forward."
        return Seen("fail", text, n, how, advice, numbers)
    if not sees < _CLOSER * sees_nothing:
        advice = (
            f"It learns train, yet what it learns says nothing about {shown}: check the features and the labels for a "
            "mix-up of rows, and whether the task can be learned from these columns."
        )
        return Seen("warn", text, n, how, advice, numbers)
    return Seen("ok", text, n, how, numbers=numbers)


def _best(fit: Fit, split: str) -> float:
    return min((value for value in fit.history.metrics[f"{split}/loss"] if math.isfinite(value)), default=math.nan)
