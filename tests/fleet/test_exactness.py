"""Each member of a stack is the model that plain torch trains alone: every optimiser, activation and schedule.

Losses of 50 updates are compared. Where a rate is so high that torch parts from itself when the examples of a batch
stand in another order, a free run proves nothing: there the witness is put back onto the member's path before every
update, so that each update is judged by itself, with all that the optimiser remembers.
"""

from typing import Any, get_args

import pytest
import torch
import torch_oracle
from exactness import LOSSES, Problem, Twin, difference, differences, follow, train_alone, train_stack

from mlproj.fleet.groups import _PER_MEMBER
from mlproj.spec.model import MLP, Linear, Model, Python
from mlproj.spec.training import Schedule, Training
from mlproj.training.objective import Loss
from mlproj.training.optimizers import OPTIMIZERS
from mlproj.zoo.layers import ACTIVATIONS

RATES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
OWN = {
    "l2": 0.02, "l1": 0.003, "clip_norm": 0.5, "label_smoothing": 0.1,
    "momentum": 0.7, "beta1": 0.8, "beta2": 0.95, "eps": 1e-6,
}  # fmt: skip
SCHEDULES: tuple[dict[str, Any], ...] = (
    {"kind": "constant"},
    {"kind": "inverse_time", "decay": 0.7},
    {"kind": "exponential", "rate": 0.8},
    {"kind": "inverse_sqrt", "k": 0.9},
    {"kind": "inverse_sqrt", "per": "step"},
    {"kind": "staircase", "every": 3, "factor": 0.4},
    {"kind": "cosine", "final": 0.1},
    {"kind": "cosine", "warmup": 0.2},
    {"kind": "one_cycle"},
    {"kind": "one_cycle", "warmup": 0.1},
)


def training(**settings: Any) -> Training:
    return Training.model_validate(settings)


def twins_of(optimizer: str, activation: Any, rates: tuple[float, ...] = RATES, *, batch_norm: bool) -> list[Twin]:
    """Two members for each rate: one with the defaults, and one with everything of its own, width included."""
    plain = MLP(hidden=(7, 4), activation=activation, batch_norm=batch_norm)
    rich = MLP(hidden=(6, 5), activation=activation, batch_norm=batch_norm, dropout=0.3, init="glorot")
    found = []
    for at, rate in enumerate(rates):
        found.append(Twin(plain, training(optimizer=optimizer, learning_rate=rate), at))
        found.append(Twin(rich, training(optimizer=optimizer, learning_rate=rate, **OWN), 10 + at))
    return found


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_each_member_is_the_model_that_torch_trains_alone(optimizer: str, activation: str, *, batch_norm: bool) -> None:
    problem, twins = Problem(), twins_of(optimizer, activation, batch_norm=batch_norm)
    run = train_stack(twins, problem)
    for m, twin in enumerate(twins):
        path, ours = run.path(m), run.losses[:, m]
        alone, _ = train_alone(twin, problem, path[0])
        found, allowed = difference(ours, alone), 1e-9
        if twin.training.learning_rate > 0.01:
            losses, farthest = follow(twin, problem, path)
            assert difference(ours, losses) < 1e-9, m
            assert farthest < 1e-9, m
            if found >= allowed:  # rounding is amplified: torch is as far from itself
                turned = [train_alone(twin, problem, path[0], turn=turn)[0] for turn in (1, 2, 3)]
                allowed = 100 * max(difference(each, alone) for each in turned)
        assert found < allowed, m


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("activation", "batch_norm"), [("relu", False), ("tanh", True)])
def test_in_single_precision_rounding_is_all_that_differs(optimizer: str, activation: str, *, batch_norm: bool) -> None:
    twins = twins_of(optimizer, activation, RATES[:3], batch_norm=batch_norm)
    assert max(differences(twins, Problem(dtype=torch.float32))) < 1e-5


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_each_member_follows_a_schedule_of_its_own(optimizer: str) -> None:
    spec = MLP(hidden=(6,), activation="tanh")
    twins = [
        Twin(spec, training(optimizer=optimizer, learning_rate=0.01, schedule=each), seed)
        for seed, each in enumerate(SCHEDULES)
    ]
    assert max(differences(twins, Problem())) < 1e-9


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_linear_models_agree_even_at_a_rate_of_one(optimizer: str) -> None:
    base = {
        "optimizer": optimizer,
        "beta2": 0.9,
    }  # RMSprop starts with steps of 1/√(1−β₂): 32 at 0.999 amplify rounding
    twins = [Twin(Linear(), training(**base, learning_rate=rate), at) for at, rate in enumerate(RATES)]
    twins += [Twin(Linear(), training(**OWN | base, learning_rate=rate), 5) for rate in RATES]
    assert max(differences(twins, Problem())) < 1e-9


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("penalty", [{"l2": 0.1}, {"l1": 0.02}, {"clip_norm": 0.2}, {"l1": 0.02, "clip_norm": 0.2}])
def test_each_penalty_is_torchs_and_only_that_of_the_member_that_has_it(
    optimizer: str, penalty: dict[str, float]
) -> None:
    spec = MLP(hidden=(6,), activation="tanh")
    base = {"optimizer": optimizer, "learning_rate": 0.01}
    twins = [Twin(spec, training(**base)), Twin(spec, training(**base, **penalty)), Twin(spec, training(**base), 1)]
    problem = Problem()
    assert max(differences(twins, problem)) < 1e-9
    losses = train_stack(twins, problem).losses
    assert difference(losses[:, 0], losses[:, 1]) > 1e-4  # the penalty is not forgotten in both


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov"])
def test_one_that_explodes_does_so_in_torch_too_and_harms_nobody(optimizer: str) -> None:
    spec = MLP(hidden=(6, 5), activation="relu")
    rates = (0.01, 1e8, 1e160, 0.01)
    twins = [Twin(spec, training(optimizer=optimizer, learning_rate=rate), at) for at, rate in enumerate(rates)]
    problem = Problem("mse")
    run = train_stack(twins, problem)
    for m, twin in enumerate(twins):
        alone, _ = train_alone(twin, problem, run.path(m)[0])
        assert bool(torch.isfinite(run.losses[:, m]).all()) == bool(torch.isfinite(alone).all()) == (m in (0, 3))
        if m in (0, 3):
            assert difference(run.losses[:, m], alone) < 1e-9


def kinds_of(union: Any) -> set[str]:
    return {get_args(each.model_fields["kind"].annotation)[0] for each in get_args(get_args(union)[0])}


def test_whatever_can_be_chosen_has_a_witness_in_torch() -> None:
    assert (
        set(OPTIMIZERS) == set(get_args(Training.model_fields["optimizer"].annotation)) == set(torch_oracle.OPTIMIZERS)
    )
    assert set(ACTIVATIONS) == set(torch_oracle.ACTIVATIONS)
    assert kinds_of(Schedule) == {each["kind"] for each in SCHEDULES} == set(torch_oracle.SCHEDULES)
    assert set(get_args(Loss)) - {"own"} == set(LOSSES)
    assert set(get_args(get_args(Model)[0])) == {MLP, Linear, Python}


def test_whatever_a_member_may_have_of_its_own_is_compared() -> None:
    assert set(_PER_MEMBER) - set(OWN) == {"learning_rate", "schedule", "early_stopping"}
    defaults = Training()
    assert all(getattr(defaults, name) != value for name, value in OWN.items())
