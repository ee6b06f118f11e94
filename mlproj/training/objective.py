"""What training minimises: the mean loss of each of M models over its batch of B examples.

Classes are learned by cross-entropy, yes/no labels by its binary form, numbers (standardised) by their distance.
Penalties on the weights are no part of it: `mlproj.training.optimizers` adds their gradients in closed form.

    >>> z = torch.tensor([[[5.0, 2.0, -1.0, 3.0]]])
    >>> torch.softmax(z, dim=-1).round(decimals=3)
    tensor([[[0.8420, 0.0420, 0.0020, 0.1140]]])
    >>> Objective("cross_entropy")(z, torch.tensor([[0]])).exp().reciprocal().round(decimals=3)
    tensor([0.8420])
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from mlproj.shapes import Codes, Outputs, PerModel, Weighting

Loss = Literal["cross_entropy", "binary_cross_entropy", "mse", "mae", "huber", "own"]


@dataclass(frozen=True)
class Objective:
    """The mean loss of each model.

    Attributes:
        loss: How one answer is held against its label.
        label_smoothing: Share of each target spread evenly over the classes (Szegedy et al. 2016, section 7); a number,
            or one per member [M].
        has_missing: Whether labels may be NaN; they count for nothing, and the mean is over those present.
    """

    loss: Loss
    label_smoothing: float | Tensor = 0.0
    has_missing: bool = False

    def keep(self, members: Sequence[int]) -> "Objective":
        """The objective of some members of a stack."""
        if not isinstance(self.label_smoothing, Tensor):
            return self
        return replace(self, label_smoothing=self.label_smoothing[list(members)])

    def __call__(self, outputs: Outputs, y: Codes | Outputs, weight: Weighting | None = None) -> PerModel:
        """The mean loss over each model's batch.

        Args:
            outputs: Logits or standardised values.
            y: Class positions [M, B] for cross_entropy; else [M, B, K]: 0, 1 or NaN, or standardised values.
            weight: Weight of each term, of the shape of `y`; on average 1 over the training set, so that the mean over
                a batch estimates the weighted mean over the set.
        """
        if self.loss == "cross_entropy":
            terms = cross_entropy(outputs, y, self.label_smoothing)
        elif self.loss == "binary_cross_entropy":
            terms = binary_cross_entropy(outputs, y, self.label_smoothing)
        else:
            terms = distance(self.loss, outputs, y)
        if weight is not None:
            terms = terms * weight
        if not self.has_missing:
            return terms.flatten(1).mean(1)
        present = ~torch.isnan(y)
        return torch.where(present, terms, 0).flatten(1).sum(1) / present.flatten(1).sum(1).clamp(min=1)


def cross_entropy(outputs: Outputs, y: Codes, label_smoothing: float | Tensor = 0.0) -> Weighting:
    """−log softmax(z)_y of each example; softmax regression's loss.

    Args:
        outputs: Logits z.
        y: Class positions.
        label_smoothing: Share of each target spread evenly over the classes.
    """
    # Along the second of three axes: a softmax along a short last one is many times slower.
    log_p = torch.log_softmax(outputs.transpose(1, 2), dim=1)
    terms = -log_p.gather(1, y.unsqueeze(1)).squeeze(1)
    if isinstance(label_smoothing, Tensor):
        share = label_smoothing.to(outputs).unsqueeze(1)
        return (1 - share) * terms - spread(share, log_p.mean(1))
    if not label_smoothing:
        return terms
    return (1 - label_smoothing) * terms - label_smoothing * log_p.mean(1)


def spread(share: Tensor, mean: Tensor) -> Tensor:
    """Share times mean, and 0 where the share is 0 however large the mean: 0 · ∞ is no number."""
    return torch.where(share == 0, 0, share * mean)


def binary_cross_entropy(outputs: Outputs, y: Outputs, label_smoothing: float | Tensor = 0.0) -> Weighting:
    """−y log σ(z) − (1 − y) log(1 − σ(z)) of each label; softmax over (0, z) gives the same.

    Args:
        outputs: Logits z.
        y: 0, 1, or NaN where a label is missing; its term is then 0.
        label_smoothing: Share of each target spread evenly over yes and no.
    """
    target = torch.nan_to_num(y)
    if isinstance(label_smoothing, Tensor):
        label_smoothing = label_smoothing.to(outputs).view(-1, 1, 1)
        target = target * (1 - label_smoothing) + label_smoothing / 2
    elif label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / 2
    return functional.binary_cross_entropy_with_logits(outputs, target, reduction="none")


def distance(loss: Loss, outputs: Outputs, y: Outputs) -> Weighting:
    """Distance between value and label: squared (mse), absolute (mae), or squared up to 1 and absolute beyond (huber).

    Huber's loss is ½d² for |d| ≤ 1 and |d| − ½ beyond (Huber 1964); d is in standard deviations of the training labels.

    Args:
        loss: mse, mae or huber.
        outputs: Standardised values.
        y: Standardised labels.
    """
    if loss == "huber":
        return functional.smooth_l1_loss(outputs, y, reduction="none")
    difference: Tensor = outputs - y
    return difference.square() if loss == "mse" else difference.abs()
