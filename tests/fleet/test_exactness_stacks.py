"""What happens to a stack does not happen to its members: padding, members that leave, whole trainings by the loop."""

from typing import Any

import pytest
import torch
from exactness import N_EPOCHS, Problem, Twin, difference, differences, train_alone, train_stack
from torch import Tensor

from mlproj.spec.model import MLP
from mlproj.spec.training import Training
from mlproj.training.optimizers import OPTIMIZERS
from mlproj.zoo import build
from mlproj.zoo.layers import ACTIVATIONS

SIZES = ((7, 4), (3, 9), (12, 5))


def padded(optimizer: Any, activation: Any, *, batch_norm: bool, dropout: float) -> list[Twin]:
    """Members of which each is the widest in some layer or the narrowest."""
    settings = {"optimizer": optimizer, "learning_rate": 0.01, "l2": 0.02, "l1": 0.001, "clip_norm": 1.0}
    return [
        Twin(MLP(hidden=sizes, activation=activation, batch_norm=batch_norm, dropout=dropout), Training(**settings), m)
        for m, sizes in enumerate(SIZES)
    ]


def beyond(state: dict[str, Tensor], twin: Twin) -> dict[str, Tensor]:
    """What a member has beyond its own size: its weights with all that it would have alone set to 0."""
    alone = build(twin.spec, n_features=5, n_outputs=4, seeds=[0])
    rest = {name: value.clone() for name, value in state.items()}
    for name, value in alone.state_dict().items():
        rest[name][tuple(slice(0, size) for size in value.shape[1:])] = 0
    return rest


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_padded_units_are_the_same_zeros_after_fifty_updates(
    optimizer: str, activation: str, *, batch_norm: bool, dropout: float
) -> None:
    twins = padded(optimizer, activation, batch_norm=batch_norm, dropout=dropout)
    run = train_stack(twins, Problem())
    for m, twin in enumerate(twins):
        first, last = run.path(m)[0], run.path(m)[-1]
        before, after = beyond(first, twin), beyond(last, twin)
        assert sum(value.numel() for value in before.values()) > 0
        for name, value in after.items():
            if name.endswith((".weight", ".bias")):
                assert not value.any(), name
            elif not name.endswith(".variance"):
                assert torch.equal(value, before[name]), name
        assert not torch.equal(first["output.weight"], last["output.weight"])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_padded_stack_is_as_many_stacks_of_one(optimizer: str, activation: str) -> None:
    twins = padded(optimizer, activation, batch_norm=False, dropout=0.2)
    together = train_stack(twins, Problem()).losses
    for m, twin in enumerate(twins):
        assert difference(together[:, m], train_stack([twin], Problem()).losses[:, 0]) < 1e-9


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_those_who_stay_go_on_as_torch_does_when_others_leave(optimizer: str, *, batch_norm: bool) -> None:
    made = [((7, 4), 0.0, 0.0), ((3, 9), 0.3, 0.1), ((12, 5), 0.5, 0.0), ((6, 6), 0.0, 0.2)]
    twins = [
        Twin(
            MLP(hidden=sizes, dropout=rate, batch_norm=batch_norm),
            Training(optimizer=optimizer, learning_rate=0.01, label_smoothing=share, l2=0.01 * m, clip_norm=0.5 + m),  # type: ignore[arg-type]
            m,
        )
        for m, (sizes, rate, share) in enumerate(made)
    ]
    problem = Problem()
    run = train_stack(twins, problem, drops={2: [0], 5: [2], 7: [1]})
    ends = {0: 2, 2: 5, 1: 7, 3: N_EPOCHS}
    for m, twin in enumerate(twins):
        stop = ends[m] * 5
        alone, _ = train_alone(twin, problem, run.path(m)[0])
        assert difference(run.losses[:stop, m], alone[:stop]) < 1e-9, m
        assert run.losses[stop:, m].isnan().all()


def test_members_of_one_seed_with_other_rates_of_dropout_are_each_torchs() -> None:
    twins = [
        Twin(MLP(hidden=(8, 8), dropout=rate), Training(learning_rate=0.01), seed)
        for seed, rate in [(0, 0.2), (0, 0.5), (1, 0.2), (0, 0.0)]
    ]
    assert max(differences(twins, Problem())) < 1e-9
