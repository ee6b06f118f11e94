"""What the run says of train is what its model says in evaluation mode.

The loss that a training prints is a mean over updates, with dropout on and weights that still move: it is no measure of
the model that was kept, and no rung of the ladder.
"""

import math

import numpy as np
import torch

from mlproj.doctor.patient import Patient
from mlproj.doctor.registry import NotApplicable, Seen, check
from mlproj.training.looks import measure_part, metric_names, sample_parts
from mlproj.training.outputs import run_model
from mlproj.training.targets import loss_weights, make_examples

_LIMIT = 1_000_000
_WORSE, _SLACK = 1.5, 0.02
"""Times the running loss, and the share of an ignorant answer's loss, by which evaluation mode may be worse."""
_CLOSE = 1e-3


@check(10, "train-metric", "evaluation mode agrees with training", needs="run")
def train_metric(patient: Patient) -> Seen:
    """Computes metric and loss of the stored model on train anew and holds them against what the run says."""
    if patient.changed:
        raise NotApplicable(patient.changed)
    model, course, target = patient.stored, patient.course, patient.dataset.target
    if model is None or course is None:
        raise NotApplicable(patient.missing or "the run holds no model")
    part = sample_parts(patient.dataset.parts, _LIMIT)["train"]
    weights = loss_weights(patient.project, part, target)
    examples = make_examples(part, target, patient.device, weights)
    outputs = run_model(model, examples.x)
    batch = examples.take(torch.arange(len(examples), device=patient.device).unsqueeze(0))
    loss, nothing = patient.losses(outputs, batch), patient.zero_loss(batch)
    name = metric_names(patient.project)[0]
    answers = target.decode(
        outputs[0].double().cpu().numpy(), part.y, threshold=0.5 if patient.threshold is None else patient.threshold
    )
    value, said = measure_part((name,), answers, part)[name], course.last.get(f"train/{name}", math.nan)
    running = course.last.get("train/loss", math.nan)
    numbers = {"metric": name, "value": value, "stored": said, "loss": loss, "running_loss": running}
    n, how = len(part), "the stored model on train in evaluation mode, without augmentation"
    text = f"train {name} {value:.4g} (the run says {said:.4g}); loss {loss:.3g}, while training {running:.3g}"
    if abs(value - said) > _CLOSE * max(1.0, abs(said)):
        advice = "The stored model does not answer as it did: it draws by chance, or code or data changed since."
        return Seen("fail", text, n, how, advice, numbers)
    if np.isfinite(running) and loss > _WORSE * running + _SLACK * nothing:
        advice = (
            "In evaluation mode the model is much worse than training said: running averages of batch norm lag "
            "(larger batches, or a longer training), or a part acts otherwise in evaluation mode."
        )
        return Seen("warn", text, n, how, advice, numbers)
    return Seen("ok", text, n, how, numbers=numbers)
