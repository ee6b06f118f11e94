"""Perceptrons of different widths in one stack: the padding is inert, and each equals the one built alone."""

from typing import Any

import pytest
import torch

from mlproj.spec.model import MLP
from mlproj.spec.training import Training
from mlproj.training.batches import Examples
from mlproj.training.objective import Objective
from mlproj.training.step import Learner, keep_members, make_learner, step
from mlproj.zoo import StackedModel, build, build_padded, cut_out

X = torch.randn(96, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = torch.randint(0, 3, (96,), generator=torch.Generator().manual_seed(1))
SHAPE = {"n_features": 5, "n_outputs": 3}


def specs_of(activation: Any, *, batch_norm: bool) -> list[MLP]:
    made = [((7, 4), 0.2, "he"), ((16, 9), 0.0, "glorot"), ((3, 12), 0.5, "xavier")]
    return [
        MLP(hidden=sizes, dropout=rate, init=init, activation=activation, batch_norm=batch_norm)  # type: ignore[arg-type]
        for sizes, rate, init in made
    ]


def train(learner: Learner, start: int, stop: int) -> list[torch.Tensor]:
    losses = []
    n = learner.model.n_models
    for at in range(start, stop):
        learner.model.train()
        x, y = X[at % 3 :: 3], Y[at % 3 :: 3]
        batch = Examples(x.expand(n, *x.shape), y.expand(n, *y.shape))
        losses.append(step(learner, batch, torch.full((n,), 0.02, dtype=torch.float64)))
    return losses


def learn(model: StackedModel, optimizer: Any, clips: list[float | None]) -> Learner:
    trainings = [Training(optimizer=optimizer, l2=0.01, l1=0.001, clip_norm=clip) for clip in clips]
    return make_learner(model.double(), Objective("cross_entropy"), trainings)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam", "adamw"])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_padded_member_equals_the_model_alone(activation: Any, optimizer: Any, *, batch_norm: bool) -> None:
    specs, clips = specs_of(activation, batch_norm=batch_norm), [0.5, None, 1.0]
    stack = learn(build_padded(specs, **SHAPE, seeds=[0, 1, 2]), optimizer, clips)
    losses = torch.stack(train(stack, 0, 50))
    states = stack.model.state_dict()
    for m, spec in enumerate(specs):
        alone = learn(build(spec, **SHAPE, seeds=[m]), optimizer, [clips[m]])
        own = torch.cat(train(alone, 0, 50))
        # batch norm sums in another order beside others, and RMSprop amplifies the rounding
        torch.testing.assert_close(losses[:, m], own, rtol=1e-8 if batch_norm else 1e-9, atol=0)
        found = cut_out({name: value[m].numpy() for name, value in states.items()}, alone.model)
        for name, value in alone.model.state_dict().items():
            torch.testing.assert_close(torch.from_numpy(found[name]), value[0], rtol=1e-6, atol=1e-6)


def test_padded_units_stay_zero_and_leave_with_their_member() -> None:
    specs = specs_of("sigmoid", batch_norm=False)
    stack = learn(build_padded(specs, **SHAPE, seeds=[0, 1, 2]), "adam", [None] * 3)
    train(stack, 0, 20)
    weights = stack.model.state_dict()
    assert weights["dense_1.weight"][0, :, 7:].abs().max() == 0
    assert weights["dense_2.weight"][0, 7:].abs().max() == 0
    assert weights["dense_2.bias"][0, 4:].abs().max() == 0
    assert weights["output.weight"][2, 12:].abs().sum() == 0
    rest = keep_members(stack, [0, 2])
    losses = torch.stack(train(rest, 20, 40))
    alone = learn(build(specs[2], **SHAPE, seeds=[2]), "adam", [None])
    own = torch.cat(train(alone, 0, 40))[20:]
    torch.testing.assert_close(losses[:, 1], own, rtol=1e-9, atol=0)


def test_depths_do_not_mix() -> None:
    with pytest.raises(ValueError, match="one depth"):
        build_padded([MLP(layers=1), MLP(layers=2)], **SHAPE, seeds=[0, 1])
