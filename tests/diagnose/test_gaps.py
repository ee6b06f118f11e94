"""The naming rule under simulation: stated probabilities are reliable, and near ties are not named."""

from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from mlproj.diagnose import draws
from mlproj.diagnose.gaps import SURE, audit_largest, find_steps, judge, share_largest, smallest_worth_closing
from mlproj.diagnose.rungs import GivenRung
from mlproj.diagnose.samples import Sample, take
from mlproj.metrics.intervals import mover, wilson

NAMES = ("human", "train", "train_dev", "dev", "test")


def observe(rng: np.random.Generator, errors: NDArray[np.float64], n: int) -> dict[str, Sample]:
    """A ladder drawn from true errors, n examples per rung and a constant human level of 0."""
    rungs = {"human": take(GivenRung("human", 0.0), "error")}
    for name, error in zip(NAMES[1:], errors, strict=True):
        rungs[name] = take(GivenRung(name, rng.binomial(n, error) / n, n), "error")
    return rungs


def judge_ladder(samples: dict[str, Sample]) -> int | None:
    """Position of the gap that is named, or None."""
    steps = find_steps(samples, distributions_differ=True)
    judged = judge(samples, steps, smallest_worth_closing(samples["dev"].value, is_rate=True))
    return [step.name for step in steps].index(judged.candidates[0]) if judged.state == "named" else None


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the draws, so that thousands of ladders fit into seconds."""
    for place in ("mlproj.diagnose.draws.N_DRAWS", "mlproj.diagnose.samples.N_DRAWS"):
        monkeypatch.setattr(place, 1000)
    assert draws.N_DRAWS == 1000


def test_probability_of_being_largest_is_reliable_where_gaps_of_all_sizes_occur() -> None:
    # Gaps are exponential with mean 2 points. Where all are small against their errors (uniform up to 4 points, 200
    # examples) a flat prior overstates by up to 0.3, so a name also needs a lower limit above what is worth closing.
    rng = np.random.default_rng(20)
    n, n_draws, ladders = 500, 300, 10_000
    gaps = rng.exponential(0.02, (ladders, 4))
    errors = np.cumsum(gaps, axis=1).clip(max=0.9)
    x = rng.binomial(n, errors)
    drawn = rng.beta(x[..., None] + 0.5, n - x[..., None] + 0.5, (ladders, 4, n_draws))
    stated = np.stack([share_largest(np.diff(ladder, axis=0, prepend=0.0)) for ladder in drawn])
    top = stated.argmax(axis=1)
    p, right = stated.max(axis=1), top == gaps.argmax(axis=1)
    for low, high in ((0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 0.97), (0.97, 1.01)):
        inside = (p >= low) & (p < high)
        assert inside.sum() > 150
        assert abs(p[inside].mean() - right[inside].mean()) <= 0.05


@pytest.mark.parametrize(
    "gaps", [(0.03, 0.025, 0.02, 0.005), (0.03, 0.03, 0.0, 0.0), (0.04, 0.04, 0.04, 0.0), (0.06, 0.055, 0.0, 0.0)]
)
@pytest.mark.usefixtures("few_draws")
def test_a_near_tie_is_hardly_ever_named_wrongly(gaps: tuple[float, ...]) -> None:
    rng = np.random.default_rng(21)
    errors, largest = np.cumsum(gaps), max(gaps)
    false_names = 0
    for _ in range(500):
        samples = observe(rng, errors, 500)
        steps = find_steps(samples, distributions_differ=True)
        judged = judge(samples, steps, smallest_worth_closing(samples["dev"].value, is_rate=True))
        if judged.state == "named":
            position = [step.name for step in steps].index(judged.candidates[0])
            # at an exact tie either gap is the largest, yet naming one of them claims a difference that is not there
            false_names += gaps[position] < largest or gaps.count(largest) > 1
    assert false_names / 500 <= 0.06


@pytest.mark.parametrize(
    ("gaps", "n"), [((0.0, 0.0801, 0.08, 0.0), 200), ((0.08, 0.0, 0.0801, 0.0), 2000), ((0.0, 0.08, 0.081, 0.02), 2000)]
)
def test_the_lesser_of_two_nearly_equal_gaps_is_named_at_most_one_time_in_twenty(
    gaps: tuple[float, ...], n: int
) -> None:
    # at an exact tie either is named as often: one of both in a tenth of all ladders, and neither is the wrong one
    rng, ladders = np.random.default_rng(25), 4000
    x = rng.binomial(n, np.cumsum(gaps), (ladders, 4))
    p, low, high = (np.concatenate([np.zeros((ladders, 1)), part], axis=1) for part in (x / n, *wilson(x / n, n)))
    limit, _ = mover((p[:, 1:], low[:, 1:], high[:, 1:]), (p[:, :-1], low[:, :-1], high[:, :-1]))
    drawn = rng.beta(x[..., None] + 0.5, n - x[..., None] + 0.5, (ladders, 4, 600))
    shares = np.stack([share_largest(np.diff(ladder, axis=0, prepend=0.0)) for ladder in drawn])
    top = shares.argmax(axis=1)
    worth = np.maximum(0.1 * p[:, 4], 0.005)
    named = (shares.max(axis=1) >= SURE) & (limit[np.arange(ladders), top] > worth)
    assert 0.06 < named.mean() < 0.12
    assert (named & (top != np.argmax(gaps))).mean() <= 0.06


@pytest.mark.usefixtures("few_draws")
def test_a_name_can_be_relied_on_even_where_every_gap_is_small() -> None:
    # gaps of up to 4 points on 200 examples: here P(largest) itself overstates, which is why a name takes more than it
    rng, right = np.random.default_rng(26), []
    for _ in range(1000):
        gaps = rng.uniform(0, 0.04, 4)
        named = judge_ladder(observe(rng, np.cumsum(gaps), 200))
        if named is not None:
            right.append(gaps[named] == gaps.max())
    assert len(right) / 1000 <= 0.06
    assert (len(right) - np.sum(right)) / 1000 <= 0.02


@pytest.mark.usefixtures("few_draws")
def test_a_clear_gap_is_named_nearly_always() -> None:
    rng = np.random.default_rng(22)
    named = []
    for _ in range(200):
        samples = observe(rng, np.array([0.01, 0.09, 0.10, 0.10]), 1000)
        judged = judge(samples, find_steps(samples, distributions_differ=True), 0.01)
        named.append(judged.candidates[0] if judged.state == "named" else None)
    assert named.count("variance") / 200 >= 0.98
    assert set(named) <= {"variance", None}


def test_the_audit_set_contains_the_largest_gap() -> None:
    rng = np.random.default_rng(23)
    kept = 0
    for _ in range(400):
        gaps = rng.exponential(0.02, 4)
        x = rng.binomial(500, np.cumsum(gaps))
        drawn = rng.beta(x[:, None] + 0.5, 500 - x[:, None] + 0.5, (4, 1000))
        kept += audit_largest(np.diff(drawn, axis=0, prepend=0.0))[gaps.argmax()]
    assert kept / 400 >= 0.93


def test_constants_are_audited_exactly() -> None:
    table = np.repeat([[0.3], [0.1], [0.3]], 50, axis=1)
    assert audit_largest(table).tolist() == [True, False, True]


def test_gaps_carry_mover_intervals() -> None:
    samples = observe(np.random.default_rng(1), np.array([0.02, 0.05, 0.08, 0.08]), 400)
    judged = judge(samples, find_steps(samples, distributions_differ=True), 0.01)
    for gap, (upper, lower) in zip(judged.gaps, pairwise(NAMES), strict=True):
        a, b = samples[lower].value, samples[upper].value
        limits_b = (b, b, b) if upper == "human" else (b, *wilson(b, 400))
        assert (gap.low, gap.high) == pytest.approx(mover((a, *wilson(a, 400)), limits_b))
        assert gap.size == pytest.approx(a - b)


def test_negative_gaps_have_nothing_to_close() -> None:
    shares = share_largest(np.array([[-0.5, -0.1], [-0.1, 0.2]]))
    assert shares.tolist() == [0.25, 0.75]


def test_the_posterior_of_a_rate_is_jeffreys() -> None:
    found = draws.draw_rate(0.1, 50, np.random.default_rng(0))
    assert found.mean() == pytest.approx(5.5 / 51, abs=0.002)
    assert found.var() == pytest.approx(5.5 * 45.5 / (51**2 * 52), rel=0.05)


@pytest.mark.parametrize("n", [8, 100, 129, 3000])
def test_the_spread_of_a_drawn_mean_is_its_standard_error(n: int) -> None:
    from mlproj.metrics.intervals import gather_units

    losses = np.random.default_rng(n).exponential(size=n)
    found = draws.draw_mean(gather_units(losses), np.random.default_rng(0))
    inside = np.quantile(found, [0.025, 0.975])
    expected = losses.std(ddof=1) / np.sqrt(n)
    assert (inside[1] - inside[0]) / 3.92 == pytest.approx(expected, rel=0.25 if n < 20 else 0.06)
    assert found.mean() == pytest.approx(losses.mean(), rel=0.03)


def test_a_drawn_score_spreads_as_its_interval() -> None:
    cells = np.array([[80.0, 10.0], [20.0, 90.0]])
    found = 1 - draws.draw_cells("f1", cells, 200, np.random.default_rng(0))
    assert found.mean() == pytest.approx(1 - 180 / 210, abs=0.006)
    assert 0.015 < found.std() < 0.03


@pytest.mark.parametrize(("human", "train", "dev"), [(0.09, 0.1, 0.1), (0.17, 0.19, 0.2), (0.27, 0.3, 0.3)])
def test_a_gap_that_just_reaches_what_is_worth_closing_is_named_whatever_the_rounding(
    human: float, train: float, dev: float
) -> None:
    errors = {"human": human, "train": train, "dev": dev}
    samples = {name: take(GivenRung(name, error), "error") for name, error in errors.items()}
    steps = find_steps(samples, distributions_differ=False)
    judged = judge(samples, steps, smallest_worth_closing(dev, is_rate=True))
    assert (judged.state, judged.candidates) == ("named", ("avoidable_bias",))


def test_each_gap_says_how_surely_it_is_worth_closing_and_what_working_on_it_would_forgo() -> None:
    samples = observe(np.random.default_rng(1), np.array([0.02, 0.09, 0.10, 0.10]), 2000)
    judged = judge(samples, find_steps(samples, distributions_differ=True), 0.01)
    gaps = {gap.name: gap for gap in judged.gaps}
    variance, mismatch = gaps["variance"], gaps["data_mismatch"]
    assert variance.p_worth > 0.99
    assert variance.regret == pytest.approx(0.0, abs=1e-6)
    expected = NormalDist().cdf((mismatch.size - 0.01) / ((mismatch.high - mismatch.low) / 3.92))
    assert mismatch.p_worth == pytest.approx(expected, abs=0.03)
    assert mismatch.regret == pytest.approx(variance.size - mismatch.size, abs=0.005)  # what the largest would win
    assert mismatch.n == {"train_dev": 2000, "dev": 2000}
    assert mismatch.method == "MOVER of Wilson"


@pytest.mark.usefixtures("few_draws")
def test_the_band_holds_for_all_gaps_together() -> None:
    rng = np.random.default_rng(24)
    truth, all_inside, each_inside = np.array([0.05, 0.04, 0.03, 0.02]), 0, np.zeros(4)
    for _ in range(400):
        samples = observe(rng, np.cumsum(truth), 1000)
        gaps = judge(samples, find_steps(samples, distributions_differ=True), 0.01).gaps
        all_inside += all(gap.band[0] <= size <= gap.band[1] for gap, size in zip(gaps, truth, strict=True))
        each_inside += [gap.low <= size <= gap.high for gap, size in zip(gaps, truth, strict=True)]
        assert all(gap.band[0] <= gap.low and gap.high <= gap.band[1] for gap in gaps)
    assert all_inside / 400 >= 0.93
    assert each_inside.min() / 400 >= 0.92
