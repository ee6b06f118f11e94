"""Optimisers for M models at once: every hyperparameter is a vector [M], every operation runs over all members.

Each gives the numbers of its namesake in torch.optim. That package is not used: its optimisers take one value for all
members, and constructing one imports the compiler, which costs a second.

    theta ← theta − learning_rate · direction(gradient)

is common to all; an optimiser is the rule for the direction. Penalties and clipping come before it, as a torch user
would write them: the l1 term belongs to the loss and is clipped with it, l2 is torch's `weight_decay`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from mlproj.shapes import Column, Flat, PerModel
from mlproj.spec.training import Optimizer, Training
from mlproj.training.flat import FlatWeights


@dataclass(frozen=True)
class Settings:
    """Hyperparameters of M models, each [M, 1]; None where no member uses the term, so that it costs nothing.

    Attributes:
        momentum: Weight of past gradients.
        beta1: Decay of the mean of gradients.
        beta2: Decay of the mean of squared gradients.
        eps: Keeps the division finite.
        l2: λ of (λ/2)·Σ‖W‖² over weight matrices.
        l1: λ of λ·Σ|W| over weight matrices.
        clip_norm: Largest norm of a member's gradient; infinite for members that do not clip.
    """

    momentum: Tensor
    beta1: Tensor
    beta2: Tensor
    eps: Tensor
    l2: Tensor | None
    l1: Tensor | None
    clip_norm: Tensor | None


def settings_of(trainings: Sequence[Training], like: Tensor) -> Settings:
    """The hyperparameters of M models as columns.

    Args:
        trainings: One `training:` section per member.
        like: A tensor of the precision and on the device to use.
    """

    def column(values: Sequence[float]) -> Tensor:
        return like.new_tensor(values).unsqueeze(1)

    def used(values: Sequence[float], neutral: float) -> Tensor | None:
        return column(values) if any(value != neutral for value in values) else None

    infinite = float("inf")
    return Settings(
        momentum=column([t.momentum for t in trainings]),
        beta1=column([t.beta1 for t in trainings]),
        beta2=column([t.beta2 for t in trainings]),
        eps=column([t.eps for t in trainings]),
        l2=used([t.l2 for t in trainings], 0.0),
        l1=used([t.l1 for t in trainings], 0.0),
        clip_norm=used([infinite if t.clip_norm is None else t.clip_norm for t in trainings], infinite),
    )


class AbstractOptimizer(ABC):
    """Moves the weights of M models against their gradients.

    Args:
        weights: The weights, changed in place.
        settings: Hyperparameters per member.
    """

    is_decay_decoupled: ClassVar[bool] = False

    def __init__(self, weights: FlatWeights, settings: Settings) -> None:
        self.weights = weights
        self.settings = settings

    def keep(self, weights: FlatWeights, members: Sequence[int]) -> Self:
        """The optimiser of some members, with what it remembers of them.

        Args:
            weights: Their weights.
            members: Their positions.
        """
        rows = torch.tensor(list(members), device=weights.theta.device)

        def kept(value: Any) -> Any:
            return value[rows] if isinstance(value, Tensor) else value

        settings = Settings(**{each.name: kept(getattr(self.settings, each.name)) for each in fields(Settings)})
        other = type(self)(weights, settings)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(other, name, value[rows])
        return other

    @abstractmethod
    def direction(self, gradient: Flat) -> Flat:
        """The direction to subtract, before the learning rate; updates what is remembered of past gradients."""

    def update(self, gradient: Flat, learning_rate: PerModel) -> None:
        """One update of all members.

        Args:
            gradient: Gradient of each member's mean loss; overwritten.
            learning_rate: Step size of each member.
        """
        settings, matrices, rate = self.settings, self.weights.matrices, learning_rate.unsqueeze(1)
        on_matrices = gradient[:, : self.weights.n_matrix]
        if settings.l1 is not None:
            on_matrices.addcmul_(matrices.sign(), settings.l1)
        if settings.clip_norm is not None:
            gradient.mul_(clip_factor(gradient, settings.clip_norm))
        if settings.l2 is not None and self.is_decay_decoupled:
            matrices.mul_(1 - rate * settings.l2)
        elif settings.l2 is not None:
            on_matrices.addcmul_(matrices, settings.l2)
        self.weights.theta.addcmul_(self.direction(gradient), rate, value=-1)


def clip_factor(gradient: Flat, clip_norm: Column) -> Column:
    """Factor per member that brings its gradient to at most the given norm (Pascanu et al. 2013, algorithm 1).

    Args:
        gradient: One gradient per row.
        clip_norm: Largest norm per member.

    Example:
        >>> clip_factor(torch.tensor([[3.0, 4.0], [0.3, 0.4]]), torch.tensor([[1.0], [1.0]]))
        tensor([[0.2000],
                [1.0000]])
    """
    norm = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
    return (clip_norm / (norm + 1e-6)).clamp(max=1)  # the small term is torch's, so that numbers agree


class SGD(AbstractOptimizer):
    """Plain gradient descent on mini-batches."""

    def direction(self, gradient: Flat) -> Flat:
        """The gradient itself."""
        return gradient


class Momentum(AbstractOptimizer):
    """Gradient descent with a running sum of past gradients: v ← βv + g (Polyak 1964)."""

    def __init__(self, weights: FlatWeights, settings: Settings) -> None:
        super().__init__(weights, settings)
        self.velocity = torch.zeros_like(weights.theta)

    def direction(self, gradient: Flat) -> Flat:
        """The velocity after this gradient."""
        return self.velocity.mul_(self.settings.momentum).add_(gradient)


class Nesterov(Momentum):
    """Momentum that looks ahead: g + βv (Nesterov 1983, in the form of Sutskever et al. 2013, section 2)."""

    def direction(self, gradient: Flat) -> Flat:
        """The gradient plus the velocity it leads to."""
        return torch.addcmul(gradient, super().direction(gradient), self.settings.momentum)


class RMSprop(AbstractOptimizer):
    """The gradient over the root of its running mean square: s ← β₂s + (1−β₂)g² (Hinton 2012, lecture 6e)."""

    def __init__(self, weights: FlatWeights, settings: Settings) -> None:
        super().__init__(weights, settings)
        self.square = torch.zeros_like(weights.theta)

    def direction(self, gradient: Flat) -> Flat:
        """The gradient over √s + ε."""
        self.square.lerp_(gradient.square(), 1 - self.settings.beta2)
        return gradient / self.square.sqrt().add_(self.settings.eps)


class Adam(AbstractOptimizer):
    """Momentum over root mean square, both corrected for their start at 0 (Kingma & Ba 2015, algorithm 1)."""

    def __init__(self, weights: FlatWeights, settings: Settings) -> None:
        super().__init__(weights, settings)
        self.mean = torch.zeros_like(weights.theta)
        self.square = torch.zeros_like(weights.theta)
        self._power1 = torch.ones_like(settings.beta1)
        self._power2 = torch.ones_like(settings.beta2)

    def direction(self, gradient: Flat) -> Flat:
        """The step m̂ / (√ŝ + ε) with m̂ = m/(1−β₁ᵗ) and ŝ = s/(1−β₂ᵗ)."""
        beta1, beta2 = self.settings.beta1, self.settings.beta2
        self.mean.lerp_(gradient, 1 - beta1)
        self.square.lerp_(gradient.square(), 1 - beta2)
        self._power1.mul_(beta1)
        self._power2.mul_(beta2)
        root = (self.square / (1 - self._power2)).sqrt_().add_(self.settings.eps).mul_(1 - self._power1)
        return self.mean / root


class AdamW(Adam):
    """Adam whose l2 shrinks the weights directly instead of through the gradient (Loshchilov & Hutter 2019, alg. 2)."""

    is_decay_decoupled = True


OPTIMIZERS: dict[Optimizer, type[AbstractOptimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
}


def make_optimizer(weights: FlatWeights, trainings: Sequence[Training]) -> AbstractOptimizer:
    """The optimiser of M models that share a kind but no hyperparameter.

    Args:
        weights: Their weights.
        trainings: One `training:` section per member.

    Raises:
        ValueError: When the members name different optimisers.
    """
    kinds = {training.optimizer for training in trainings}
    if len(kinds) > 1:
        raise ValueError(f"one stack has one optimiser, not {', '.join(sorted(kinds))}")
    return OPTIMIZERS[trainings[0].optimizer](weights, settings_of(trainings, weights.theta))
