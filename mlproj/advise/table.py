"""The table of remedies: what helps against which gap, why, at what cost, and when it applies.

A row is data with two small functions: `change` says which keys of project.yaml it sets on a given project (None where
it does not apply), `presses` whether the project gives a reason to try it first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Literal, TypeAlias

from mlproj.spec.model import MLP
from mlproj.spec.project import Project

Changes: TypeAlias = Mapping[str, str]
Cost = Literal["one training", "a search", "new data", "new labels", "a look"]
_UPDATES = 2000
"""Updates that a training has at least when project.yaml leaves the epochs to us."""


@dataclass(frozen=True)
class Case:
    """What a remedy is judged by.

    Attributes:
        project: The run's resolved spec.
        n_train: Training examples, where they are known.
        outcome: How the run's training ended, where it is known.
    """

    project: Project
    n_train: int | None = None
    outcome: str | None = None


@dataclass(frozen=True)
class Action:
    """One row of the table.

    Attributes:
        gap: Gap that it narrows.
        text: What to do.
        why: Why it helps.
        cost: What it takes.
        tail: Tail of the name of the run that tries it; empty where it is no training.
        change: Keys to set, by dotted path; None where it does not apply.
        presses: Whether the project gives a reason to try it before the others.
        needs_reason: Whether it helps only where there is such a reason.
        diagnosis: The diagnosis that it asks for, where it is a look.
    """

    gap: str
    text: str
    why: str
    cost: Cost
    tail: str = ""
    change: Callable[[Case], Changes | None] = lambda _: {}
    presses: Callable[[Case], bool] = lambda _: False
    needs_reason: bool = False
    diagnosis: str = ""


def _number(value: float) -> str:
    return f"{value:.6g}"


def _resized(sizes: list[int], model: MLP) -> Changes:
    """Hidden layers in the form that the project uses."""
    if model.hidden is None and sizes and len(set(sizes)) == 1:
        return {"model.layers": str(len(sizes)), "model.width": str(sizes[0])}
    return {"model.hidden": ",".join(str(size) for size in sizes)}


def _bigger(case: Case) -> Changes | None:
    model = case.project.model
    if not isinstance(model, MLP):
        return {"model.kind": "mlp"}
    if not model.sizes:
        return {"model.hidden": "64,64"}
    return _resized([min(max(2 * size, 32), 65_536) for size in model.sizes], model)


def _is_linear(case: Case) -> bool:
    model = case.project.model
    return not isinstance(model, MLP) or not model.sizes


def _deeper(case: Case) -> Changes | None:
    model = case.project.model
    if not isinstance(model, MLP) or not 0 < len(model.sizes) < 8:
        return None
    return _resized([*model.sizes, model.sizes[-1]], model)


def _smaller(case: Case) -> Changes | None:
    model = case.project.model
    if not isinstance(model, MLP) or not model.sizes or max(model.sizes) < 16:
        return None
    return _resized([max(size // 2, 8) for size in model.sizes], model)


def _other_activation(case: Case) -> Changes | None:
    model = case.project.model
    saturates = isinstance(model, MLP) and model.sizes and model.activation in ("sigmoid", "tanh")
    return {"model.activation": "relu"} if saturates else None


def _normalised(case: Case) -> Changes | None:
    model = case.project.model
    applies = isinstance(model, MLP) and model.sizes and not model.batch_norm
    return {"model.batch_norm": "true"} if applies else None


def _adam(case: Case) -> Changes | None:
    if case.project.training.optimizer in ("adam", "adamw"):
        return None
    return {"training.optimizer": "adam", "training.learning_rate": "0.001"}


def _longer(case: Case) -> Changes | None:
    training = case.project.training
    if not isinstance(training.epochs, int) or _diverged(case):
        return None
    stopped = case.outcome == "early_stopped"  # then it was patience that ended it, not the number of epochs
    changes = {} if stopped else {"training.epochs": str(2 * training.epochs)}
    if training.early_stopping is not None:
        changes["training.early_stopping.patience"] = str(2 * training.early_stopping.patience)
    return changes


def _has_few_updates(case: Case) -> bool:
    training = case.project.training
    if not isinstance(training.epochs, int) or case.n_train is None:
        return False
    batch = training.batch_size if isinstance(training.batch_size, int) else case.n_train
    return training.epochs * ceil(case.n_train / batch) < _UPDATES


def _freer(case: Case) -> Changes | None:
    """Takes back whatever holds the weights down."""
    training, model = case.project.training, case.project.model
    changes = {}
    if training.l2 > 0:
        changes["training.l2"] = _number(training.l2 / 10)
    if training.l1 > 0:
        changes["training.l1"] = _number(training.l1 / 10)
    if isinstance(model, MLP) and model.sizes and model.dropout > 0:
        changes["model.dropout"] = _number(model.dropout / 2 if model.dropout > 0.2 else 0.0)
    if training.label_smoothing > 0:
        changes["training.label_smoothing"] = "0"
    return changes or None


def _is_held_down(case: Case) -> bool:
    training, model = case.project.training, case.project.model
    dropout = model.dropout if isinstance(model, MLP) else 0.0
    return training.l2 >= 0.01 or training.l1 >= 0.001 or dropout >= 0.5


def _calmer(case: Case) -> Changes | None:
    return {"training.learning_rate": _number(min(case.project.training.learning_rate / 10, 0.1))}


def _diverged(case: Case) -> bool:
    return case.outcome == "diverged"


def _slower_end(case: Case) -> Changes | None:
    return {"training.schedule.kind": "cosine"} if case.project.training.schedule.kind == "constant" else None


def _more_l2(case: Case) -> Changes | None:
    training = case.project.training
    start = 0.01 if training.optimizer == "adamw" else 0.001
    stronger = (10 if training.l2 < start else 3) * training.l2 if training.l2 > 0 else start
    return {"training.l2": _number(stronger)} if stronger <= 1 else None


def _dropout(case: Case) -> Changes | None:
    model = case.project.model
    if not isinstance(model, MLP) or not model.sizes or model.dropout >= 0.5:
        return None
    return {"model.dropout": "0.3" if model.dropout < 0.3 else "0.5"}


def _stop_early(case: Case) -> Changes | None:
    return {"training.early_stopping.patience": "10"} if case.project.training.early_stopping is None else None


_BIAS = "avoidable_bias"
ACTIONS: tuple[Action, ...] = (
    Action(
        _BIAS,
        "Train a bigger network",
        "it can represent more than this one does",
        "one training",
        "wider",
        _bigger,
        presses=_is_linear,
    ),
    Action(
        _BIAS,
        "Train longer",
        "the weights may not have arrived yet; `mlproj diagnose doctor` says whether the loss still fell",
        "one training",
        "longer",
        _longer,
        presses=_has_few_updates,
    ),
    Action(
        _BIAS,
        "Take smaller steps",
        "the training diverged, so that this ladder speaks of a model that hardly learned",
        "one training",
        "slower",
        _calmer,
        presses=_diverged,
        needs_reason=True,
    ),
    Action(_BIAS, "Use Adam", "it gets further in as many updates", "one training", "adam", _adam),
    Action(
        _BIAS,
        "Regularise less",
        "it holds down the fit to the training set; expect more variance in exchange",
        "one training",
        "freer",
        _freer,
        presses=_is_held_down,
    ),
    Action(_BIAS, "Add a layer", "another architecture may suit the problem better", "one training", "deeper", _deeper),
    Action(
        _BIAS, "Use ReLU", "saturated units let hardly any gradient through", "one training", "relu", _other_activation
    ),
    Action(_BIAS, "Add batch norm", "deep layers learn faster with it", "one training", "batch-norm", _normalised),
    Action(
        _BIAS,
        "Let the learning rate fall",
        "small steps at the end settle lower",
        "one training",
        "cosine",
        _slower_end,
    ),
    Action(_BIAS, "Search the hyperparameters", "the learning rate and its like are seldom right at once", "a search"),
    Action("variance", "Get more training data", "the gap to unseen examples shrinks with every example", "new data"),
    Action("variance", "Add L2 regularisation", "smaller weights fit less noise", "one training", "l2", _more_l2),
    Action("variance", "Add dropout", "no unit can rely on another's quirks", "one training", "dropout", _dropout),
    Action(
        "variance",
        "Stop early",
        "later epochs fit noise; it is a knob that turns two fits at once, training and dev, so try the others first",
        "one training",
        "early-stopping",
        _stop_early,
    ),
    Action("variance", "Train a smaller network", "it has less room for noise", "one training", "smaller", _smaller),
    Action("variance", "Search the hyperparameters", "regularisation and size are best chosen together", "a search"),
    Action(
        "data_mismatch",
        "See what makes it",
        "the mix of classes, other inputs, or other answers to the same inputs call for different things",
        "a look",
        diagnosis="mismatch",
    ),
    Action(
        "data_mismatch",
        "Look at wrong dev examples beside train-dev examples",
        "what differs tells what the training data lack",
        "a look",
    ),
    Action(
        "data_mismatch",
        "Make the training data more like dev: collect such examples, or synthesise them",
        "the model has not seen enough of what it meets there; synthesise from many sources, few are memorised",
        "new data",
    ),
    Action(
        "overfitting_to_dev",
        "Get a bigger or a fresh dev set",
        "choices were made on this one until they fitted its chance features",
        "new labels",
    ),
    Action(
        "variance_or_data_mismatch",
        "Hold a train-dev set out of the training data",
        "its error tells variance from data mismatch",
        "a look",
    ),
)
"""Every remedy, per gap in the order to try; the commands of the last five depend on the ladder, not on the model."""
