"""Ladders with known truth, as `make calibrate` draws them by the thousand: the truth is true, and names agree."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from calibrate import judged, outcome, planted, rules
from ladders import Case, bank, chosen_on_dev, draw, draw_ladder, healthy, make_world


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return [*islice(bank(1, pool=30_000), 3), *healthy(0, pool=30_000)]


def test_labels_come_from_the_posterior_that_is_stated() -> None:
    rng = np.random.default_rng(0)
    world = make_world(rng, classes=3, parts=2, dims=3, noise=0.1, apart=2.5)
    pool = draw(world, 60_000, rng)
    best = pool.posterior.argmax(axis=1)
    assert np.mean(best != pool.y) == pytest.approx(pool.bayes_error, abs=0.006)
    assert np.mean(best != pool.y) >= 0.1 * 0.97  # noise is a floor
    shares = np.bincount(pool.y, minlength=3) / len(pool.y)
    assert pool.posterior.mean(axis=0) == pytest.approx(shares, abs=0.006)
    sure = pool.posterior[:, 0] > 0.8
    assert np.mean(pool.y[sure] == 0) == pytest.approx(pool.posterior[sure, 0].mean(), abs=0.01)


def test_no_model_beats_the_bayes_error(cases: list[Case]) -> None:
    for case in cases:
        assert case.truth["train_dev"] >= case.bayes[0] - 0.008
        assert case.truth["human"] >= case.bayes[0] - 0.008


def test_a_narrow_network_is_named_for_its_bias_and_a_healthy_one_is_left_alone(
    cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("mlproj.diagnose.draws.N_DRAWS", "mlproj.diagnose.samples.N_DRAWS"):
        monkeypatch.setattr(place, 2000)
    rng, ours, largest = np.random.default_rng(3), Counter[str](), Counter[str]()
    for case in cases:
        for _ in range(12):
            row = judged(draw_ladder(case, 2000, rng), 2000)
            assert row["truth"].keys() == row["gaps"].keys()
            if (kind := planted(row)) is not None:
                ours[outcome(kind, row["says"]["mlproj"])] += 1
                largest[outcome(kind, row["says"]["the largest gap"])] += 1
    assert ours["right"] >= 20
    assert ours["quiet"] >= 12
    assert ours["wrong"] == ours["false alarm"] == 0
    assert largest["quiet"] == 0  # which is why a rule needs more than the largest number


def test_thresholds_of_others_are_those_they_document(cases: list[Case]) -> None:
    drawn = draw_ladder(cases[0], 500, np.random.default_rng(0))
    drawn.counts.update(train=(50, 1000), dev=(80, 500))
    assert rules(drawn)["skore's thresholds"] == "variance"  # .95 − .84 against .084
    assert rules(drawn)["sklearn-diagnose's thresholds"] == "variance"
    drawn.counts.update(train=(100, 1000))
    assert rules(drawn)["skore's thresholds"] is None
    drawn.counts.update(train=(450, 1000), dev=(225, 500))
    assert rules(drawn)["sklearn-diagnose's thresholds"] == "avoidable_bias"


def test_the_best_of_many_on_a_tiny_dev_set_looks_better_than_it_is() -> None:
    drawn = draw_ladder(chosen_on_dev(0, pool=20_000, candidates=80), 2000, np.random.default_rng(1))
    gaps = drawn.gaps()
    assert max(gaps, key=lambda name: gaps[name]) == "overfitting_to_dev"
    assert gaps["overfitting_to_dev"] > 0.05
