"""A loss of the user's own: `training.loss: "python:module:function"`, checked once before anything is trained.

The function is called with (outputs, targets) of one model's batch of B examples, and with `weights` where it names
them, and returns the loss of each example or their mean. It sees one model at a time, so it knows no axis M.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mlproj.data import Dataset
from mlproj.errors import InvalidInput, MlprojError, Problem
from mlproj.shapes import Outputs, PerModel
from mlproj.spec.code import aside, describe, load_object
from mlproj.spec.project import Project
from mlproj.spec.training import CODE
from mlproj.training.objective import Objective
from mlproj.zoo import generator

LOSS = "training.loss"
_WEIGHTS = ("weights", "weight", "sample_weight")
_PROBE_ROWS = 8
_CALL = "It is called with (outputs, targets), and with `weights` where it names them."


@dataclass(frozen=True)
class OwnObjective(Objective):
    """The mean of a loss of the user's own, model by model.

    Attributes:
        function: The loss.
        name: What project.yaml calls it, for messages.
        weights: Name of its argument for weights; "" where it takes none.
        root: The project's folder, for messages.
    """

    function: Callable[..., Any] = torch.zeros_like
    name: str = ""
    weights: str = ""
    root: Path = Path()

    def __call__(self, outputs: Outputs, y: Tensor, weight: Tensor | None = None) -> PerModel:
        """The mean loss over each model's batch.

        Args:
            outputs: Logits or standardised values [M, B, K].
            y: Class positions [M, B], else [M, B, K].
            weight: Weight of each term, of the shape of `y`.

        Raises:
            MlprojError: When the function fails, or gives something else than losses.
        """
        weights = [None] * len(outputs) if weight is None else list(weight)
        means = [self._mean(*each) for each in zip(outputs, y, weights, strict=True)]
        return torch.stack(means).to(outputs.dtype)

    def _mean(self, outputs: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        present = ~torch.isnan(y) if self.has_missing else None
        y = y if present is None else torch.nan_to_num(y)
        named = {self.weights: torch.ones_like(y, dtype=outputs.dtype) if weight is None else weight}
        try:
            with aside():
                terms = self.function(outputs, y, **(named if self.weights else {}))
        except Exception as error:
            raise MlprojError(f"{self.name} fails: {describe(error, self.root)}") from error
        if not isinstance(terms, Tensor) or terms.is_complex():
            raise MlprojError(f"{self.name} gives a {type(terms).__name__}, no tensor of losses")
        is_mean = terms.ndim == 0
        if is_mean and present is None and (weight is None or self.weights):
            return terms
        if not is_mean and terms.ndim == 1 and y.ndim == 2 and y.shape[1] == 1:
            terms = terms.unsqueeze(1)
        fits = terms.shape == y.shape or (terms.shape == y.shape[:1] and present is None and weight is None)
        if not fits:
            raise MlprojError(self._misshapen(terms, y, present is not None, weight is not None))
        if weight is not None and not self.weights:
            terms = terms * weight
        if present is None:
            return terms.mean()
        return torch.where(present, terms, 0).sum() / present.sum().clamp(min=1)

    def _misshapen(self, terms: Tensor, y: Tensor, is_missing: bool, is_weighted: bool) -> str:
        gives = "gives a mean" if terms.ndim == 0 else f"gives {tuple(terms.shape)}"
        needed = f"{tuple(y.shape)} for {len(y):,} examples is needed"
        reason = " where labels are missing" if is_missing else " where examples are weighted" if is_weighted else ""
        other = "" if reason else " (or one loss per example, or their mean)"
        return f"{self.name} {gives}; {needed}{other}{reason}"


def make_own_objective(project: Project, *, has_missing: bool) -> OwnObjective:
    """The loss that `training.loss` names.

    Args:
        project: The project; its loss begins with ``python:``.
        has_missing: Whether labels may be missing.

    Raises:
        InvalidInput: When there is no such function, or it cannot be called as losses are.
    """
    name = project.training.loss.removeprefix(CODE)
    try:
        function = load_object(name, project.root, where=LOSS)
    except InvalidInput as error:
        found = [project.problem(each.where, each.message, each.hint) for each in error.problems]
        raise InvalidInput(found) from error.__cause__
    if not callable(function):
        raise InvalidInput([project.problem(LOSS, f"{name} is a {type(function).__name__}, no function", _CALL)])
    wrong, weights = _read_signature(function)
    if wrong:
        raise InvalidInput([project.problem(LOSS, f"{name} {wrong}", _CALL)])
    return OwnObjective("own", 0.0, has_missing, function, name, weights, project.root)


def loss_problems(project: Project, dataset: Dataset, *, is_weighted: bool) -> Iterator[Problem]:
    """What is wrong with a loss of the user's own, found by calling it once.

    Args:
        project: The project.
        dataset: Its data.
        is_weighted: Whether the terms of the loss have weights.
    """
    from mlproj.training.targets import make_examples, make_objective

    try:
        objective = make_objective(project, dataset)
    except InvalidInput as error:
        yield from error.problems
        return
    if not isinstance(objective, OwnObjective):
        return
    examples = make_examples(dataset.parts["train"], dataset.target, torch.device("cpu"))
    n = min(_PROBE_ROWS, len(examples))
    y = examples.y[:n].unsqueeze(0)
    outputs = torch.randn(1, n, dataset.target.n_outputs, generator=generator(0, "sample")).requires_grad_()
    try:
        loss = objective(outputs, y, torch.ones_like(y, dtype=torch.float32) if is_weighted else None)
    except MlprojError as error:
        yield project.problem(LOSS, str(error), "Return the loss of each example, as large as targets.")
        return
    if not torch.isfinite(loss).all():
        yield project.problem(LOSS, f"{objective.name} gives {float(loss[0].detach())} on ordinary outputs", _FINITE)
    elif not loss.requires_grad:
        hint = "Compute with torch on `outputs`, without detach(), item() or NumPy."
        yield project.problem(LOSS, f"{objective.name} does not depend on the outputs", hint)
    else:
        (gradient,) = torch.autograd.grad(loss.sum(), outputs)
        if not torch.isfinite(gradient).all():
            yield project.problem(LOSS, f"the gradient of {objective.name} is not finite", _FINITE)


_FINITE = "Look for the logarithm of 0, a division by 0 or sqrt(0)."


def _read_signature(function: Any) -> tuple[str, str]:
    """What is wrong with a signature, and the name of its argument for weights."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return "", ""
    weights = next((name for name in _WEIGHTS if name in signature.parameters), "")
    try:
        signature.bind(None, None, **({weights: None} if weights else {}))
    except TypeError:
        return f"takes {signature}", ""
    return "", weights
