"""Learning-rate schedules: the course notes' numbers, and torch's schedulers as witnesses."""

from typing import Any

import pytest
import torch
from pydantic import TypeAdapter

from mlproj.spec.training import Schedule
from mlproj.training.schedules import factors

N_EPOCHS, STEPS = 5, 4
KINDS = ["constant", "inverse_time", "exponential", "inverse_sqrt", "staircase", "cosine", "one_cycle"]


def make(**settings: Any) -> Any:
    return TypeAdapter(Schedule).validate_python(settings)


def course(n_epochs: int = N_EPOCHS, steps_per_epoch: int = STEPS, **settings: Any) -> list[float]:
    return factors(make(**settings), n_epochs=n_epochs, steps_per_epoch=steps_per_epoch).tolist()


def test_inverse_time_gives_the_numbers_of_the_course_notes() -> None:
    rates = [0.2 * factor for factor in course(5, 1, kind="inverse_time", decay=1.0)]
    assert [round(rate, 3) for rate in rates] == [0.2, 0.1, 0.067, 0.05, 0.04]


def test_the_learning_rate_stays_within_an_epoch_when_epochs_are_counted() -> None:
    rates = course(kind="exponential", rate=0.95)
    assert rates == [pytest.approx(0.95 ** (step // STEPS)) for step in range(N_EPOCHS * STEPS)]


def test_constant_is_one() -> None:
    assert course(kind="constant") == [1.0] * 20


def test_inverse_sqrt_counts_epochs_or_updates_from_one() -> None:
    assert course(kind="inverse_sqrt", k=2.0)[STEPS] == pytest.approx(2 / 2**0.5)
    assert course(kind="inverse_sqrt", per="step")[8] == pytest.approx(1 / 3)


def test_staircase_drops_every_so_many_epochs() -> None:
    assert course(6, 1, kind="staircase", every=2, factor=0.1) == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def scheduled(scheduler: type, n: int, **settings: Any) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    their = scheduler(optimizer, **settings)
    rates = []
    for _ in range(n):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        their.step()
    return rates


def test_cosine_is_torchs() -> None:
    theirs = scheduled(torch.optim.lr_scheduler.CosineAnnealingLR, 20, T_max=20, eta_min=0.1)
    assert course(kind="cosine", final=0.1) == pytest.approx(theirs)


def test_cosine_climbs_linearly_first() -> None:
    rates = course(10, 1, kind="cosine", warmup=0.4)
    assert rates[:5] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    assert rates[5:] == sorted(rates[5:], reverse=True)


@pytest.mark.parametrize("warmup", [0.3, 0.1, 0.85])
def test_one_cycle_is_torchs(warmup: float) -> None:
    theirs = scheduled(
        torch.optim.lr_scheduler.OneCycleLR, 19, max_lr=1.0, total_steps=20, pct_start=warmup, cycle_momentum=False
    )
    assert course(kind="one_cycle", warmup=warmup)[:19] == pytest.approx(theirs)


@pytest.mark.parametrize(
    "kind", ["constant", "inverse_time", "exponential", "inverse_sqrt", "staircase", "cosine", "one_cycle"]
)
@pytest.mark.parametrize("n_epochs", [1, 2, 7])
def test_every_schedule_gives_positive_finite_factors_for_any_length(kind: str, n_epochs: int) -> None:
    rates = torch.tensor(course(n_epochs, 1, kind=kind))
    assert torch.isfinite(rates).all()
    assert (rates > 0).all()
    assert (rates <= 1).all()


def test_an_unknown_schedule_is_refused() -> None:
    from mlproj.spec.training import EarlyStopping

    with pytest.raises(TypeError, match="no schedule EarlyStopping"):
        factors(EarlyStopping(), n_epochs=1, steps_per_epoch=1)
