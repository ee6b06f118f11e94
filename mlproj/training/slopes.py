"""The terms of the losses and their slopes in closed form, for outputs laid out [M, K, B].

The batch is the last axis: K is small, and what runs along a short last axis is slow. Each loss is that of
`mlproj.training.objective`, where it is written for autograd.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from mlproj.shapes import PerModel, Weighting
from mlproj.training.objective import Loss, Objective, spread

Layed = Float[Tensor, "M K B"]
Slope = Callable[[Tensor, Tensor, float | Tensor], tuple[Tensor, Tensor]]


def losses_and_slopes(
    objective: Objective, outputs: Layed, y: Tensor, weight: Weighting | None = None
) -> tuple[PerModel, Layed]:
    """The mean loss of each member, and its derivative by every output.

    Args:
        objective: What is minimised, with one of the losses in `SLOPES`.
        outputs: Logits or standardised values.
        y: Class positions [M, B] for cross_entropy; else [M, B, K]: 0, 1 or NaN, or standardised values.
        weight: Weight of each term, of the shape of `y`.

    Returns:
        Losses, and slopes of the shape of the outputs.
    """
    share = objective.label_smoothing
    if isinstance(share, Tensor):
        share = share.to(outputs).view(-1, 1, 1)
    is_coded = objective.loss == "cross_entropy"
    layed = y.unsqueeze(1) if is_coded else y.transpose(1, 2)
    terms, slopes = SLOPES[objective.loss](outputs, layed, share)
    if weight is not None:
        factor = weight.unsqueeze(1) if is_coded else weight.transpose(1, 2)
        terms, slopes = terms * factor, slopes.mul_(factor)
    if not objective.has_missing:
        n_terms = terms.shape[1] * terms.shape[2]
        return terms.sum((1, 2)).div_(n_terms), slopes.div_(n_terms)
    present = ~torch.isnan(layed)
    n_present = present.sum((1, 2)).clamp_(min=1).to(terms)
    slopes = torch.where(present, slopes, 0).div_(n_present.view(-1, 1, 1))
    return torch.where(present, terms, 0).sum((1, 2)) / n_present, slopes


def _cross_entropy(z: Tensor, y: Tensor, share: float | Tensor) -> tuple[Tensor, Tensor]:
    """−Σ t log p, slope p − t, with t the smoothed label (Bishop 2006, eq. 4.109)."""
    log_p = torch.log_softmax(z, dim=1)
    y = y.expand(len(z), -1, -1)
    terms = log_p.gather(1, y).neg_()
    one = torch.ones_like(terms)
    if isinstance(share, Tensor) or share:
        mean = log_p.mean(1, keepdim=True)
        terms = (1 - share) * terms - (spread(share, mean) if isinstance(share, Tensor) else share * mean)
        one = one * (1 - share)
    slopes = log_p.exp_().scatter_add_(1, y, one.neg_())
    if isinstance(share, Tensor) or share:
        slopes.sub_(share / z.shape[1])
    return terms, slopes


def _binary_cross_entropy(z: Tensor, y: Tensor, share: float | Tensor) -> tuple[Tensor, Tensor]:
    """−t log σ(z) − (1 − t) log(1 − σ(z)), slope σ(z) − t."""
    target = torch.nan_to_num(y)
    if isinstance(share, Tensor) or share:
        target = target * (1 - share) + share / 2
    target = target.expand_as(z)
    terms = functional.binary_cross_entropy_with_logits(z, target, reduction="none")
    return terms, torch.sigmoid(z).sub_(target)


def _mse(z: Tensor, y: Tensor, _: float | Tensor) -> tuple[Tensor, Tensor]:
    difference = z - y
    return difference.square(), difference.mul_(2)


def _mae(z: Tensor, y: Tensor, _: float | Tensor) -> tuple[Tensor, Tensor]:
    difference = z - y
    return difference.abs(), difference.sign_()


def _huber(z: Tensor, y: Tensor, _: float | Tensor) -> tuple[Tensor, Tensor]:
    difference = z - y
    terms = functional.smooth_l1_loss(z, y.expand_as(z), reduction="none")
    return terms, difference.clamp_(-1, 1)


SLOPES: dict[Loss, Slope] = {
    "cross_entropy": _cross_entropy,
    "binary_cross_entropy": _binary_cross_entropy,
    "mse": _mse,
    "mae": _mae,
    "huber": _huber,
}
"""Losses with a slope in closed form."""
