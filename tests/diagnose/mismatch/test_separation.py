"""The classifier two-sample test: exact under the null, powerful enough, bounds that hold."""

from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import roc_auc_score

from mlproj.diagnose.mismatch.permute import benjamini_hochberg, judge_auc, merge_p, rank
from mlproj.diagnose.mismatch.separation import FEW_UNITS, fit_classifier, separate, split_halves
from mlproj.diagnose.mismatch.table import Design, Feature, cut_rare, design, join
from mlproj.diagnose.mismatch.variation import bound_variation, choose_cut, clopper_pearson

Floats = NDArray[np.float64]


def inputs(n: int, seed: int, *, moved: float = 0.0, columns: int = 3) -> tuple[Design, NDArray[np.bool_]]:
    """Two sets of n examples, the first column of the second moved."""
    x = np.random.default_rng(seed).normal(size=(2 * n, columns))
    x[n:, 0] += moved
    return design([Feature(f"x{i}", x[:, i]) for i in range(columns)]), np.repeat([False, True], n)


def one_split(made: Design, is_b: NDArray[np.bool_], group: NDArray[np.int64] | None, seed: int) -> float:
    """The p-value of a single split with a logistic regression."""
    rng = np.random.default_rng([seed, 1])
    learn = split_halves(is_b, group, rng)
    score = fit_classifier("logistic", made.x[learn], is_b[learn])(made.x[~learn])
    own = None if group is None else group[~learn]
    return judge_auc(score, is_b[~learn], own, rng, n=199)[1]


def test_under_the_null_p_is_uniform() -> None:
    """Kolmogorov-Smirnov on 500 seeds: the p-values of a split are uniform, whatever the classifier learned."""
    p = [one_split(*inputs(40, seed), None, seed) for seed in range(500)]
    assert stats.kstest(np.array(p) - 0.5 / 200, "uniform").pvalue > 0.01
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.03)


def test_under_the_null_p_is_uniform_when_groups_are_blocks_and_not_when_they_are_taken_apart() -> None:
    """Ten groups of six in each set, whose examples share most of their inputs."""
    group = np.repeat(np.arange(20), 6)
    is_b = group >= 10
    blocks, apart = [], []
    for seed in range(250):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(20, 2))[group] + 0.3 * rng.normal(size=(120, 2))
        made = design([Feature(f"x{i}", x[:, i]) for i in range(2)])
        blocks.append(one_split(made, is_b, group, seed))
        apart.append(one_split(made, is_b, None, seed))
    assert np.mean(np.array(blocks) <= 0.1) <= 0.16
    assert np.mean(np.array(apart) <= 0.1) > 0.5


def test_merged_splits_reject_no_more_often_than_they_say() -> None:
    p = []
    for seed in range(40):
        made, is_b = inputs(60, seed)
        found = separate(made, is_b, seed=seed, n_permutations=99, kinds=("logistic",), explain=False)
        p.append(found.p)
    assert np.sum(np.array(p) <= 0.1) <= 4


def test_a_planted_shift_is_found_and_its_feature_named() -> None:
    for seed in range(3):
        made, is_b = inputs(300, seed, moved=0.8)
        found = separate(made, is_b, seed=seed)
        assert found.p == pytest.approx(0.002)
        assert found.auc is not None
        assert found.low is not None
        assert found.high is not None
        assert found.low < NormalDist().cdf(0.8 / np.sqrt(2)) < found.high
        assert found.auc == pytest.approx(0.71, abs=0.06)
        assert max(found.importance, key=lambda name: found.importance[name]) == "x0"
        assert np.isfinite(found.score).all()


def test_trees_find_what_no_line_separates() -> None:
    x = np.random.default_rng(0).normal(size=(1200, 2))
    x[600:] *= 2.5
    made = design([Feature(f"x{i}", x[:, i]) for i in range(2)])
    found = separate(made, np.repeat([False, True], 600), explain=False)
    assert found.classifier == "boosted trees (5 of 5 splits)"
    assert found.auc is not None
    assert found.auc > 0.75


@pytest.mark.parametrize("moved", [0.0, 0.6, 2.0])
def test_the_bound_on_the_total_variation_exceeds_it_at_most_as_often_as_it_may(moved: float) -> None:
    """Two normal distributions apart by d differ by 2Φ(d/2) − 1; 95 % bounds from one split exceed that rarely."""
    truth = 2 * NormalDist().cdf(moved / 2) - 1
    beyond, found = 0, []
    for seed in range(200):
        made, is_b = inputs(150, seed, moved=moved, columns=1)
        rng = np.random.default_rng(seed)
        learn = split_halves(is_b, None, rng)
        score = fit_classifier("logistic", made.x[learn], is_b[learn])(made.x)
        cut = choose_cut(score[learn], is_b[learn])
        found.append(bound_variation(score[~learn] >= cut, is_b[~learn]))
        beyond += found[-1] > truth
    assert beyond <= 0.05 * 200 + 3 * np.sqrt(0.05 * 0.95 * 200)
    assert np.median(found) > truth - 0.25  # a bound of zero would never be wrong


def test_few_examples_are_judged_by_forests_out_of_bag() -> None:
    made, is_b = inputs(20, 1, moved=2.5)
    found = separate(made, is_b)
    assert found.classifier == "random forest, out of bag"
    assert found.p == pytest.approx(0.01)
    assert (found.low, found.variation) == (None, None)
    assert len(is_b) // 2 < FEW_UNITS


def test_few_groups_are_judged_as_wholes() -> None:
    """Ten groups of thirty in each set that differ by nothing but who they are: examples would be told apart surely."""
    group = np.repeat(np.arange(20), 30)
    x = np.random.default_rng(1).normal(size=(20, 3))[group]
    made = design([Feature(f"x{i}", x[:, i]) for i in range(3)])
    found = separate(made, group >= 10, group)
    assert found.classifier == "random forest, out of bag by group"
    assert found.p is not None
    assert found.auc is not None
    assert found.p > 0.05
    assert found.auc < 0.8


def test_three_rows_are_not_tested() -> None:
    found = separate(*inputs(3, 0))
    assert (found.p, found.auc, found.n) == (None, None, (3, 3))
    constant = separate(design([Feature("a", np.ones(200))]), np.repeat([False, True], 100))
    assert constant.p is None


def test_groups_stay_whole_in_a_half_and_both_sets_are_in_both() -> None:
    group = np.repeat(np.arange(30), 7)
    is_b = group >= 10
    learn = split_halves(is_b, group, np.random.default_rng(0))
    assert all(len(np.unique(learn[group == g])) == 1 for g in range(30))
    assert [len(np.unique(group[learn & (is_b == side)])) for side in (False, True)] == [5, 10]


def test_the_area_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    score, is_b = rng.integers(0, 9, 80).astype(np.float64), rng.random(80) < 0.4
    auc, _ = judge_auc(score, is_b, None, rng, n=9)
    assert auc == pytest.approx(roc_auc_score(is_b, score))
    assert rank(score).tolist() == stats.rankdata(score).tolist()


def test_permutations_agree_with_the_rank_sum_test() -> None:
    rng = np.random.default_rng(3)
    score, is_b = rng.normal(size=60), np.repeat([False, True], 30)
    score[is_b] += 0.4
    _, p = judge_auc(score, is_b, None, rng, n=9999)
    exact = stats.mannwhitneyu(score[is_b], score[~is_b], alternative="greater", method="exact").pvalue
    assert p == pytest.approx(exact, abs=0.01)


def test_limits_and_adjustments_are_those_of_scipy() -> None:
    exact = stats.binomtest(3, 40).proportion_ci(0.9, method="exact")
    assert clopper_pearson(3 / 40, 40, 0.05) == pytest.approx((exact.low, exact.high))
    p = np.random.default_rng(0).random(20) ** 2
    assert benjamini_hochberg(p.tolist()) == pytest.approx(stats.false_discovery_control(p).tolist())
    assert (merge_p([0.03]), merge_p([0.9, 0.8])) == (0.03, 1.0)


def test_columns_are_standardised_and_missing_cells_marked() -> None:
    number = Feature("age", np.array([1.0, 3.0, np.nan]))
    word = Feature("kind", np.array(["a", "", "b"]))
    made = design([number, word, Feature("same", np.ones(3))])
    assert set(made.blocks) == {"age", "kind"}
    assert (made.x.shape[1], bool(np.isfinite(made.x).all())) == (5, True)
    assert made.x.mean(axis=0) == pytest.approx(np.zeros(5), abs=1e-12)


def test_a_number_here_and_a_text_there_is_text_in_both() -> None:
    [joined] = join([Feature("a", np.array([7.0, np.nan]))], [Feature("a", np.array(["7", "x"]))])
    assert joined.values.tolist() == ["7", "", "7", "x"]
    assert join([Feature("a", np.array([1.0]))], [Feature("b", np.array([1.0]))]) == []


def test_rare_categories_share_a_bucket_and_missing_ones_keep_theirs() -> None:
    values = np.array(["a"] * 5 + ["b"] * 4 + ["c", "d", ""])
    assert sorted(set(cut_rare(values, most=3).tolist())) == ["(missing)", "(other)", "a", "b"]
