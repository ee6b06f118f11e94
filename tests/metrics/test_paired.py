"""Paired differences against SciPy, closed forms, exact enumeration and simulated coverage."""

from collections.abc import Callable
from math import comb, factorial, inf, isnan, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlproj.errors import InvalidInput
from mlproj.metrics import measure, score
from mlproj.metrics.intervals import mover, wilson
from mlproj.metrics.paired import Paired, p_second_better, paired_difference, reconcile
from mlproj.records import Answers
from mlproj.spec.goal import CLASSIFICATION_METRICS, REGRESSION_METRICS

Draw = Callable[..., tuple[Answers, np.ndarray]]
NAMES = ("no", "yes")


def shifted(answers: Answers, by: int) -> Answers:
    """The same truth with the answers of other examples."""
    p = None if answers.p is None else np.roll(answers.p, by, axis=0)
    return Answers(answers.y_true, np.roll(answers.y_pred, by), answers.classes, p)


def from_table(both_right: int, only_first: int, only_second: int, none: int) -> tuple[Answers, Answers]:
    """Two models whose answers fill a table of pairs."""
    counts = [both_right, only_first, only_second, none]
    truth = np.zeros(sum(counts), dtype=np.int64)
    first, second = np.repeat([0, 0, 1, 1], counts), np.repeat([0, 1, 0, 1], counts)
    return Answers(truth, first, NAMES), Answers(truth, second, NAMES)


def compare(table: tuple[int, int, int, int]) -> Paired:
    return paired_difference(*from_table(*table), "error")


def test_mid_p_is_that_of_the_published_example() -> None:
    # Bentur et al. 2009 as analysed by Fagerland, Lydersen & Laake 2013: 1 and 7 discordant pairs of 21
    assert compare((12, 1, 7, 1)).p == pytest.approx(0.039, abs=5e-4)


@given(only_first=st.integers(0, 60), only_second=st.integers(0, 60), rest=st.integers(1, 200))
@settings(max_examples=50, deadline=None)
def test_mid_p_is_the_exact_p_without_half_of_the_equal_cases(only_first: int, only_second: int, rest: int) -> None:
    n, fewer = only_first + only_second, min(only_first, only_second)
    found = compare((rest, only_first, only_second, 0)).p
    if only_first == only_second:
        assert found == pytest.approx(1)
    else:
        exact = stats.binomtest(fewer, n).pvalue
        assert found == pytest.approx(exact - comb(n, fewer) / 2**n, rel=1e-9, abs=1e-15)


def test_limits_of_an_error_are_movers_with_phi() -> None:
    _, first, second, none = table = (300, 9, 25, 26)
    n = sum(table)
    p, q = (second + none) / n, (first + none) / n
    phi = stats.pearsonr(*(np.repeat(side, table) for side in ([0, 0, 1, 1], [0, 1, 0, 1]))).statistic
    found = compare(table)
    assert found.value == pytest.approx(p - q)
    assert (found.low, found.high) == pytest.approx(mover((p, *wilson(p, n)), (q, *wilson(q, n)), phi))
    assert found.n == n
    assert found.method.startswith("MOVER")


CELLS = [
    (0.90, 0.02, 0.02, 0.06),
    (0.80, 0.10, 0.05, 0.05),
    (0.60, 0.10, 0.10, 0.20),
    (0.55, 0.30, 0.10, 0.05),
    (0.97, 0.01, 0.01, 0.01),
]


def test_intervals_of_the_error_cover_by_exact_enumeration() -> None:
    n, covered = 22, np.zeros(len(CELLS))
    for b in range(n + 1):
        for c in range(n + 1 - b):
            for d in range(n + 1 - b - c):
                table = (n - b - c - d, b, c, d)
                found = compare(table)
                chances = factorial(n) / prod(map(factorial, table)) * np.prod(np.power(CELLS, table), axis=1)
                truths = np.array([cell[2] - cell[1] for cell in CELLS])
                covered += chances * ((found.low <= truths) & (truths <= found.high))
    assert covered.min() > 0.93


@pytest.mark.parametrize("metric", CLASSIFICATION_METRICS)
def test_the_second_against_the_first_is_the_mirror_image(metric: str, classes: Draw, seed: int) -> None:
    first, weight = classes(seed, 200, 2)
    second = shifted(first, 7)
    one, other = (paired_difference(*pair, metric, weight=weight) for pair in ((first, second), (second, first)))
    assert one.value == pytest.approx(-other.value)
    assert (one.low, one.high, one.p) == pytest.approx((-other.high, -other.low, other.p), abs=0.01)
    assert one.value == pytest.approx(score(metric, first, weight) - score(metric, second, weight))


@pytest.mark.parametrize("metric", [*CLASSIFICATION_METRICS, *REGRESSION_METRICS])
def test_a_model_does_not_differ_from_itself(metric: str, classes: Draw, numbers: Draw, seed: int) -> None:
    answers, _ = classes(seed, 80, 2) if metric in CLASSIFICATION_METRICS else numbers(seed, 80)
    found = paired_difference(answers, answers, metric)
    assert (found.value, found.p) == (0, 1)
    assert found.low <= 0 <= found.high


@pytest.mark.parametrize("metric", ["error", "f1", "mae", "roc_auc"])
def test_examples_without_weight_or_label_do_not_matter(metric: str, classes: Draw, numbers: Draw, seed: int) -> None:
    draw, sizes = (numbers, (150,)) if metric == "mae" else (classes, (150, 2))
    (first, weight), (other, _) = (draw(each, *sizes, missing=0.2) for each in (seed, seed + 1))
    second = Answers(first.y_true, other.y_pred, first.classes, other.p)
    rows = first.known & (weight > 0)
    full = paired_difference(first, second, metric, weight=weight)
    kept = paired_difference(first.select(rows), second.select(rows), metric, weight=weight[rows])
    assert (full.value, full.low, full.high, full.p) == pytest.approx((kept.value, kept.low, kept.high, kept.p))
    assert full.n == kept.n == rows.sum()


@pytest.mark.parametrize("metric", ["error", "f1", "log_loss", "roc_auc"])
def test_copies_of_an_example_are_no_new_witnesses(metric: str, classes: Draw, seed: int) -> None:
    first, _ = classes(seed, 120, 2)
    other, _ = classes(seed + 1, 120, 2)
    second = Answers(first.y_true, other.y_pred, first.classes, other.p)
    rows = np.repeat(np.arange(120), 5)
    alone = paired_difference(first, second, metric)
    copied = paired_difference(first.select(rows), second.select(rows), metric, group=rows)
    naive = paired_difference(first.select(rows), second.select(rows), metric)
    width = copied.high - copied.low
    assert width == pytest.approx(alone.high - alone.low, rel=0.08)
    assert naive.high - naive.low < 0.6 * width


def test_pairing_makes_the_interval_narrower_than_two_samples_would() -> None:
    found = compare((300, 4, 20, 36))
    p, q = 56 / 360, 40 / 360
    low, high = mover((p, *wilson(p, 360)), (q, *wilson(q, 360)))
    assert found.high - found.low < 0.6 * (high - low)
    assert found.low > 0 > low


def test_losses_per_example_give_a_t_test_when_they_are_normal(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, shared = np.zeros(2000), rng.normal(5, 1, 2000)
    first, second = (Answers(truth, shared + rng.normal(shift, 0.2, 2000)) for shift in (0.02, 0.0))
    found = paired_difference(first, second, "mae")
    t = stats.ttest_rel(first.y_pred, second.y_pred)
    limits = t.confidence_interval()
    assert (found.low, found.high) == pytest.approx((limits.low, limits.high), abs=4e-4)
    assert found.p == pytest.approx(t.pvalue, abs=0.01)


def test_p_is_below_five_percent_just_when_zero_is_outside(classes: Draw) -> None:
    for seed in range(40):
        first, _ = classes(seed, 150, 3)
        other, _ = classes(seed + 1000, 150, 3)
        second = Answers(first.y_true, other.y_pred, first.classes, other.p)
        for metric in ("f1_macro", "brier"):
            found = paired_difference(first, second, metric)
            assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_with_several_labels_the_difference_is_that_of_the_means(classes: Draw, seed: int) -> None:
    ours = {name: classes(seed + i, 100, 2, missing=0.3)[0] for i, name in enumerate("ab")}
    theirs = {name: shifted(each, 3) for name, each in ours.items()}
    for metric in ("error", "log_loss", "roc_auc"):
        found = paired_difference(ours, theirs, metric)
        assert found.value == pytest.approx(measure([metric], ours)[metric] - measure([metric], theirs)[metric])
        assert found.low < found.value < found.high


def test_an_undefined_metric_bounds_nothing() -> None:
    truth, p = np.ones(5, dtype=np.int64), np.full((5, 2), 0.5)
    found = paired_difference(Answers(truth, truth, NAMES, p), Answers(truth, truth, NAMES, p), "roc_auc")
    assert isnan(found.value)
    assert (found.low, found.high, found.p) == (-inf, inf, 1)


def test_one_example_bounds_nothing() -> None:
    found = paired_difference(Answers(np.zeros(1), np.ones(1)), Answers(np.zeros(1), np.zeros(1)), "mae")
    assert (found.value, found.low, found.high, found.p) == (1, -inf, inf, 1)


def test_a_diverged_model_bounds_nothing() -> None:
    truth = np.zeros(9)
    found = paired_difference(Answers(truth, np.full(9, 1e200)), Answers(truth, np.ones(9)), "mse")
    assert (found.value, found.low, found.high, found.p) == (inf, -inf, inf, 1)


def test_models_that_answered_other_examples_are_refused() -> None:
    first, second = from_table(3, 1, 1, 0)
    flipped = Answers(1 - second.y_true, second.y_pred, NAMES)
    with pytest.raises(InvalidInput, match="not asked the same examples"):
        paired_difference(first, flipped, "error")
    with pytest.raises(InvalidInput, match="different classes: no, yes and no, maybe"):
        paired_difference(first, Answers(second.y_true, second.y_pred, ("no", "maybe")), "error")
    with pytest.raises(InvalidInput, match="different labels: 'car' and 'cat'"):
        paired_difference({"car": first}, {"cat": second}, "error")


def coverage(draw: Callable[[np.random.Generator], tuple[Paired, float]], n: int) -> float:
    """Share of n intervals that hold the truth."""
    found = [draw(np.random.default_rng(seed)) for seed in range(n)]
    return float(np.mean([paired.low <= truth <= paired.high for paired, truth in found]))


def test_f1_of_few_positives_is_covered() -> None:
    """A studentised bootstrap covers .75 here."""
    sizes, recalls, specificity = np.array([120, 20]), (0.97, 0.92), 0.95
    expected = [2 * r * 1 / (r + 1 + 0.05 * 6) for r in recalls]

    def draw(rng: np.random.Generator) -> tuple[Paired, float]:
        truth = (rng.random(sizes.sum()) < 1 / 7).astype(np.int64)
        u = rng.random(len(truth))
        models = []
        for recall in recalls:
            v = np.where(rng.random(len(truth)) < 0.7, u, rng.random(len(truth)))
            models.append(Answers(truth, (v < np.where(truth == 1, recall, 1 - specificity)).astype(np.int64), NAMES))
        return paired_difference(models[0], models[1], "f1"), expected[0] - expected[1]

    assert coverage(draw, 200) >= 0.93


def test_a_weighted_error_is_covered() -> None:
    def draw(rng: np.random.Generator) -> tuple[Paired, float]:
        heavy = rng.random(250) < 0.15
        truth, u = np.zeros(250, dtype=np.int64), rng.random(250)
        v = np.where(rng.random(250) < 0.8, u, rng.random(250))
        chances = np.where(heavy, 0.2, 0.08), np.where(heavy, 0.12, 0.06)
        first, second = (Answers(truth, (x < c).astype(np.int64), NAMES) for x, c in zip((u, v), chances, strict=True))
        weight = np.where(heavy, 10.0, 1.0)
        truly = (0.15 * 10 * 0.08 + 0.85 * 0.02) / (0.15 * 10 + 0.85)
        return paired_difference(first, second, "error", weight=weight), truly

    assert coverage(draw, 400) >= 0.93


@pytest.mark.parametrize("metric", ["error", "mae"])
def test_groups_are_covered(metric: str) -> None:
    def draw(rng: np.random.Generator) -> tuple[Paired, float]:
        group = np.repeat(np.arange(30), rng.integers(4, 13, 30))
        own = rng.normal(0, 1, (2, 30))[:, group] + rng.normal(0, 1, (2, len(group)))
        if metric == "mae":
            truth = np.zeros(len(group))
            first, second = (Answers(truth, np.exp(0.3 * each) + up) for each, up in zip(own, (0.1, 0), strict=True))
            return paired_difference(first, second, metric, group=group), 0.1
        codes = np.zeros(len(group), dtype=np.int64)
        first, second = (Answers(codes, (each > 1.5).astype(np.int64), NAMES) for each in own)
        return paired_difference(first, second, metric, group=group), 0.0

    assert coverage(draw, 300) >= 0.925


def test_log_losses_of_similar_models_are_covered() -> None:
    truly = 0.0  # both models are drawn alike

    def draw(rng: np.random.Generator) -> tuple[Paired, float]:
        truth, margin = np.ones(60, dtype=np.int64), rng.normal(1.5, 2, 60)
        p = [1 / (1 + np.exp(-margin - rng.normal(0, 0.7, 60))) for _ in range(2)]
        first, second = (Answers(truth, truth, NAMES, np.stack([1 - each, each], axis=1)) for each in p)
        return paired_difference(first, second, "log_loss"), truly

    assert coverage(draw, 300) >= 0.92


def test_squared_errors_of_a_clearly_worse_model_are_covered() -> None:
    def draw(rng: np.random.Generator) -> tuple[Paired, float]:
        truth, error = np.zeros(60), rng.normal(0, 1, 60)
        first, second = Answers(truth, 1.3 * error), Answers(truth, error)
        return paired_difference(first, second, "mse"), 0.69

    assert coverage(draw, 200) >= 0.91


def test_answers_before_and_after_labels_were_corrected_are_a_pair_where_that_is_said() -> None:
    truth, answers = np.zeros(200, dtype=np.int64), (np.arange(200) < 20).astype(np.int64)
    after = Answers((np.arange(200) < 6).astype(np.int64), answers, NAMES)
    before = Answers(truth, answers, NAMES)
    with pytest.raises(InvalidInput, match="or their truth differs"):
        paired_difference(after, before, "error")
    found = paired_difference(after, before, "error", relabelled=True)
    assert found.value == pytest.approx(-6 / 200)
    assert found.p == pytest.approx(2 * 0.5**6 / 2)  # mid-p of 0 against 6
    assert found.low < found.value < found.high < 0
    missing = Answers(np.where(np.arange(200) == 9, -1, 0), answers, NAMES)
    with pytest.raises(InvalidInput, match="or their truth differs"):
        paired_difference(missing, before, "error", relabelled=True)


def test_p_and_limits_say_the_same_once_they_are_reconciled() -> None:
    disagreed = 0
    for only_first, only_second in [(b, c) for b in range(12) for c in range(24)]:
        for none in (0, 10):
            found = compare((150 - only_first - only_second - none, only_first, only_second, none))
            agreed = reconcile(found)
            apart = agreed.low > 0 or agreed.high < 0
            assert apart == (agreed.p < 0.05)
            assert (agreed.low, agreed.p) <= (found.low, agreed.p)
            disagreed += agreed != found
    assert 0 < disagreed <= 12


@given(only_first=st.integers(0, 40), only_second=st.integers(0, 40))
def test_the_sign_probability_of_an_error_is_a_mean_of_two_posteriors(only_first: int, only_second: int) -> None:
    if only_first == only_second:
        return
    found = compare((100, only_first, only_second, 5))
    with np.errstate(all="ignore"):
        priors = [
            stats.beta.sf(0.5, max(only_second, 1e-9), only_first + 1),
            stats.beta.sf(0.5, only_second + 1, max(only_first, 1e-9)),
        ]
    assert p_second_better(found, lower_is_better=True) == pytest.approx(np.mean(priors), abs=1e-6)


def test_of_equal_or_undefined_models_neither_is_the_better() -> None:
    assert p_second_better(Paired(0.0, -0.1, 0.1, 1.0, 9, ""), lower_is_better=True) == 0.5
    assert p_second_better(Paired(float("nan"), -inf, inf, 1.0, 9, ""), lower_is_better=False) == 0.5
    assert p_second_better(Paired(0.1, 0.05, 0.2, 0.01, 9, ""), lower_is_better=False) == pytest.approx(0.005)


@pytest.mark.parametrize("metric", ["error", "mae"])
def test_the_sign_probability_is_as_often_right_as_it_says(metric: str) -> None:
    """Pairs whose true difference is drawn anew each time, evenly to both sides of 0; tolerance .05 per bin."""
    rng, stated, right = np.random.default_rng(9), [], []
    for _ in range(3000):
        delta = rng.uniform(-0.12, 0.12)
        if metric == "error":
            cells = rng.multinomial(150, [0.75, 0.1 + delta / 2, 0.1 - delta / 2, 0.05])
            first, second = from_table(cells[0], cells[2], cells[1], cells[3])  # delta is first minus second
        else:
            truth, noise = np.zeros(600), rng.normal(2, 0.6, (2, 600))
            first, second = Answers(truth, noise[0] + delta), Answers(truth, noise[1])
        stated.append(p_second_better(reconcile(paired_difference(first, second, metric)), lower_is_better=True))
        right.append(delta > 0)
    said, held = np.array(stated), np.array(right)
    for low, high in [(0, 0.1), (0.1, 0.3), (0.3, 0.7), (0.7, 0.9), (0.9, 1.0001)]:
        bin_ = (said >= low) & (said < high)
        assert bin_.sum() > 150
        assert held[bin_].mean() == pytest.approx(said[bin_].mean(), abs=0.05)


def test_equal_models_pass_for_different_in_one_case_of_twenty_at_most() -> None:
    rng = np.random.default_rng(4)
    tables = [rng.multinomial(200, [0.8, 0.06, 0.06, 0.08]).tolist() for _ in range(2000)]
    said = np.array([p_second_better(reconcile(compare(tuple(t))), lower_is_better=True) for t in tables])
    assert np.mean((said > 0.975) | (said < 0.025)) <= 0.06
