"""The gradient that is written out equals autograd's, for every loss, activation and layer that it knows."""

from typing import Any

import pytest
import torch
from torch import Tensor

from mlproj.spec.model import MLP, Linear
from mlproj.training.batches import Examples
from mlproj.training.custom import OwnObjective
from mlproj.training.derived import derive
from mlproj.training.flat import flatten
from mlproj.training.objective import Objective
from mlproj.training.slopes import SLOPES, losses_and_slopes
from mlproj.zoo import StackedModel, build, build_padded
from mlproj.zoo.layers import ACTIVATIONS, Dropout

N, F, K, SEEDS = 23, 5, 3, (0, 1, 1, 4)
M = len(SEEDS)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def labels(loss: str, *, missing: bool = False) -> Tensor:
    if loss == "cross_entropy":
        return torch.arange(M * N).view(M, N) % K
    if loss != "binary_cross_entropy":
        return numbers(M, N, K, seed=1)
    y = (numbers(M, N, K, seed=2) > 0).double()
    return torch.where(numbers(M, N, K, seed=3) > 1, torch.nan, y) if missing else y


def perceptrons(**keys: Any) -> StackedModel:
    spec = MLP.model_validate({"hidden": (7, 4), "init": "xavier", **keys})
    return build(spec, n_features=F, n_outputs=K, seeds=SEEDS).double()


def assert_same(model: StackedModel, objective: Objective, y: Tensor, weight: Tensor | None = None) -> None:
    """Losses and gradients of both ways, on the same masks."""
    weights = flatten(model)
    derivation = derive(model, weights, objective)
    assert derivation is not None
    batch = Examples(numbers(M, N, F, seed=5), y, weight)
    for _ in range(2):  # buffers are used again
        layers = [layer for layer in model if isinstance(layer, Dropout)]
        places = [layer.place for layer in layers]
        found = derivation(batch)
        for layer, place in zip(layers, places, strict=True):
            layer.place = place
        losses = objective(model(batch.x), y, weight)
        gradient = weights.gradient(losses.sum())
        torch.testing.assert_close(found, losses.detach(), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(derivation.gradient, gradient, rtol=1e-10, atol=1e-12)
        assert gradient.abs().max() > 1e-3


@pytest.mark.parametrize("loss", SLOPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_loss_and_activation(loss: Any, activation: str) -> None:
    assert_same(perceptrons(activation=activation, dropout=0.3), Objective(loss), labels(loss))


@pytest.mark.parametrize("loss", SLOPES)
def test_weighted_terms_and_a_linear_model(loss: Any) -> None:
    model = build(Linear(), n_features=F, n_outputs=K, seeds=SEEDS).double()
    flatten(model).theta.copy_(numbers(M, (F + 1) * K, seed=7))
    y = labels(loss)
    assert_same(model, Objective(loss), y, numbers(*y.shape, seed=8).abs())


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
@pytest.mark.parametrize("share", [0.2, torch.tensor([0.0, 0.1, 0.2, 0.4], dtype=torch.float64)])
def test_smoothed_labels(loss: Any, share: Any) -> None:
    assert_same(perceptrons(), Objective(loss, share), labels(loss))


def test_a_member_without_smoothing_beside_smoothed_ones_is_not_touched_by_their_share() -> None:
    z = torch.tensor([[3e38, -3e38, -3e38], [1.0, 0.0, 0.0]]).view(2, 3, 1)
    y, share = torch.zeros(2, 1, dtype=torch.int64), torch.tensor([0.0, 0.1])
    losses, slopes = losses_and_slopes(Objective("cross_entropy", share), z.clone(), y)
    alone, own = losses_and_slopes(Objective("cross_entropy"), z[:1].clone(), y[:1])
    assert losses[0] == alone[0] == Objective("cross_entropy", share)(z.mT, y)[0]
    assert torch.equal(slopes[0], own[0])


def test_a_batch_without_any_label_has_no_loss_and_no_slope() -> None:
    y = torch.full((M, N, K), torch.nan)
    losses, slopes = losses_and_slopes(Objective("binary_cross_entropy", has_missing=True), torch.ones(M, K, N), y)
    assert not losses.any()
    assert not slopes.any()


def test_buffers_of_thinned_and_whole_batches_of_one_size_are_not_the_same() -> None:
    model = perceptrons(dropout=0.5)
    derivation = derive(model, flatten(model), Objective("cross_entropy"))
    assert derivation is not None
    batch = Examples(numbers(M, N, F, seed=5), labels("cross_entropy"))
    derivation(batch)
    for layer in model:
        if isinstance(layer, Dropout):
            layer.rates = (0.0,) * M
    whole = perceptrons()
    expected = derive(whole, flatten(whole), Objective("cross_entropy"))
    assert expected is not None
    torch.testing.assert_close(derivation(batch), expected(batch))
    torch.testing.assert_close(derivation.gradient, expected.gradient)


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_labels_that_are_missing_in_part(share: float) -> None:
    y = labels("binary_cross_entropy", missing=True)
    assert torch.isnan(y).any()
    assert_same(perceptrons(), Objective("binary_cross_entropy", share, has_missing=True), y)
    assert_same(perceptrons(), Objective("binary_cross_entropy", share, has_missing=True), y, numbers(M, N, K).abs())


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_padded_stacks(activation: Any) -> None:
    specs = [MLP(hidden=hidden, activation=activation, dropout=0.2) for hidden in ((3, 6), (7, 2), (5, 5), (7, 6))]
    model = build_padded(specs, n_features=F, n_outputs=K, seeds=SEEDS).double()
    assert_same(model, Objective("cross_entropy"), labels("cross_entropy"))


def test_what_is_left_to_autograd() -> None:
    usual = Objective("cross_entropy")
    for model, objective in (
        (perceptrons(batch_norm=True), usual),
        (perceptrons(), OwnObjective("own", 0.0, False, torch.nn.functional.cross_entropy)),
    ):
        assert derive(model, flatten(model), objective) is None
    model = perceptrons()
    next(model.parameters()).requires_grad_(False)
    assert derive(model, flatten(model), usual) is None
