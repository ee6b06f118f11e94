"""One update of M models at once: everything that a training repeats. One model is M = 1."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlproj.shapes import PerModel
from mlproj.spec.training import Training
from mlproj.training.batches import Examples
from mlproj.training.derived import Derivation, derive
from mlproj.training.flat import FlatWeights, flatten
from mlproj.training.objective import Objective
from mlproj.training.optimizers import AbstractOptimizer, make_optimizer
from mlproj.zoo import StackedModel


@dataclass(frozen=True)
class Learner:
    """A stack of models and what moves its weights.

    Attributes:
        model: The models.
        weights: Their weights as one matrix.
        objective: What is minimised.
        optimizer: The rule that moves the weights.
        derivation: The gradient in closed form; None where autograd computes it.
    """

    model: StackedModel
    weights: FlatWeights
    objective: Objective
    optimizer: AbstractOptimizer
    derivation: Derivation | None = None


def make_learner(model: StackedModel, objective: Objective, trainings: Sequence[Training]) -> Learner:
    """A learner for a stack.

    Args:
        model: The stack, on its device and in its precision.
        objective: What is minimised.
        trainings: One `training:` section per member.
    """
    weights = flatten(model)
    optimizer = make_optimizer(weights, trainings)
    return Learner(model, weights, objective, optimizer, derive(model, weights, objective))


def keep_members(learner: Learner, members: Sequence[int]) -> Learner:
    """A learner of some members of a stack, as if the others had never been in it.

    Args:
        learner: The stack; it must not be used any more.
        members: Their positions.
    """
    learner.model.keep(members)
    weights, objective = flatten(learner.model), learner.objective.keep(members)
    optimizer = learner.optimizer.keep(weights, members)
    return Learner(learner.model, weights, objective, optimizer, derive(learner.model, weights, objective))


def step(learner: Learner, batch: Examples, learning_rate: PerModel) -> PerModel:
    """One update of every member on its own batch.

    Args:
        learner: The models, in training mode; their weights and the optimiser's memory change.
        batch: Examples [M, B, …].
        learning_rate: Step size of each member.

    Returns:
        The mean loss of each member before the update.
    """
    if learner.derivation is not None:
        found = learner.derivation(batch)
        learner.optimizer.update(learner.derivation.gradient, learning_rate)
        return found
    losses = learner.objective(learner.model(batch.x), batch.y, batch.weight)
    learner.optimizer.update(learner.weights.gradient(losses.sum()), learning_rate)
    return losses.detach()
