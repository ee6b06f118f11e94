"""A few examples can be learned by heart, or something between inputs, loss and update is broken."""

import math
import time
from dataclasses import dataclass, replace

import torch
from torch import nn

from mlproj.doctor.patient import Patient
from mlproj.doctor.registry import NotApplicable, Seen, check
from mlproj.spec.training import CODE
from mlproj.training.batches import Examples
from mlproj.training.objective import Objective
from mlproj.training.step import Learner, make_learner, step
from mlproj.zoo import StackedModel, seeded

_STEPS, _EVERY = 2_000, 20
_SECONDS, _ENOUGH = 4.0, 200
_MOST = 64
_ZERO = 0.05
"""Share of the loss of an answer that knows nothing which counts as about 0."""
_FACTORS = (10.0, 0.1, 100.0, 0.01)
_RATES = (0.001, 0.01, 0.1)
"""Learning rates that are tried where the configured one does not get there: multiples of it, and usual ones."""


@dataclass(frozen=True)
class _Learned:
    """How far learning by heart came: the lowest loss and its step, whether that is about 0, and all steps made."""

    loss: float
    steps: int
    is_there: bool
    made: int = 0
    is_late: bool = False


@check(3, "overfit-batch", "a few examples are learned by heart", needs="steps", trains=True)
def overfit_batch(patient: Patient) -> Seen:
    """Steps on one small batch until its loss is about 0, as configured and without dropout and penalties."""
    batch = _distinct(patient)
    nothing = patient.zero_loss(batch)
    n, rate = batch.x.shape[1], patient.project.training.learning_rate
    if not nothing > 0:
        raise NotApplicable("an answer that knows nothing has no loss on these examples")
    plain = _learn(patient, batch, nothing, plain=True)
    configured = _learn(patient, batch, nothing, plain=False) if plain.is_there and _is_held_back(patient) else plain
    numbers = {
        "loss": configured.loss, "steps": configured.steps, "plain_loss": plain.loss, "plain_steps": plain.steps,
        "knows_nothing": nothing, "learning_rate": rate,
    }  # fmt: skip
    how = f"steps on one batch, at most {_STEPS:,} or {_SECONDS:g} s"
    said = f"{n} examples, loss {plain.loss:.2g} after {plain.steps:,} steps (knowing nothing: {nothing:.3g})"
    if plain.is_there:
        if configured.is_there:
            return Seen("ok", said, n, how, numbers=numbers)
        text = f"without dropout and penalties {said}; as configured {configured.loss:.2g}"
        advice = (
            "Dropout, label smoothing, l1, l2 or clip_norm keep even so few examples from being learned: lower them."
        )
        return Seen("warn", text, n, how, advice, numbers)
    if plain.made < _ENOUGH and math.isfinite(plain.loss) and plain.is_late:
        raise NotApplicable(f"only {plain.made} updates fit into {_SECONDS:g} s, which tells nothing")
    for other_rate in dict.fromkeys([*(factor * rate for factor in _FACTORS), *_RATES]):
        other = _learn(patient, batch, nothing, plain=True, rate=other_rate)
        if other.is_there:
            numbers |= {"better_rate": other_rate, "better_steps": other.steps, "better_loss": other.loss}
            word = "small" if other_rate > rate else "large"
            text = f"{said}; at a learning rate of {other_rate:g} {other.loss:.2g} after {other.steps:,} steps"
            advice = f"The learning rate {rate:g} is too {word}: try {other_rate:g}."
            return Seen("warn", text, n, how, advice, numbers)
    advice = (
        "No learning rate helps: look for a detached tensor, a wrong sign, an activation after the last layer, labels "
        "in another order than the rows, or a model that is too small."
    )
    return Seen("fail", said, n, how, advice, numbers)


def _distinct(patient: Patient) -> Examples:
    """A batch of different inputs, so few that the model has weights enough to tell them apart."""
    model = patient.build()
    weights = sum(each.numel() for each in model.parameters() if each.requires_grad)
    most = max(2, min(_MOST, 2 * patient.batch_size, weights // (2 * patient.n_outputs)))
    seen: dict[bytes, int] = {}
    for row, x in enumerate(patient.examples.x[:2_000].cpu().numpy()):
        seen.setdefault(x.tobytes(), row)
    rows = torch.tensor(list(seen.values())[:most], device=patient.device)
    return patient.examples.take(rows.unsqueeze(0))


def _is_held_back(patient: Patient) -> bool:
    """Whether anything configured works against learning by heart."""
    training = patient.project.training
    held = training.l1 or training.l2 or training.label_smoothing or training.clip_norm
    return bool(held) or any(_rates(module) for module in patient.build().modules())


def _rates(module: nn.Module) -> float:
    """A dropout layer's rate; 0 for any other."""
    rate = getattr(module, "rates", getattr(module, "p", 0.0)) if "Dropout" in type(module).__name__ else 0.0
    return max(rate, default=0.0) if isinstance(rate, tuple) else float(rate)


def _learn(patient: Patient, batch: Examples, nothing: float, *, plain: bool, rate: float | None = None) -> _Learned:
    """Repeats the step of a training on one batch; `plain` without dropout, penalties and label smoothing."""
    learner, objective = _make(patient, plain=plain)
    size = torch.full((1,), rate or patient.project.training.learning_rate, device=patient.device)
    model, begin, best = learner.model, time.perf_counter(), _Learned(math.inf, 0, is_there=False)
    with seeded(patient.project.seed, "dropout", device=patient.device):
        for made in range(1, _STEPS + 1):
            model.train()
            running = step(learner, batch, size)
            if made % _EVERY and made != 1:
                continue
            loss = min(_loss(model, objective, batch), float(running[0]) if plain else math.inf)
            if loss < best.loss or made == 1:
                best = _Learned(
                    loss, made, loss <= _ZERO * nothing or (not plain and _all_right(patient, model, batch))
                )
            if best.is_there or not math.isfinite(loss) or time.perf_counter() - begin > _SECONDS:
                break
    is_late = time.perf_counter() - begin > _SECONDS
    return replace(best, is_there=best.is_there and math.isfinite(best.loss), made=made, is_late=is_late)


def _make(patient: Patient, *, plain: bool) -> tuple[Learner, Objective]:
    """What learns, and the loss it is judged by, which is never smoothed."""
    objective = patient.objective
    own = patient.project.training.loss.startswith(CODE)
    judged = objective if own else replace(objective, label_smoothing=0.0)
    if not plain:
        return patient.learner(), judged
    model = patient.build()
    for module in model.modules():
        if _rates(module):
            if hasattr(module, "rates"):
                model.set_dropout([0.0] * model.n_models)
            else:
                module.p = 0.0  # type: ignore[assignment]  # of torch's dropout layers
    return make_learner(model, judged, [patient.training(l1=0.0, l2=0.0, clip_norm=None)]), judged


def _loss(model: StackedModel, objective: Objective, batch: Examples) -> float:
    model.eval()
    with torch.no_grad():
        return float(objective(model(batch.x), batch.y, batch.weight))


def _all_right(patient: Patient, model: StackedModel, batch: Examples) -> bool:
    """Whether every answer is the right class; penalties may keep the loss itself from 0."""
    if patient.is_regression:
        return False
    model.eval()
    with torch.no_grad():
        outputs = model(batch.x)
    if batch.y.ndim == 2:
        return bool((outputs.argmax(-1) == batch.y).all())
    return bool((((outputs > 0) == (batch.y > 0.5)) | batch.y.isnan()).all())
