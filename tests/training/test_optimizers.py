"""Every optimiser against its namesake in torch.optim, member by member, in float64."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_oracle import OPTIMIZERS as TORCH

from mlproj.spec.model import MLP
from mlproj.spec.training import Training
from mlproj.training.batches import Examples
from mlproj.training.flat import flatten
from mlproj.training.objective import Objective
from mlproj.training.optimizers import clip_factor, make_optimizer, settings_of
from mlproj.training.step import make_learner, step
from mlproj.zoo import build

SPEC = MLP(hidden=(6, 5), activation="tanh", batch_norm=True)
N_STEPS, N_ROWS = 50, 24


def make_data() -> tuple[Tensor, Tensor]:
    numbers = torch.Generator().manual_seed(0)
    x = torch.randn(N_ROWS, 4, generator=numbers, dtype=torch.float64)
    return x, torch.randint(0, 3, (N_ROWS,), generator=numbers)


def train_ours(trainings: list[Training]) -> dict[str, Tensor]:
    model = build(SPEC, n_features=4, n_outputs=3, seeds=list(range(len(trainings)))).double()
    learner = make_learner(model, Objective("cross_entropy"), trainings)
    rates = torch.tensor([t.learning_rate for t in trainings], dtype=torch.float64)
    batch = Examples(*make_data()).take(torch.arange(N_ROWS).expand(len(trainings), -1))
    for _ in range(N_STEPS):
        step(learner, batch, rates)
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def train_with_torch(training: Training, seed: int) -> dict[str, Tensor]:
    """The loop a torch user would write, with weight decay and the l1 term on the weight matrices."""
    model = build(SPEC, n_features=4, n_outputs=3, seeds=[seed]).double()
    matrices = [p for p in model.parameters() if p.ndim == 3]
    others = [p for p in model.parameters() if p.ndim < 3]
    groups = [{"params": matrices, "weight_decay": training.l2}, {"params": others, "weight_decay": 0.0}]
    optimizer = TORCH[training.optimizer](groups, training)
    x, y = make_data()
    for _ in range(N_STEPS):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x)[0], y) + training.l1 * sum(p.abs().sum() for p in matrices)
        torch.autograd.backward(loss)
        if training.clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), training.clip_norm)
        optimizer.step()
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("optimizer", list(TORCH))
def test_each_member_takes_the_steps_of_torchs_optimiser(optimizer: str) -> None:
    base = Training.model_validate({"optimizer": optimizer, "learning_rate": 0.01, "beta2": 0.97})
    trainings = [
        base,
        base.model_copy(update={"learning_rate": 0.003, "l2": 0.02, "momentum": 0.5, "beta1": 0.8, "beta2": 0.95}),
        base.model_copy(update={"l1": 0.003, "l2": 0.01, "clip_norm": 0.3, "eps": 1e-4}),
    ]
    ours = train_ours(trainings)
    for member, training in enumerate(trainings):
        for name, theirs in train_with_torch(training, member).items():
            torch.testing.assert_close(ours[name][member], theirs[0], rtol=1e-9, atol=1e-12, msg=f"{member} {name}")


def test_the_first_step_of_adam_is_the_learning_rate_because_the_bias_is_corrected() -> None:
    weights = flatten(build(MLP(hidden=(2,)), n_features=2, n_outputs=1, seeds=[0]).double())
    optimizer = make_optimizer(weights, [Training()])
    gradient = torch.linspace(-3, 4, weights.theta.shape[1], dtype=torch.float64).unsqueeze(0)
    for _ in range(5):  # v/(1 − βᵗ) of a constant is the constant, from the first step on
        before, sign = weights.theta.clone(), gradient.sign()
    optimizer.update(gradient, torch.ones(1, dtype=torch.float64))
    torch.testing.assert_close(before - weights.theta, sign, rtol=1e-6, atol=1e-6)


def test_penalties_are_the_gradients_of_half_the_squares_and_of_the_absolute_values_of_weight_matrices() -> None:
    model = build(SPEC, n_features=4, n_outputs=3, seeds=[0, 1]).double()
    weights = flatten(model)
    trainings = [Training(optimizer="sgd", l2=0.3), Training(optimizer="sgd", l1=0.2)]
    penalties = torch.stack(
        [
            sum((p[0].square().sum() * 0.15 for p in weights.parameters if p.ndim == 3), torch.tensor(0.0)),
            sum((p[1].abs().sum() * 0.2 for p in weights.parameters if p.ndim == 3), torch.tensor(0.0)),
        ]
    )
    gradient, before = weights.gradient(penalties.sum()), weights.theta.clone()
    make_optimizer(weights, trainings).update(torch.zeros_like(gradient), torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(before - weights.theta, gradient)


def test_clipping_one_member_leaves_the_others_alone() -> None:
    clipped, free = train_ours([Training(clip_norm=1e-3), Training()]), train_ours([Training(), Training()])
    torch.testing.assert_close(clipped["output.weight"][1], free["output.weight"][1])
    assert not torch.allclose(clipped["output.weight"][0], free["output.weight"][0])


def test_a_member_that_is_not_clipped_stays_as_it_is_however_long_its_gradient() -> None:
    gradients, norms = (
        torch.tensor([[1e25, 0.0], [3.0, 4.0], [3e4, 4e4]]),
        torch.tensor([[torch.inf], [1.0], [torch.inf]]),
    )
    torch.testing.assert_close(clip_factor(gradients, norms), torch.tensor([[1.0], [0.2], [1.0]]), rtol=1e-5, atol=0)


def test_a_stack_has_one_kind_of_optimiser() -> None:
    weights = flatten(build(SPEC, n_features=4, n_outputs=3, seeds=[0, 1]))
    with pytest.raises(ValueError, match="one stack has one optimiser, not adam, sgd"):
        make_optimizer(weights, [Training(optimizer="sgd"), Training()])


def test_the_model_computes_with_the_flat_weights() -> None:
    model = build(SPEC, n_features=4, n_outputs=3, seeds=[0, 1])
    x, before = torch.ones(2, 4), model.eval()(torch.ones(2, 4)).detach()
    weights = flatten(model)
    assert torch.equal(model(x), before)
    weights.theta.zero_()
    assert not any(parameter.any() for parameter in model.parameters())
    assert weights.n_matrix == 4 * 6 + 6 * 5 + 5 * 3


def test_beside_members_that_clip_one_that_does_not_has_no_bound() -> None:
    settings = settings_of([Training(clip_norm=2.0), Training()], torch.zeros(1))
    assert settings.clip_norm is not None
    assert settings.clip_norm.tolist() == [[2.0], [float("inf")]]
    assert settings_of([Training(), Training()], torch.zeros(1)).clip_norm is None
