"""Losses against closed forms, torch's own, and finite differences."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mlproj.spec.model import MLP
from mlproj.training.flat import flatten
from mlproj.training.objective import Loss, Objective
from mlproj.zoo import build

M, B, K = 2, 6, 4


def make_logits(k: int = K) -> Tensor:
    return torch.randn(M, B, k, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def make_codes(k: int = K) -> Tensor:
    return torch.randint(0, k, (M, B), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_is_torchs_for_each_member(smoothing: float) -> None:
    logits, y = make_logits(), make_codes()
    theirs = [functional.cross_entropy(z, c, label_smoothing=smoothing) for z, c in zip(logits, y, strict=True)]
    torch.testing.assert_close(Objective("cross_entropy", smoothing)(logits, y), torch.stack(theirs))


def test_softmax_gives_the_probabilities_of_the_course_notes() -> None:
    z = torch.tensor([[[5.0, 2.0, -1.0, 3.0]]])
    for c, p in enumerate((0.842, 0.042, 0.002, 0.114)):
        loss = Objective("cross_entropy")(z, torch.tensor([[c]])).item()
        assert loss == pytest.approx(-math.log(p), rel=0.25 if p < 0.01 else 0.01)
        assert math.exp(-loss) == pytest.approx(p, abs=5e-4)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_softmax_over_two_classes_is_logistic_regression(smoothing: float) -> None:
    z, y = make_logits(1), make_codes(2)
    two = torch.cat([torch.zeros_like(z), z], dim=2)
    softmax = Objective("cross_entropy", smoothing)(two, y)
    logistic = Objective("binary_cross_entropy", smoothing)(z, y.unsqueeze(2).double())
    torch.testing.assert_close(softmax, logistic)


def test_missing_labels_count_for_nothing_and_the_mean_is_over_those_present() -> None:
    z, y = make_logits(3), (make_logits(3) > 0).double()
    y[0, :4, 1] = torch.nan
    y[1, :, :] = torch.nan
    y[1, 2, 0] = 1.0
    losses = Objective("binary_cross_entropy", has_missing=True)(z, y)
    present = ~torch.isnan(y[0])
    theirs = functional.binary_cross_entropy_with_logits(z[0][present], y[0][present])
    torch.testing.assert_close(losses, torch.stack([theirs, functional.softplus(-z[1, 2, 0])]))


def test_a_batch_without_any_label_has_no_loss_and_no_gradient() -> None:
    z = make_logits(2).requires_grad_()
    loss = Objective("binary_cross_entropy", has_missing=True)(z, torch.full((M, B, 2), torch.nan))
    (gradient,) = torch.autograd.grad(loss.sum(), z)
    assert loss.tolist() == [0.0, 0.0]
    assert not gradient.any()


def test_distances_are_torchs() -> None:
    values, y = make_logits(1), 3 * make_logits(1).flip(1)
    theirs: dict[Loss, Any] = {"mse": functional.mse_loss, "mae": functional.l1_loss, "huber": functional.huber_loss}
    for loss, function in theirs.items():
        expected = torch.stack([function(v, t) for v, t in zip(values, y, strict=True)])
        torch.testing.assert_close(Objective(loss)(values, y), expected)


def test_a_weight_of_two_is_an_example_that_occurs_twice() -> None:
    z, y = make_logits(), make_codes()
    weight = torch.ones(M, B, dtype=torch.float64)
    weight[:, 0] = 2.0
    twice = Objective("cross_entropy")(torch.cat([z, z[:, :1]], 1), torch.cat([y, y[:, :1]], 1))
    torch.testing.assert_close(Objective("cross_entropy")(z, y, weight / weight.mean()), twice)


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "mse", "mae", "huber"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_gradients_are_finite_differences(loss: Loss, batch_norm: bool) -> None:
    spec = MLP(hidden=(5,), activation="tanh", batch_norm=batch_norm)
    model = build(spec, n_features=3, n_outputs=K, seeds=[0, 1]).double()
    weights = flatten(model)
    x = torch.randn(M, B, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    y = make_codes() if loss == "cross_entropy" else (make_logits() > 0).double()
    objective = Objective(loss, label_smoothing=0.1)
    gradient = weights.gradient(objective(model(x), y).sum())
    numeric = torch.zeros_like(gradient)
    with torch.no_grad():
        for i in range(gradient.shape[1]):
            sides = []
            for shift in (1e-5, -1e-5):
                weights.theta[:, i] += shift
                sides.append(objective(model(x), y))
                weights.theta[:, i] -= shift
            numeric[:, i] = (sides[0] - sides[1]) / 2e-5
    ratio = (numeric - gradient).norm() / (numeric.norm() + gradient.norm())
    assert ratio.item() < 1e-7
