"""Each member of a stack is the model that plain torch trains alone: every loss, depth and kind of label."""

from typing import Any

import pytest
import torch
from exactness import LOSSES, N_ROWS, Problem, Twin, difference, differences, follow, train_alone, train_stack
from torch import nn

from mlproj.spec.model import MLP, Linear
from mlproj.spec.training import Training
from mlproj.training.step import make_learner
from mlproj.zoo.layers import ACTIVATIONS

MODELS = (
    Linear(),
    MLP(hidden=()),
    MLP(hidden=(6,)),
    MLP(hidden=(7, 4)),
    MLP(hidden=(6, 5, 4), activation="leaky_relu"),
)
SMOOTHED = ("cross_entropy", "binary_cross_entropy")


def members(spec: Any, loss: str, **settings: Any) -> list[Twin]:
    """Three members that differ in rate, seed, examples and, where labels are classes, smoothing."""
    shares = (0.0, 0.1, 0.3) if loss in SMOOTHED else (0.0, 0.0, 0.0)
    return [
        Twin(spec, Training(optimizer="adam", learning_rate=rate, label_smoothing=share, **settings), seed)
        for seed, (rate, share) in enumerate(zip((0.001, 0.01, 0.03), shares, strict=True))
    ]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("spec", MODELS, ids=str)
@pytest.mark.parametrize("is_weighted", [False, True])
def test_every_loss_is_torchs_for_every_depth(loss: str, spec: Any, *, is_weighted: bool) -> None:
    problem = Problem(loss, is_weighted)
    assert max(differences(members(spec, loss), problem)) < 1e-9


@pytest.mark.parametrize("spec", [Linear(), MLP(hidden=(7, 4)), MLP(hidden=(6,), batch_norm=True)], ids=str)
@pytest.mark.parametrize("is_weighted", [False, True])
def test_labels_that_are_missing_count_for_nothing(spec: Any, *, is_weighted: bool) -> None:
    problem = Problem("binary_cross_entropy", is_weighted, has_missing=True)
    assert problem.examples.y.isnan().any()
    assert max(differences(members(spec, problem.loss), problem)) < 1e-9


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("loss", SMOOTHED)
def test_members_that_share_a_smoothing_are_smoothed_alike(loss: str, smoothing: float) -> None:
    twins = [Twin(MLP(hidden=(6,)), Training(learning_rate=0.01, label_smoothing=smoothing), seed) for seed in (0, 1)]
    assert max(differences(twins, Problem(loss))) < 1e-9


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_one_step_of_gradient_descent_at_rate_one_is_the_gradient_of_autograd(
    loss: str, activation: Any, *, batch_norm: bool
) -> None:
    kinds = {"activation": activation, "batch_norm": batch_norm}
    specs = [MLP(hidden=(7, 4), dropout=0.3, **kinds), MLP(hidden=(5, 6), **kinds)]
    twins = [Twin(spec, Training(optimizer="sgd", learning_rate=1.0), seed) for seed, spec in enumerate(specs)]
    problem = Problem(loss, is_weighted=True, has_missing=loss == "binary_cross_entropy")
    run = train_stack(twins, problem, n_updates=1)
    for m, twin in enumerate(twins):
        losses, farthest = follow(twin, problem, run.path(m))
        assert difference(run.losses[:1, m], losses) < 1e-12
        assert farthest < 1e-12
        moved = [run.path(m)[1][name] - run.path(m)[0][name] for name in ("dense_1.weight", "output.bias")]
        assert all(each.abs().max() > 1e-4 for each in moved)


def test_running_statistics_are_those_of_batch_norm_in_torch() -> None:
    """The newest batch weighs 0.1, and its variance is divided by n − 1."""
    spec = MLP(hidden=(6, 5), batch_norm=True)
    twins = [Twin(spec, Training(optimizer="adam", learning_rate=0.003), seed) for seed in (0, 1)]
    problem = Problem()
    run = train_stack(twins, problem)
    for m, twin in enumerate(twins):
        path = run.path(m)
        _, network = train_alone(twin, problem, path[0])
        for at, norm in enumerate(network.norms, start=1):
            assert isinstance(norm, nn.BatchNorm1d)
            torch.testing.assert_close(path[-1][f"norm_{at}.mean"], norm.running_mean, rtol=1e-9, atol=1e-12)
            torch.testing.assert_close(path[-1][f"norm_{at}.variance"], norm.running_var, rtol=1e-9, atol=1e-12)
        x = problem.examples.x[:N_ROWS]
        theirs = network.eval()(x)
        torch.testing.assert_close(run.learner.model.eval()(x)[m], theirs, rtol=1e-8, atol=1e-10)


def test_what_has_no_written_gradient_goes_to_autograd() -> None:
    """Otherwise the comparisons above would compare autograd with itself, or leave it out."""
    problem = Problem()
    ways = {}
    for batch_norm in (False, True):
        twins = [Twin(MLP(hidden=(6,), batch_norm=batch_norm), Training())]
        model = train_stack(twins, problem, n_updates=0).learner.model
        ways[batch_norm] = make_learner(model, problem.objective(twins), [Training()]).derivation is not None
    assert ways == {False: True, True: False}
