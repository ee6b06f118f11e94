"""Labels of several people: unbiased disagreement, its interval, the bracket around the best error, noise, spread."""

import numpy as np
import pytest
from crowd import draw_answers, make_votes, unknown
from hypothesis import given
from hypothesis import strategies as st

from mlproj.metrics.annotators import (
    bayes_bracket,
    disagreement,
    item_disagreement,
    noise_rate,
    plug_in_error,
    spread,
    spread_units,
    without_noise,
)

CLASSES = tuple("abcdefghij")


def world(seed: int, n_classes: int, sharpness: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Posteriors of many items: the smaller `sharpness`, the surer people are."""
    return np.random.default_rng(seed).dirichlet(np.full(n_classes, sharpness), 100_000)


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("sharpness", [0.02, 0.1, 0.5, 5.0])
def test_the_bracket_holds_the_best_possible_error(n_classes: int, sharpness: float, seed: int) -> None:
    p = world(seed, n_classes, sharpness)
    best, apart = float(1 - p.max(axis=1).mean()), float(1 - (p**2).sum(axis=1).mean())
    low, high = bayes_bracket(apart, n_classes)
    assert low <= best <= high


def test_both_ends_of_the_bracket_are_reached() -> None:
    even = bayes_bracket(2 * 0.1 * 0.9, 2)  # every item has the posterior .9/.1: Jensen's inequality is an equality
    assert even[0] == pytest.approx(0.1)
    assert bayes_bracket(0.5, 2) == pytest.approx((0.5, 0.5))  # coins
    assert bayes_bracket(0.0, 5) == (0.0, 0.0)
    assert bayes_bracket(0.97, 5) == pytest.approx((0.8, 0.8))  # more than chance would differ: by luck


@given(st.lists(st.floats(0, 1), min_size=2, max_size=5), st.integers(2, 20))
def test_the_ends_rise_with_the_disagreement_and_never_cross(values: list[float], n_classes: int) -> None:
    low, high = bayes_bracket(np.array(sorted(values)), n_classes)
    assert np.all(np.diff(low) >= 0)
    assert np.all(low <= high + 1e-12)


@pytest.mark.parametrize("m", [2, 3, 7])
def test_disagreement_is_unbiased_however_many_labels_an_item_has(m: int, seed: int) -> None:
    rng, p = np.random.default_rng(seed), np.array([0.7, 0.2, 0.1])
    counts = rng.multinomial(m, p, 40_000)
    found = item_disagreement(counts)
    assert found.mean() == pytest.approx(1 - (p**2).sum(), abs=4 * found.std() / 200)


@pytest.mark.parametrize(
    ("m", "n", "sharpness"), [(2, 60, 0.1), (2, 300, 0.02), (3, 100, 0.1), (5, 100, 0.5), (12, 60, 0.1)]
)
def test_limits_of_the_disagreement_cover_it(m: int, n: int, sharpness: float, seed: int) -> None:
    p, rng = world(seed, 3, sharpness), np.random.default_rng(seed)
    truth, best = float(1 - (p**2).sum(axis=1).mean()), float(1 - p.max(axis=1).mean())
    inside, bracketed = [], []
    for _ in range(400):
        some = draw_answers(rng, p[rng.integers(0, len(p), n)], m)
        found = disagreement(make_votes(some, unknown(n), CLASSES[:3]))
        inside.append(found.low <= truth <= found.high)
        bracketed.append(bayes_bracket(found.low, 3)[0] <= best <= bayes_bracket(found.high, 3)[1])
    assert np.mean(inside) >= 0.92
    assert np.mean(bracketed) >= 0.95


def test_limits_cover_where_items_come_in_groups(seed: int) -> None:
    rng = np.random.default_rng(seed)
    inside = []
    for _ in range(200):
        p = np.repeat(rng.beta(0.3, 0.3, 40), 5)  # five items of a person are equally hard
        answers = draw_answers(rng, np.column_stack([p, 1 - p]), 2)
        votes = make_votes(answers, unknown(200), CLASSES[:2], group=np.repeat(np.arange(40).astype(str), 5))
        found = disagreement(votes)
        inside.append(found.low <= 2 * 0.3 * 0.3 / (0.6 * 1.6) <= found.high)  # 2·E p(1 − p) of a Beta(.3, .3)
    assert np.mean(inside) >= 0.92


def test_weights_count_in_the_disagreement() -> None:
    votes = make_votes(np.array([[0, 1], [0, 0]]), unknown(2), CLASSES[:2], weight=np.array([3.0, 1.0]))
    assert disagreement(votes).value == 0.75


def test_items_with_one_label_do_not_count_and_without_pairs_there_is_nothing() -> None:
    votes = make_votes(np.array([[0, 1], [0, -1], [1, 1]]), unknown(3), CLASSES[:2])
    assert disagreement(votes).value == 0.5
    with pytest.raises(ValueError, match="no item has two labels"):
        disagreement(make_votes(np.array([[0, -1]]), unknown(1), CLASSES[:2]))


def test_the_label_of_the_data_joins_as_one_more_person() -> None:
    votes = make_votes(np.array([[0, -1], [1, 1], [-1, -1]]), np.array([1, 1, 0]), CLASSES[:2])
    joined = votes.with_label("the label")
    assert joined.counts.tolist() == [[1, 1], [0, 3], [0, 0]]  # nobody labelled the third: nothing to compare with
    assert joined.people[-1] == "the label"


def test_shares_of_many_labels_are_read_as_probabilities_and_those_of_few_are_not(seed: int) -> None:
    p, rng = world(seed, 2, 0.1)[:3000], np.random.default_rng(seed)
    many = plug_in_error(make_votes(draw_answers(rng, p, 16), unknown(3000), CLASSES[:2]))
    assert many is not None
    assert many.low <= 1 - p.max(axis=1).mean() <= many.high + 0.01  # the bias of the plug-in is downwards, and small
    assert plug_in_error(make_votes(draw_answers(rng, p, 9), unknown(3000), CLASSES[:2])) is None


@pytest.mark.parametrize("n_classes", [2, 4])
def test_random_mistakes_are_found_and_taken_out(n_classes: int, seed: int) -> None:
    rng, nu, e, n = np.random.default_rng(seed), 0.06, 0.09, 400_000

    def spoil(
        labels: np.ndarray[tuple[int], np.dtype[np.int64]], rate: float
    ) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        moved = (labels + rng.integers(1, n_classes, n)) % n_classes
        return np.where(rng.random(n) < rate, moved, labels)

    truth = rng.integers(0, n_classes, n)
    first, second, answer = spoil(truth, nu), spoil(truth, nu), spoil(truth, e)
    apart = disagreement(make_votes(np.column_stack([first, second]), unknown(n), CLASSES[:n_classes]))
    rate = noise_rate((apart.value, apart.low, apart.high), n_classes)
    assert rate[0] == pytest.approx(nu, abs=0.002)
    seen = float((answer != first).mean())
    assert seen == pytest.approx(nu + e * (1 - nu - nu / (n_classes - 1)), abs=0.003)
    assert without_noise((seen, seen, seen), rate, n_classes)[0] == pytest.approx(e, abs=0.004)


def test_the_error_without_noise_has_limits_that_cover_it(seed: int) -> None:
    rng, nu, e, n = np.random.default_rng(seed), 0.05, 0.10, 400
    from mlproj.metrics.intervals import wilson

    inside = []
    for _ in range(500):
        d = rng.binomial(n, 2 * nu * (1 - nu)) / n
        observed = rng.binomial(n, nu + (1 - 2 * nu) * e) / n
        rate = noise_rate((d, *wilson(d, n)), 2)
        _, low, high = without_noise((observed, *wilson(observed, n)), rate, 2)
        inside.append(low <= e <= high)
    assert np.mean(inside) >= 0.93


def test_without_noise_the_error_stays_as_it_is() -> None:
    assert without_noise((0.1, 0.08, 0.13), (0.0, 0.0, 0.0), 3) == pytest.approx((0.1, 0.08, 0.13))


def test_the_spread_of_two_numbers_is_half_their_squared_difference() -> None:
    votes = make_votes(np.array([[1.0, 3.0], [5.0, 5.0], [7.0, np.nan]]), np.full(3, np.nan), ())
    assert spread_units(votes).loss.tolist() == [2.0, 0.0]


def test_the_spread_is_the_least_squared_error_of_any_model(seed: int) -> None:
    rng = np.random.default_rng(seed)
    inside = []
    for _ in range(200):
        centre = rng.normal(scale=10, size=150)
        labels = centre[:, None] + rng.normal(scale=2.0, size=(150, 3))
        found = spread(make_votes(labels, np.full(150, np.nan), ()))
        inside.append(found.low <= 4.0 <= found.high)
        perfect = np.square(labels[:, 0] - centre).mean()
        assert perfect == pytest.approx(found.value, rel=0.5)
    assert np.mean(inside) >= 0.92
