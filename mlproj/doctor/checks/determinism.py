"""The same question gets the same answer, and the same seed the same model."""

from typing import Any

import torch
from torch import Tensor, nn

from mlproj.doctor.patient import Patient
from mlproj.doctor.registry import Seen, check
from mlproj.training.outputs import run_model
from mlproj.training.step import step
from mlproj.zoo import StackedModel, seeded

_ROWS, _STEPS = 64, 5
_CLOSE = 1e-3
_RANDOM = ("Dropout", "RReLU", "DropPath", "StochasticDepth")
_BATCH = ("BatchNorm", "SyncBatchNorm")
_SEED = "seed it with what the factory gets as `seed`, and draw with torch or NumPy, which mlproj seeds"


@check(7, "determinism", "same question, same answer; same seed, same model", needs="model", trains=True)
def determinism(patient: Patient) -> Seen:
    """Asks twice, builds and steps twice from one seed, and compares training mode with evaluation mode."""
    if patient.is_estimator:
        return _estimator(patient)
    model = patient.stored or patient.build()
    x = patient.batch(_ROWS).x[0]
    first, second = run_model(model, x), run_model(model, x)
    unit = float((first - first.mean(1, keepdim=True)).abs().max()) or 1.0
    twice = float((first - second).abs().max()) / unit
    built, moved = _grow(patient, 0), _grow(patient, 0)
    start, after = _apart(built[0], moved[0]), _apart(built[1], moved[1])
    has_random, has_batch = _holds(model, _RANDOM), _holds(model, _BATCH)
    in_training = _training_mode(model, x, first, unit)
    numbers = {"asked_twice": twice, "weights_built_twice": start, "weights_trained_twice": after}
    numbers |= {"training_mode": in_training}
    how = f"two evaluations, two builds and {_STEPS} updates from one seed, training against evaluation mode"
    if not twice <= 0:
        text = f"two evaluations of the same examples differ by {twice:.2g} of the outputs' spread"
        advice = "Something draws random numbers in evaluation mode: guard it with `if self.training`."
        return Seen("fail", text, len(x), how, advice, numbers)
    if start > 0:
        text = f"two models built from one seed differ by up to {start:.2g} in a weight"
        return Seen("fail", text, len(x), how, f"The factory draws by itself: {_SEED}.", numbers)
    if after > 0:
        text = f"two trainings from one seed differ by {after:.2g} in a weight after {_STEPS} updates"
        on_gpu = patient.device.type != "cpu"
        advice = "On this device some operations add in any order; runs repeat on the CPU." if on_gpu else ""
        advice = advice or f"Something draws numbers in training mode by itself: {_SEED}."
        return Seen("warn" if on_gpu else "fail", text, len(x), how, advice, numbers)
    if in_training > _CLOSE and not has_random and not has_batch:
        text = (
            f"training mode gives other answers (by {in_training:.2g} of their spread), without dropout or batch norm"
        )
        advice = (
            "If a part of yours behaves differently in training on purpose, ignore this; else look at `self.training`."
        )
        return Seen("warn", text, len(x), how, advice, numbers)
    by = " and ".join([*(["dropout"] if has_random else []), *(["batch norm"] if has_batch else [])])
    text = "two evaluations, two builds and two short trainings from one seed are the same to the last bit"
    text += f"; training mode differs by {by}" if by and in_training > 0 else ""
    return Seen("ok", text, len(x), how, numbers=numbers)


def _estimator(patient: Patient) -> Seen:
    x = patient.batch(_ROWS).x[0]
    one, other = patient.fitted_estimator(), patient.fitted_estimator()
    first, again, second = run_model(one, x), run_model(one, x), run_model(other, x)
    twice, fitted = float((first - again).abs().max()), float((first - second).abs().max())
    numbers = {"asked_twice": twice, "fitted_twice": fitted}
    how = "two evaluations, two fits from one seed"
    if twice > 0 or fitted > 0:
        text = "two evaluations differ" if twice > 0 else f"two fits from one seed differ by {fitted:.2g} in an output"
        return Seen("fail", text, len(x), how, f"It draws by itself: {_SEED}.", numbers)
    return Seen("ok", "two evaluations and two fits from one seed are the same", len(x), how, numbers=numbers)


def _grow(patient: Patient, start: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights of a new model, and those after a few updates."""
    learner = patient.learner()
    built = _copy(learner.model)
    rate = torch.full((1,), patient.project.training.learning_rate, device=patient.device)
    learner.model.train()
    with seeded(patient.project.seed, "dropout", device=patient.device):
        for made in range(_STEPS):
            step(learner, patient.batch(patient.batch_size, start + made * patient.batch_size), rate)
    return built, _copy(learner.model)


def _copy(model: StackedModel) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _apart(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Largest difference between two states; NaN counts as equal to NaN."""
    largest = 0.0
    for name, value in one.items():
        if value.is_floating_point():
            difference = torch.nan_to_num((value - other[name]).abs(), nan=0.0)
            largest = max(largest, float(difference.max()) if difference.numel() else 0.0)
    return largest


def _holds(model: nn.Module, kinds: tuple[str, ...]) -> bool:
    def acts(module: Any) -> bool:
        rate = getattr(module, "rates", getattr(module, "p", 1.0))
        return bool(any(rate) if isinstance(rate, tuple) else rate)

    return any(type(each).__name__.startswith(kinds) and acts(each) for each in model.modules())


def _training_mode(model: StackedModel, x: Tensor, evaluated: Tensor, unit: float) -> float:
    """By how much of their spread the outputs differ in training mode; the model's state is left as it was."""
    state = _copy(model)
    with torch.no_grad(), seeded(0, "dropout", device=x.device):
        outputs = model.train()(x)
    model.load_state_dict(state)
    model.eval()
    return float((outputs - evaluated).abs().max()) / unit
