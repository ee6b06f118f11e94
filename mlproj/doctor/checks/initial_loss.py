"""Before the first update a model knows nothing, and its loss should say so. K classes."""

import numpy as np
import torch

from mlproj.doctor.patient import ROWS, Patient
from mlproj.doctor.registry import Seen, check

_MUCH, _MUCH_OF_NUMBERS = 2.0, 10.0
"""Times the loss of an answer that knows nothing; He's rule alone gives 1.2 to 1.6 for classes and 3 for numbers."""
_LITTLE = 0.5
_WILD = 10.0


@check(1, "initial-loss", "an untrained model knows nothing", needs="steps")
def initial_loss(patient: Patient) -> Seen:
    """Holds the loss of the untrained model against that of outputs that are all 0, which is ln K for K classes."""
    batch = patient.batch(ROWS)
    model = patient.build().train()
    with torch.no_grad():
        outputs = model(batch.x)
    loss, nothing = patient.losses(outputs, batch), patient.zero_loss(batch)
    is_plain = not patient.is_regression and patient.objective.loss != "own"
    most = _MUCH if is_plain else _MUCH_OF_NUMBERS
    n, spread = batch.x.shape[1], float(outputs.square().mean().sqrt())
    numbers = {"loss": loss, "knows_nothing": nothing, "limit": most * nothing, "output_rms": spread}
    known = f"{nothing:.3g} = ln {_classes(patient)}" if is_plain and _classes(patient) else f"{nothing:.3g}"
    if prior := _prior_entropy(patient) if is_plain else None:
        numbers["prior_entropy"] = prior
    text = f"loss {loss:.3g} before training, where an answer that knows nothing has {known}"
    how = "mean loss of a new model in training mode against outputs of 0"
    if not np.isfinite(loss):
        return Seen("fail", text, n, how, "Look at the scale of the inputs and of the initial weights.", numbers)
    if loss > most * nothing:
        advice = (
            f"The outputs begin with a root mean square of {spread:.3g}: start with smaller weights, above all in the "
            "last layer, or check the scale of the inputs."
        )
        return Seen("fail" if loss > _WILD * most * nothing else "warn", text, n, how, advice, numbers)
    if is_plain and loss < _LITTLE * min(nothing, prior or nothing):
        advice = "It knows the answers already: was it trained on these data before, or does the loss see the labels?"
        return Seen("warn", text, n, how, advice, numbers)
    return Seen("ok", text, n, how, numbers=numbers)


def _classes(patient: Patient) -> int | None:
    target = patient.dataset.target
    weighted = patient.project.training.class_weight or patient.project.training.weighted_loss
    return None if weighted else 2 if target.kind == "binary" else len(target.classes[0])


def _prior_entropy(patient: Patient) -> float | None:
    """Loss of an answer that knows how frequent the classes are, the mean over the labels."""
    entropies = []
    for column in patient.dataset.parts["train"].y.T:
        counts = np.unique(column[~np.isnan(column.astype(np.float64))], return_counts=True)[1]
        p = counts / max(counts.sum(), 1)
        entropies.append(float(-(p * np.log(p)).sum()))
    return float(np.mean(entropies)) or None
