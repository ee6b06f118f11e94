"""How many examples it takes, checked at that number; and what looking often costs, by simulation."""

from math import ceil, inf

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mlproj.metrics.intervals import Estimate, wilson
from mlproj.metrics.paired import Paired, paired_difference
from mlproj.metrics.planning import MANY_LOOKS, POWER, examples_to_prove, examples_to_tell, optimism
from mlproj.records import Answers, Promise

NAMES = ("no", "yes")


def promise(metric: str, limit: str, value: float, n: int, low: float = 0.0, high: float = 1.0) -> Promise:
    return Promise(metric, limit, value, low, high, n, "unknown")


@given(bound=st.floats(0.02, 0.98), value=st.floats(0, 1), n=st.integers(1, 300))
def test_so_many_examples_prove_a_share_and_one_less_does_not(bound: float, value: float, n: int) -> None:
    assume(value - bound > 1e-3)
    needed = examples_to_prove("recall", f">= {bound}", promise("recall", f">= {bound}", value, n))
    assert needed is not None
    assert wilson(value, needed)[0] >= bound - 1e-9
    assert needed == 1 or wilson(value, needed - 1)[0] < bound


def test_an_error_is_proved_from_above() -> None:
    needed = examples_to_prove("error", "<= 0.1", promise("error", "<= 0.1", 0.05, 40))
    assert needed is not None
    assert wilson(0.05, needed)[1] <= 0.1 < wilson(0.05, needed - 1)[1]


def test_weights_make_it_more() -> None:
    kept = promise("recall", ">= 0.8", 0.9, 50)
    plain, weighted = (examples_to_prove("recall", ">= 0.8", kept, n) for n in (None, 25.0))
    assert plain is not None
    assert weighted == pytest.approx(2 * plain, abs=2)


@pytest.mark.parametrize(
    ("limit", "value"), [(">= 0.95", 0.94), (">= 0.95", 0.95), (">= 0.95", float("nan")), (">= 1", 1.0)]
)
def test_a_value_that_misses_or_touches_its_limit_is_proved_by_no_number(limit: str, value: float) -> None:
    assert examples_to_prove("recall", limit, promise("recall", limit, value, 50)) is None


def test_a_resource_is_proved_by_no_example() -> None:
    assert (
        examples_to_prove("latency_ms", "<= 5", Promise("latency_ms", "<= 5", 2.0, None, None, None, "unknown")) is None
    )


def test_the_error_needs_what_the_power_promises() -> None:
    q, delta = 0.12, 0.04
    n = examples_to_tell(Paired(delta, -0.01, 0.09, 0.1, 200, ""), q)
    assert n is not None
    rng, told = np.random.default_rng(0), []
    for _ in range(600):
        only = rng.multinomial(n, [0.8, (q + delta) / 2, (q - delta) / 2, 0.2 - q])
        pair = [np.repeat(side, only) for side in ([0, 1, 0, 1], [0, 0, 1, 1])]
        truth = np.zeros(n, dtype=np.int64)
        first, second = (Answers(truth, each, NAMES) for each in pair)
        told.append(paired_difference(first, second, "error").p < 0.05)
    assert np.mean(told) == pytest.approx(POWER, abs=0.05)


def test_other_metrics_need_it_too() -> None:
    rng = np.random.default_rng(1)

    def draw(n: int) -> Paired:
        truth, noise = np.zeros(n), rng.exponential(1, (2, n))
        return paired_difference(Answers(truth, noise[0] + 0.1), Answers(truth, noise[1]), "mae")

    n = examples_to_tell(Paired(0.1, 0.1 - 1.96 * (2 / 400) ** 0.5, 0.1 + 1.96 * (2 / 400) ** 0.5, 0.3, 400, ""))
    assert n is not None
    assert np.mean([draw(n).p < 0.05 for _ in range(400)]) == pytest.approx(POWER, abs=0.06)


def test_equal_or_unbounded_models_are_told_apart_by_no_number() -> None:
    assert examples_to_tell(Paired(0.0, -0.1, 0.1, 1.0, 50, ""), 0.2) is None
    assert examples_to_tell(Paired(0.1, -inf, inf, 1.0, 1, "")) is None


@pytest.mark.parametrize("rho", [0.0, 0.6])
@pytest.mark.parametrize("looks", [2, 5, 10, 30])
def test_the_best_of_many_looks_flatters_by_no_more_than_that(looks: int, rho: float) -> None:
    p, n, repeats = 0.1, 400, 3000
    rng = np.random.default_rng(looks)
    common = rng.random((repeats, n)) < rho  # examples to which all models answer alike
    shared = np.where(common, rng.random((repeats, n)) < p, False).sum(1)
    own = rng.binomial(n - common.sum(1)[:, None], p, (repeats, looks))
    best = (shared[:, None] + own).min(1) / n
    flattery = p - best.mean()
    bound = optimism(looks, Estimate(p, *wilson(p, n), n, ""), is_share=True)
    assert flattery <= bound
    assert rho > 0 or flattery >= 0.45 * bound  # independent models come within about a half of it


def test_other_metrics_take_the_standard_error_of_their_interval() -> None:
    rng, n, looks = np.random.default_rng(3), 300, 6
    losses = rng.exponential(1, (1500, looks, n)).mean(-1)
    error = 1 / np.sqrt(n)
    bound = optimism(looks, Estimate(1.0, 1 - 1.96 * error, 1 + 1.96 * error, n, ""), is_share=False)
    assert 0.4 * bound <= 1 - losses.min(1).mean() <= bound


def test_one_look_flatters_nobody_and_seven_are_many() -> None:
    assert optimism(1, Estimate(0.1, 0.05, 0.2, 100, ""), is_share=True) == 0
    assert optimism(3, Estimate(0.0, 0.0, 0.04, 100, ""), is_share=True) > 0  # no error seen is no certainty
    assert ceil(6.8) == MANY_LOOKS == 7
