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

_AHEAD = 256
"""Updates for which corrections are computed at a time."""


@dataclass(frozen=True)
class Settings:
    """Hyperparameters of M models, each [M, 1]; None where no member uses the term, so that it costs nothing.

    Attributes:
        momentum: Weight of past gradients.
        beta1: Decay of the mean of gradients.
        beta2: Decay of the mean of squared gradients.
        eps: Keeps the division finite.
        beta1_exact: beta1 in float64 on the CPU: 1 − β and βᵗ lose digits in float32.
        beta2_exact: The same of beta2.
        l2: λ of (λ/2)·Σ‖W‖² over weight matrices.
        l1: λ of λ·Σ|W| over weight matrices.
        clip_norm: Largest norm of a member's gradient; infinite for members that do not clip.
    """

    momentum: Tensor
    beta1: Tensor
    beta2: Tensor
    eps: Tensor
    beta1_exact: Tensor
    beta2_exact: Tensor
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
        beta1_exact=torch.tensor([t.beta1 for t in trainings], dtype=torch.float64).unsqueeze(1),
        beta2_exact=torch.tensor([t.beta2 for t in trainings], dtype=torch.float64).unsqueeze(1),
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
        for name, value in self.memory().items():
            setattr(other, name, value[rows] if isinstance(value, Tensor) else value)
        return other

    def memory(self) -> dict[str, Tensor | int]:
        """What it remembers of past updates: tensors [M, P], and how many there were."""
        return {
            name: value
            for name, value in vars(self).items()
            if isinstance(value, Tensor | int) and not name.startswith("_")
        }

    @abstractmethod
    def direction(self, gradient: Flat) -> Flat:
        """The direction to subtract, before the learning rate; updates what is remembered of past gradients."""

    def factor(self) -> Column | None:
        """What the direction of the last update is to be multiplied by; None for 1."""
        return None

    def update(self, gradient: Flat, learning_rate: PerModel) -> None:
        """One update of all members.

        Args:
            gradient: Gradient of each member's mean loss; overwritten.
            learning_rate: Step size of each member.
        """
        settings, n_matrix = self.settings, self.weights.n_matrix
        matrices, on_matrices = self.weights.matrices, gradient[:, :n_matrix]
        rate = learning_rate.unsqueeze(1)
        if settings.l1 is not None:
            on_matrices.addcmul_(matrices.sign(), settings.l1)
        if settings.clip_norm is not None:
            gradient.mul_(clip_factor(gradient, settings.clip_norm))
        if settings.l2 is not None and self.is_decay_decoupled:
            matrices.mul_(1 - rate * settings.l2)
        elif settings.l2 is not None:
            on_matrices.addcmul_(matrices, settings.l2)
        direction, factor = self.direction(gradient), self.factor()
        self.weights.theta.addcmul_(direction, rate if factor is None else rate * factor, value=-1)


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
    factor = (clip_norm / (norm + 1e-6)).clamp(max=1)  # the small term is torch's, so that numbers agree
    return torch.where(
        clip_norm.isinf(), 1, factor
    )  # ∞ / ∞ is no number, and a member that is not clipped stays as it is


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
        self._fresh = (1 - settings.beta2_exact).to(settings.beta2)
        self._root = torch.empty_like(weights.theta)

    def direction(self, gradient: Flat) -> Flat:
        """The gradient over √s + ε."""
        torch.mul(gradient, gradient, out=self._root)
        self.square.lerp_(self._root, self._fresh)
        torch.sqrt(self.square, out=self._root).add_(self.settings.eps)
        return torch.div(gradient, self._root, out=self._root)


class Adam(AbstractOptimizer):
    """Momentum over root mean square, both corrected for their start at 0 (Kingma & Ba 2015, algorithm 1).

    The step m̂ / (√ŝ + ε), with m̂ = m/(1−β₁ᵗ) and ŝ = s/(1−β₂ᵗ), is taken of the sums M = m/(1−β₁) and S = s/(1−β₂),
    which need one product less each: with c² = (1−β₂)/(1−β₂ᵗ) it is (1−β₁)/((1−β₁ᵗ)c) · M / (√S + ε/c).
    """

    def __init__(self, weights: FlatWeights, settings: Settings) -> None:
        super().__init__(weights, settings)
        self.total = torch.zeros_like(weights.theta)
        self.square = torch.zeros_like(weights.theta)
        self.updates = 0
        self._root = torch.empty_like(weights.theta)
        self._ahead: list[tuple[Tensor, Tensor]] = []

    def direction(self, gradient: Flat) -> Flat:
        """M / (√S + ε/c)."""
        settings, ahead = self.settings, self.updates % _AHEAD
        if not ahead or not self._ahead:
            self._ahead = self._corrections(self.updates - ahead)
        self.updates += 1
        self.total.mul_(settings.beta1).add_(gradient)
        self.square.mul_(settings.beta2).addcmul_(gradient, gradient)
        torch.sqrt(self.square, out=self._root).add_(self._ahead[ahead][1])
        return torch.div(self.total, self._root, out=self._root)

    def factor(self) -> Column:
        """(1−β₁)/((1−β₁ᵗ)c)."""
        return self._ahead[(self.updates - 1) % _AHEAD][0]

    def _corrections(self, start: int) -> list[tuple[Tensor, Tensor]]:
        """The factor and ε/c of the coming updates, each [M, 1]: many at a time, and in float64."""
        beta1, beta2 = self.settings.beta1_exact, self.settings.beta2_exact
        t = torch.arange(start + 1, start + 1 + _AHEAD, dtype=torch.float64).view(-1, 1, 1)
        c = ((1 - beta2) / (1 - beta2**t)).sqrt()
        factor = (1 - beta1) / ((1 - beta1**t) * c)
        eps = self.settings.eps
        return list(zip(factor.to(eps).unbind(), (eps.double().cpu() / c).to(eps).unbind(), strict=True))


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
