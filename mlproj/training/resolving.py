"""`resolve`: every `auto` made explicit, and everything checked that spec and data can get wrong about training."""

import difflib
import math
from collections.abc import Iterator

import numpy as np

from mlproj.data import Dataset
from mlproj.errors import InvalidInput, Problem
from mlproj.spec.checks import human_flaws
from mlproj.spec.goal import POSITIVE_CLASS_METRICS
from mlproj.spec.messages import Flaw
from mlproj.spec.model import MLP, Python
from mlproj.spec.project import Project
from mlproj.spec.space import variants
from mlproj.spec.training import CODE
from mlproj.spec.vary import SPACE, blame, try_values
from mlproj.training.device import is_available
from mlproj.training.looks import epoch_sample, measure_part, metric_names, sample_parts

_MIN_UPDATES, _MIN_EPOCHS = 2_000, 20


def resolve(project: Project, dataset: Dataset) -> Project:
    """The project with task, metric, loss, batch size and epochs made explicit.

    Args:
        project: The project as written.
        dataset: Its data.

    Returns:
        The project as it will be trained; resolving it again changes nothing.

    Raises:
        InvalidInput: With every problem between spec and data that would stop training.
    """
    resolved = _made_explicit(project, dataset)
    problems = [project.problem(".".join(flaw.path), flaw.message, flaw.hint) for flaw in human_flaws(resolved)]
    problems += [*_training_problems(resolved, dataset), *_metric_problems(resolved, dataset)]
    if isinstance(project.model, Python) or resolved.training.loss.startswith(CODE):
        from mlproj.training.own import own_problems  # code of the user's own needs torch, the rest does without

        problems += own_problems(resolved, dataset)
    if problems:
        raise InvalidInput(problems)
    return resolved


def choice_problems(project: Project, dataset: Dataset) -> list[Problem]:
    """What the data say to both ends of each searched range and to each choice; the spec has its say without them.

    Code of the user's own is not run for it.

    Args:
        project: A project that can be resolved.
        dataset: Its data.
    """
    space = project.search.space if project.search else None
    told = {problem.message for problem in _training_problems(_made_explicit(project, dataset), dataset)}
    found = []
    for path, values in variants(space or {}):
        varied, flaws = try_values(project, values)
        if varied is None or flaws:
            continue
        for problem in _training_problems(_made_explicit(varied, dataset), dataset):
            if problem.message not in told:
                told.add(problem.message)
                flaw = blame(values, Flaw(tuple(problem.where.split(".")), problem.message, problem.hint))
                if flaw.path[:2] != SPACE and path:
                    flaw = Flaw((*SPACE, path), f"`{problem.where}` {problem.message}", problem.hint)
                found.append(project.problem(".".join(flaw.path), flaw.message, flaw.hint))
    return found


def _made_explicit(project: Project, dataset: Dataset) -> Project:
    is_regression = dataset.target.kind == "regression"
    optimize = project.metric.optimize or ("rmse" if is_regression else "error")
    training, n_train = project.training, len(dataset.parts["train"])
    batch_size = auto_batch_size(n_train) if training.batch_size == "auto" else training.batch_size
    rows = n_train if batch_size == "full" else batch_size
    epochs = auto_epochs(n_train, rows) if training.epochs == "auto" else training.epochs
    loss = (auto_loss(optimize) if is_regression else "cross_entropy") if training.loss == "auto" else training.loss
    return project.changed(
        task="regression" if is_regression else "classification",
        metric=project.metric.model_copy(update={"optimize": optimize}),
        training=training.model_copy(update={"batch_size": batch_size, "epochs": epochs, "loss": loss}),
    )


def auto_batch_size(n_train: int) -> int:
    """Examples per update for a training set: 64, from 50,000 examples 256, from 1,000,000 1,024.

    Example:
        >>> auto_batch_size(1_437), auto_batch_size(50_000), auto_batch_size(2_000_000)
        (64, 256, 1024)
    """
    return 64 if n_train < 50_000 else 256 if n_train < 1_000_000 else 1_024


def auto_epochs(n_train: int, batch_size: int) -> int:
    """Epochs that make at least 2,000 updates and 20 passes.

    Example:
        >>> auto_epochs(1_437, 64), auto_epochs(1_000_000, 1_024)
        (87, 20)
    """
    return max(_MIN_EPOCHS, math.ceil(_MIN_UPDATES / max(1, math.ceil(n_train / batch_size))))


def auto_loss(optimize: str) -> str:
    """The distance to minimise for a regression metric.

    Example:
        >>> auto_loss("mae"), auto_loss("mape"), auto_loss("r2")
        ('mae', 'mae', 'mse')
    """
    return "mae" if optimize in ("mae", "mape") else "mse"


def _training_problems(project: Project, dataset: Dataset) -> Iterator[Problem]:
    training, is_regression = project.training, dataset.target.kind == "regression"
    is_own = training.loss.startswith(CODE)
    if not is_own and is_regression == (training.loss == "cross_entropy"):
        allowed = "mse, mae or huber" if is_regression else "cross_entropy"
        yield project.problem(
            "training.loss", f"{training.loss} does not suit a {project.task} task", f"Use {allowed}, or auto."
        )
    if is_regression:
        for key in ("class_weight", "label_smoothing"):
            if getattr(training, key):
                yield project.problem(
                    f"training.{key}", "speaks of classes, but the label is a number", f"Leave {key} out."
                )
    elif isinstance(training.class_weight, dict):
        yield from _class_weight_problems(project, dataset)
    if training.weighted_loss and dataset.parts["train"].weight is None:
        yield project.problem(
            "training.weighted_loss", "true needs weights, but data.weight is not set", "Set `data.weight`."
        )
    if isinstance(project.metric.threshold, int | float) and dataset.target.kind != "binary":
        reason = "a number" if is_regression else f"one of {dataset.target.n_outputs} classes"
        yield project.problem(
            "metric.threshold", f"is for yes/no labels, but the label is {reason}", "Leave threshold out."
        )
    n_train = len(dataset.parts["train"])
    rows = min(n_train, training.batch_size) if isinstance(training.batch_size, int) else n_train
    if isinstance(project.model, MLP) and project.model.batch_norm and rows < 2:
        yield project.problem(
            "training.batch_size", "batch norm needs at least 2 examples per batch", "Use 32, or no batch norm."
        )
    if not is_available(training.device):
        yield project.problem(
            "training.device", f"{training.device} is not available on this machine", "Use `auto` or `cpu`."
        )


def _class_weight_problems(project: Project, dataset: Dataset) -> Iterator[Problem]:
    assert isinstance(project.training.class_weight, dict)
    known = list(dict.fromkeys(name for classes in dataset.target.classes for name in classes))
    for name in project.training.class_weight:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            shown = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
            hint = f"Did you mean `{near[0]}`?" if near else f"The classes are {shown}."
            yield project.problem(f"training.class_weight.{name}", f"{name!r} is no class of the label", hint)


def _metric_problems(project: Project, dataset: Dataset) -> Iterator[Problem]:
    """Computes every metric once on answers that say nothing, so that a metric fails before training or not at all."""
    names, target = metric_names(project), dataset.target
    of_one_class = [name for name in names if name in POSITIVE_CLASS_METRICS]
    if target.kind == "binary" and of_one_class and not target.positive_named:
        first, second = target.classes[0]
        yield project.problem(
            "data.positive",
            f"{of_one_class[0]} speaks of the positive class, but the classes are {first!r} and {second!r}",
            f"Say which one is meant, for example `positive: {second}`.",
        )
        return
    for split, part in sample_parts(dataset.parts, epoch_sample(dataset.parts)).items():
        answers = target.decode(np.zeros((len(part), target.n_outputs)), part.y)
        try:
            measure_part(names, answers, part)
        except InvalidInput as error:
            yield from (project.problem("metric", f"on {split}: {each.message}", each.hint) for each in error.problems)
            return
