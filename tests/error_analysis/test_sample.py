"""Draws: halves that never move, strata that can be answered for, and an order that leads nobody."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.error_analysis.sample import (
    draw_errors,
    draw_labels,
    draw_largest,
    draw_suspects,
    eyeball,
    hash_order,
    share_out,
)

IDS = np.array([f"id{i}" for i in range(2000)])
NONE = np.zeros(2000, np.bool_)
ALL = ~NONE


def some(n: int, seed: int = 0) -> np.ndarray:
    """A mask with n of 2,000."""
    return np.isin(np.arange(2000), np.random.default_rng(seed).choice(2000, n, replace=False))


def test_the_half_is_about_a_half_and_stays_as_data_are_added_and_shuffled() -> None:
    half = eyeball(IDS)
    assert 900 < half.sum() < 1100
    order = np.random.default_rng(0).permutation(2000)[:1500]
    np.testing.assert_array_equal(eyeball(IDS[order]), half[order])


def test_the_half_is_the_same_on_every_machine() -> None:
    assert np.flatnonzero(eyeball(np.array(["a", "b", "c", "d", "é", "007"]))).tolist() == [4]


def test_a_group_is_never_cut_in_two() -> None:
    groups = np.array([f"user{i // 7}" for i in range(2000)])
    half = eyeball(IDS, groups)
    assert all(len(set(half[groups == group].tolist())) == 1 for group in set(groups.tolist()))


def test_another_seed_is_another_half() -> None:
    assert 0.4 < (eyeball(IDS) == eyeball(IDS, seed=1)).mean() < 0.6


def test_errors_come_from_the_half_while_it_holds_enough() -> None:
    wrong, half = some(300), eyeball(IDS)
    drawn = draw_errors(wrong, half, n=100, n_correct=20, order=hash_order(IDS, 0))
    assert drawn.half == "eyeball"
    assert (wrong & half)[drawn.rows].sum() == 100
    assert (half & ~wrong)[drawn.rows].sum() == 20
    assert drawn.strata["error"].population == (wrong & half).sum()
    assert drawn.strata["error"].weight == pytest.approx((wrong & half).sum() / 100)


def test_else_they_come_from_all_of_dev() -> None:
    wrong = some(150)
    drawn = draw_errors(wrong, eyeball(IDS), n=100, n_correct=0, order=hash_order(IDS, 0))
    assert (drawn.half, drawn.strata["error"].population, len(drawn.rows)) == ("all", 150, 100)


def test_fewer_errors_than_asked_are_all_drawn() -> None:
    wrong = some(12)
    drawn = draw_errors(wrong, eyeball(IDS), n=100, n_correct=0, order=hash_order(IDS, 0))
    assert set(drawn.rows.tolist()) == set(np.flatnonzero(wrong).tolist())
    assert drawn.strata["error"].weight == 1


def test_the_same_seed_draws_the_same_rows_in_any_order_of_the_data() -> None:
    wrong, turned = some(300), np.arange(2000)[::-1]
    a = draw_errors(wrong, ALL, n=50, n_correct=5, order=hash_order(IDS, 3))
    b = draw_errors(wrong[turned], ALL, n=50, n_correct=5, order=hash_order(IDS[turned], 3))
    assert IDS[a.rows].tolist() == IDS[turned][b.rows].tolist()


def test_kinds_are_mixed_in_the_sheet() -> None:
    drawn = draw_errors(some(300), ALL, n=50, n_correct=50, order=hash_order(IDS, 0))
    assert 10 < drawn.stratum[:50].count("correct") < 40


def test_the_largest_losses_are_all_there_and_others_stand_for_the_rest() -> None:
    loss = np.random.default_rng(1).exponential(size=2000)
    drawn = draw_largest(loss, ALL, n=40, order=hash_order(IDS, 0))
    top = {row for row, name in zip(drawn.rows.tolist(), drawn.stratum, strict=True) if name == "largest"}
    assert top == set(np.argsort(-loss)[:20].tolist())
    assert (drawn.strata["largest"].weight, drawn.strata["other"].weight) == (1.0, 1980 / 20)


def estimate(values: np.ndarray, drawn: object) -> float:
    """Horvitz & Thompson 1952: the total over all examples."""
    weight = [drawn.strata[name].weight for name in drawn.stratum]  # type: ignore[attr-defined]  # a Draw
    return float(np.dot(weight, values[drawn.rows]))  # type: ignore[attr-defined]


def test_the_share_of_the_loss_in_a_reason_is_estimated_without_bias() -> None:
    rng = np.random.default_rng(2)
    loss, dark = rng.exponential(size=2000) ** 2, rng.random(2000) < 0.3
    found = [estimate(loss * dark, draw_largest(loss, ALL, n=100, order=hash_order(IDS, i))) for i in range(300)]
    assert np.mean(found) == pytest.approx((loss * dark).sum(), rel=0.03)


def test_the_rate_of_wrong_labels_is_estimated_without_bias_from_suspects() -> None:
    rng = np.random.default_rng(3)
    suspicion = rng.random(2000)
    wrong = rng.random(2000) < suspicion**8
    found = [estimate(wrong, draw_suspects(suspicion, ALL, n=200, order=hash_order(IDS, i))) for i in range(300)]
    assert np.mean(found) == pytest.approx(wrong.sum(), rel=0.05)


def test_suspects_are_the_most_suspicious_but_do_not_stand_first() -> None:
    suspicion = np.random.default_rng(4).random(2000)
    drawn = draw_suspects(suspicion, ALL, n=50, order=hash_order(IDS, 0))
    assert set(np.argsort(-suspicion)[:40].tolist()) < set(drawn.rows.tolist())
    assert "other" in drawn.stratum[:25]


def test_an_audit_draws_labels_at_random() -> None:
    drawn = draw_labels(2000, n=100, order=hash_order(IDS, 0))
    assert (len(set(drawn.rows.tolist())), drawn.strata["label"].weight) == (100, 20.0)


@given(st.integers(0, 60), st.integers(2, 5), st.integers(0, 70))
def test_every_row_is_looked_at_once_or_by_all(n: int, n_reviewers: int, overlap: int) -> None:
    shares = share_out(n, n_reviewers, overlap)
    common = set(range(n)).intersection(*shares)
    assert len(common) == min(n, overlap)
    assert sorted(row for share in shares for row in share if row not in common) == sorted(set(range(n)) - common)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
