"""A gap as mix and within: the identity, figures by hand, and the coverage of the intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlproj.diagnose.mismatch.losses import mean_metric, measure_losses, parts_of_label
from mlproj.diagnose.mismatch.parts import split_gap
from mlproj.records import Answers, Predictions

Floats = NDArray[np.float64]


def spread(counts: list[int], wrong: list[int]) -> tuple[NDArray[np.int64], Floats]:
    """Parts and losses of so many examples and errors by part."""
    parts = np.repeat(np.arange(len(counts)), counts)
    loss = np.concatenate([np.arange(n) < k for n, k in zip(counts, wrong, strict=True)]).astype(np.float64)
    return parts, loss


def test_by_hand() -> None:
    """Train-dev: 80 cats with 8 errors, 20 dogs with 10. Dev: 40 cats with 4, 60 dogs with 36.

    Errors 0.10 and 0.50, then 0.10 and 0.60; shares 0.8 and 0.2, then 0.4 and 0.6. The gap is 0.40 − 0.18 = 0.22:
    mix (0.4 − 0.8)·0.10 + (0.6 − 0.2)·0.55 = 0.18, within (0.2 + 0.6)/2 · 0.10 = 0.04.
    """
    found = split_gap(["cat", "dog"], *spread([80, 20], [8, 10]), *spread([40, 60], [4, 36]))
    assert found.gap == pytest.approx(0.22)
    assert (found.mix.value, found.within.value) == pytest.approx((0.18, 0.04))
    dog = found.rows[0]
    assert (dog.name, dog.n, dog.shares, dog.losses) == ("dog", (20, 60), (0.2, 0.6), (0.5, 0.6))
    assert dog.within == pytest.approx(0.04)
    assert found.rows[1].within == pytest.approx(0)
    assert sum(row.mix for row in found.rows) == pytest.approx(0.18)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_mix_and_within_make_the_gap(data: st.DataObject) -> None:
    n = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    parts = [rng.integers(0, 4, size) for size in n]
    losses = [rng.exponential(size=size) for size in n]
    weights = [rng.exponential(size=size) + 0.01 for size in n] if data.draw(st.booleans()) else [None, None]
    groups = [rng.integers(0, 5, size) for size in n] if data.draw(st.booleans()) else [None, None]
    found = split_gap(
        list("abcd"), parts[0], losses[0], parts[1], losses[1],
        weights=(weights[0], weights[1]), groups=(groups[0], groups[1]),
    )  # fmt: skip
    means = [np.average(loss, weights=w) for loss, w in zip(losses, weights, strict=True)]
    assert found.mix.value + found.within.value == pytest.approx(means[1] - means[0], abs=1e-12)
    assert found.gap == pytest.approx(sum(row.mix + row.within for row in found.rows), abs=1e-12)
    for term in (found.mix, found.within):
        assert term.low <= term.value <= term.high


def test_a_part_that_one_set_lacks_is_mix_and_named() -> None:
    found = split_gap(["cat", "dog"], *spread([50, 0], [5, 0]), *spread([50, 50], [5, 25]))
    assert found.one_sided == ("dog",)
    assert (found.mix.value, found.within.value) == pytest.approx((0.2, 0))
    assert next(row for row in found.rows if row.name == "dog").losses == (None, 0.5)


@pytest.mark.parametrize("kind", ["rate", "loss", "groups"])
def test_intervals_hold_the_truth(kind: str) -> None:
    """95 % intervals of both terms cover in at least 88.5 % of 110 draws (95 % less three standard errors)."""
    shares, errors = np.array([[0.5, 0.3, 0.2], [0.3, 0.3, 0.4]]), np.array([[0.02, 0.1, 0.3], [0.05, 0.1, 0.35]])
    truth = (
        float(((shares[1] - shares[0]) * errors.mean(axis=0)).sum()),
        float((shares.mean(axis=0) * (errors[1] - errors[0])).sum()),
    )
    n = 1200 if kind == "loss" else 400
    group = np.repeat(np.arange(n // 5), 5)
    covered = np.zeros(2)
    for seed in range(110):
        rng = np.random.default_rng(seed)
        parts = [rng.choice(3, n, p=share) for share in shares]
        if kind == "groups":  # whole groups are of one part and err together
            parts = [part[group * 5] for part in parts]
            losses = [
                (rng.random(n)[group * 5] < e[part]).astype(np.float64) for e, part in zip(errors, parts, strict=True)
            ]
        elif kind == "loss":
            losses = [rng.exponential(e[part]) for e, part in zip(errors, parts, strict=True)]
        else:
            losses = [(rng.random(n) < e[part]).astype(np.float64) for e, part in zip(errors, parts, strict=True)]
        groups = (group, group) if kind == "groups" else (None, None)
        found = split_gap(list("abc"), parts[0], losses[0], parts[1], losses[1], groups=groups)
        covered += [t.low <= true <= t.high for t, true in zip((found.mix, found.within), truth, strict=True)]
    assert np.all(covered / 110 >= 0.885), covered / 110


def test_losses_are_the_metric_or_its_nearest_mean() -> None:
    classes = Answers(
        np.array([0, 1, -1]), np.array([0, 0, 1]), ("no", "yes"), np.array([[0.9, 0.1], [0.8, 0.2], [0.5, 0.5]])
    )
    numbers = Answers(np.array([1.0, np.nan]), np.array([3.0, 0.0]))
    named = [mean_metric(metric, classes) for metric in ("error", "accuracy", "f1", "log_loss", "brier", "roc_auc")]
    assert named == ["error", "error", "error", "log_loss", "brier", "error"]
    assert [mean_metric(metric, numbers) for metric in ("rmse", "mae", "r2", "mape")] == ["mse", "mae", "mse", "mape"]
    found = measure_losses(Predictions(np.array(["a", "b", "c"]), np.full(3, "dev"), {"": classes}), "log_loss")
    assert found.loss.tolist() == pytest.approx([-np.log(0.9), -np.log(0.2)])
    assert found.known.tolist() == [True, True, False]


def test_numbers_are_cut_into_fifths_of_both_sets() -> None:
    a, b = (Answers(np.arange(low, low + 50.0), np.zeros(50)) for low in (0, 50))
    names, part_a, part_b = parts_of_label(a, b)
    assert (len(names), names[0], names[-1]) == (5, "up to 19.8", "above 79.2")
    assert np.bincount(np.concatenate([part_a, part_b])).tolist() == [20] * 5
    assert (part_a.max(), part_b.min()) == (2, 2)
