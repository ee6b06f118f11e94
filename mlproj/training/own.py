"""What can be wrong with a model or a loss of the user's own, found before anything is trained, and what they are."""

import inspect
from collections.abc import Iterator
from typing import Any

from torch import nn

from mlproj.data import Dataset
from mlproj.errors import InvalidInput, Problem
from mlproj.spec.code import load_object
from mlproj.spec.model import Python
from mlproj.spec.project import Project
from mlproj.spec.training import CODE, Training
from mlproj.training.custom import loss_problems
from mlproj.training.once import READS
from mlproj.zoo import OwnEstimator, OwnModel, StackedModel, build_model
from mlproj.zoo.own import argument_problem, signature_of

_MODEL, _SPACE = "model.factory", "search.space"


def own_problems(project: Project, dataset: Dataset) -> list[Problem]:
    """What is wrong with the user's own model, its arguments and loss.

    Args:
        project: A resolved project.
        dataset: Its data.
    """
    training = project.training
    is_weighted = training.weighted_loss or training.class_weight is not None
    problems = list(loss_problems(project, dataset, is_weighted=is_weighted)) if training.loss.startswith(CODE) else []
    if not isinstance(project.model, Python):
        return problems
    try:
        model = _build(project, dataset)
        problems += _space_problems(project, model)
    except InvalidInput as error:
        return [*problems, *error.problems]
    if isinstance(model, OwnEstimator):
        return problems + list(_estimator_problems(project, dataset, model, is_weighted=is_weighted))
    return problems + list(_module_problems(project, dataset, model))


def own_notes(project: Project, dataset: Dataset) -> tuple[str, ...]:
    """What was found under `model.factory`, for `mlproj check`.

    Args:
        project: A resolved project without problems.
        dataset: Its data.
    """
    if not isinstance(project.model, Python):
        return ()
    model, name = _build(project, dataset), project.model.factory
    if isinstance(model, OwnModel):
        learned = sum(each.numel() for each in model.parameters() if each.requires_grad)
        frozen = sum(each.numel() for each in model.parameters() if not each.requires_grad)
        rest = f", {frozen:,} frozen" if frozen else ""
        return (f"{name} is a torch module with {learned:,} parameters to learn{rest}",)
    assert isinstance(model, OwnEstimator)
    notes = [f"{name} makes a {model.name} with fit and predict: it is trained once, on {model.n_features} inputs"]
    unread = [key for key in Training.model_fields if key not in READS and project.says(f"training.{key}")]
    if unread:
        notes.append(f"{model.name} does not read {', '.join(f'training.{key}' for key in unread)}")
    return tuple(notes)


def _build(project: Project, dataset: Dataset) -> StackedModel:
    return build_model(
        project,
        n_features=dataset.parts["train"].x.shape[1],
        n_outputs=dataset.target.n_outputs,
        seed=project.seed,
        columns=dataset.encoder.sizes,
    )


def _module_problems(project: Project, dataset: Dataset, model: StackedModel) -> Iterator[Problem]:
    size = project.training.batch_size
    rows = min(len(dataset.parts["train"]), size if isinstance(size, int) else len(dataset.parts["train"]))
    norms = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    if rows < 2 and any(isinstance(each, norms) for each in model.modules()):
        message = "batch norm needs at least 2 examples per batch"
        yield project.problem("training.batch_size", message, "Use 32, or no batch norm.")


def _estimator_problems(
    project: Project, dataset: Dataset, model: OwnEstimator, *, is_weighted: bool
) -> Iterator[Problem]:
    """What an estimator cannot do that the project asks for."""
    training, example = project.training, model.example
    is_regression = dataset.target.kind == "regression"
    if training.loss.startswith(CODE):
        message = f"is for models that mlproj trains; {model.name} has a loss of its own"
        yield project.problem("training.loss", message, "Leave it out.")
    if training.label_smoothing:
        message = f"{model.name} learns from labels as they are"
        yield project.problem("training.label_smoothing", message, "Leave it out.")
    if is_weighted and not takes_weights(example):
        key = "weighted_loss" if training.weighted_loss else "class_weight"
        message = f"fit of {model.name} takes no sample_weight"
        yield project.problem(f"training.{key}", message, "Leave it out, or give fit a `sample_weight`.")
    from sklearn.base import BaseEstimator, is_classifier, is_regressor

    known = isinstance(example, BaseEstimator)
    if is_regression and (is_classifier(example) if known else hasattr(example, "predict_proba")):
        yield project.problem(_MODEL, f"{model.name} tells classes, but the label is a number", "Name a regressor.")
    if not is_regression and known and is_regressor(example):
        yield project.problem(_MODEL, f"{model.name} gives numbers, but the label is a class", "Name a classifier.")


def takes_weights(estimator: Any) -> bool:
    """Whether an estimator's `fit` names `sample_weight`."""
    try:
        return "sample_weight" in inspect.signature(estimator.fit).parameters
    except (TypeError, ValueError):
        return False


def _space_problems(project: Project, model: StackedModel) -> Iterator[Problem]:
    """Keys of the search that the model does not know, so that all their trials would be the same or fail."""
    assert isinstance(project.model, Python)
    if project.search is None or project.search.space is None:
        return
    signature = signature_of(load_object(project.model.factory, project.root, where=_MODEL))
    for path in project.search.space:
        where, name = f"{_SPACE}.{path}", path.split(".")[2] if path.startswith("model.args.") else ""
        if name and signature.names is not None and name not in signature.names and not signature.is_open:
            found = argument_problem(where, name, project.model.factory, signature)
            yield project.problem(where, found.message, found.hint)
        key = path.removeprefix("training.").split(".")[0]
        if isinstance(model, OwnEstimator) and path.startswith("training.") and key not in READS:
            hint = "Search its arguments, such as `model.args.max_depth: {int: [2, 16]}`."
            yield project.problem(where, f"means nothing to {model.name}, which is trained once", hint)
