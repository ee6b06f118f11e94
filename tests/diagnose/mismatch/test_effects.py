"""What differs feature by feature, and pools that repeat themselves."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from mlproj.diagnose.mismatch.effects import jensen_shannon, measure_effects
from mlproj.diagnose.mismatch.pools import ROWS, find_pools, rarefy
from mlproj.diagnose.mismatch.table import Feature, design

N = 400
IS_B = np.repeat([False, True], N)


def test_numbers_have_cliffs_delta_and_the_p_value_of_scipy() -> None:
    x = np.random.default_rng(0).normal(size=2 * N)
    x[IS_B] += 0.5
    [effect] = measure_effects([Feature("x", x)], IS_B)
    greater = (x[IS_B][:, None] > x[~IS_B]).mean() - (x[IS_B][:, None] < x[~IS_B]).mean()
    assert effect.size == pytest.approx(greater)
    assert effect.p == pytest.approx(stats.ks_2samp(x[~IS_B], x[IS_B], method="asymp").pvalue)
    assert (effect.n, effect.test) == ((N, N), "Kolmogorov-Smirnov")


def test_categories_have_a_divergence_and_the_p_value_of_scipy() -> None:
    rng = np.random.default_rng(1)
    kind = np.concatenate(
        [rng.choice(list("abc"), N, p=[0.5, 0.3, 0.2]), rng.choice(list("abc"), N, p=[0.3, 0.3, 0.4])]
    )
    [effect] = measure_effects([Feature("kind", kind)], IS_B)
    counts = np.array([[np.sum(kind[side] == name) for name in "abc"] for side in (~IS_B, IS_B)])
    assert effect.p == pytest.approx(stats.chi2_contingency(counts, correction=False).pvalue)
    assert effect.size == pytest.approx(jensenshannon(counts[0], counts[1], base=2) ** 2)
    assert jensen_shannon(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0


def test_rare_categories_are_permuted() -> None:
    kind = np.array(["a"] * 38 + ["b"] * 2 + ["a"] * 39 + ["c"])
    [effect] = measure_effects([Feature("kind", kind)], np.repeat([False, True], 40))
    assert effect.test == "χ² by permutation"
    assert effect.p > 0.1


def test_with_nothing_to_find_hardly_anything_is_claimed() -> None:
    claims = 0
    for seed in range(60):
        x = np.random.default_rng(seed).normal(size=(120, 10))
        found = measure_effects([Feature(f"x{i}", x[:, i]) for i in range(10)], np.repeat([False, True], 60))
        claims += any(effect.q < 0.05 for effect in found)
    assert claims <= 60 * 0.05 + 3 * np.sqrt(60 * 0.05 * 0.95)


def test_groups_are_permuted_as_blocks() -> None:
    """Twenty groups of thirty examples that are all but equal: examples would claim what groups cannot."""
    group = np.repeat(np.arange(20), 30)
    is_b = group >= 10
    claims = 0
    for seed in range(30):
        x = np.random.default_rng(seed).normal(size=20)[group]
        kind = np.where(x > 0, "high", "low")
        found = measure_effects([Feature("x", x), Feature("kind", kind)], is_b, group)
        claims += sum(effect.p < 0.05 for effect in found)
    assert claims <= 9


def test_missing_cells_are_a_difference_of_their_own() -> None:
    x = np.random.default_rng(0).normal(size=2 * N)
    x[N : N + 100] = np.nan
    found = {effect.feature: effect for effect in measure_effects([Feature("x", x)], IS_B)}
    assert found["x is missing"].q < 1e-6
    assert (found["x is missing"].first, found["x is missing"].second) == ("0 % missing", "25 % missing")
    assert found["x"].n == (N, N - 100)


def test_what_the_classifier_leans_on_comes_first() -> None:
    x = np.random.default_rng(0).normal(size=(2 * N, 2))
    x[IS_B, 1] += 1
    features = [Feature("a", x[:, 0]), Feature("b", x[:, 1])]
    assert [effect.feature for effect in measure_effects(features, IS_B)] == ["b", "a"]
    assert [e.feature for e in measure_effects(features, IS_B, importance={"a": 0.3, "b": 0.1})] == ["a", "b"]


def test_of_a_text_the_word_that_differs_most_is_shown() -> None:
    words = np.zeros((2 * N, 2))
    words[: N // 2, 0] = 1
    texts = np.array([f"text {i}" for i in range(2 * N)])
    [effect] = measure_effects([Feature("note", texts, words, ("parcel", "late"))], IS_B)
    assert (effect.first, effect.second) == ("'parcel' in 50 %", "'parcel' in 0 %")
    assert "2 words" in effect.test


def test_rarefaction_is_the_mean_of_what_is_drawn() -> None:
    counts = np.array([7, 3, 1, 1])
    values = np.repeat(np.arange(4), counts)
    rng = np.random.default_rng(0)
    drawn = np.mean([len(np.unique(rng.choice(values, 5, replace=False))) for _ in range(4000)])
    assert rarefy(counts, 5) == pytest.approx(drawn, abs=0.04)
    assert rarefy(counts, 12) == 4


def test_a_small_pool_is_found_and_a_rich_source_is_not_blamed() -> None:
    rng = np.random.default_rng(0)
    speech, noise = rng.normal(size=900), rng.choice(rng.normal(size=12), 900)
    source, rich = ([Feature("speech", speech), Feature("noise", x)] for x in (noise, rng.normal(size=900)))
    dev = [Feature("speech", rng.normal(size=300)), Feature("noise", rng.normal(size=300))]
    [pool] = find_pools(source, design(source), dev, design(dev))
    assert (pool.feature, pool.distinct, pool.n, pool.at) == ("noise", 12, 900, 300)
    assert pool.dev == 300
    assert find_pools(rich, design(rich), dev, design(dev)) == []
    thinner = [Feature("speech", speech), Feature("noise", rng.choice(rng.normal(size=400), 900))]
    assert find_pools(thinner, design(thinner), dev, design(dev)) == []
    again = rng.integers(0, 80, 900)
    twice = [feature.select(again) for feature in rich]
    assert ROWS in {found.feature for found in find_pools(twice, design(twice), dev, design(dev))}
