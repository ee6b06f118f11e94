"""The rise of a loss when columns are shuffled: its value, its interval, and what may be claimed."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mlproj.diagnose.permute import UNCHANGED, claim, lend, measure_rise, tell_apart
from mlproj.records import Answers, Importance, Predictions

WEIGHTS = np.array([1.2, 0.6, 0.15, 0.0])
"""How a model weighs four inputs; the truth knows the first two alone."""


def draw(n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    x = rng.normal(size=(n, 4))
    return x, (1.5 * x[:, 0] + 0.5 * x[:, 1] + rng.logistic(size=n) > 0).astype(np.int64)


def answer(x: NDArray[np.float64], y: NDArray[np.int64]) -> dict[str, Answers]:
    p = 1 / (1 + np.exp(-1.3 * (x @ WEIGHTS)))
    return {"": Answers(y, (p >= 0.5).astype(np.int64), ("no", "yes"), np.column_stack([1 - p, p]))}


def rise(
    x: NDArray[np.float64],
    y: NDArray[np.int64],
    column: int,
    metric: str,
    rng: np.random.Generator,
    *,
    repeats: int = 10,
    group: NDArray[np.str_] | None = None,
    weight: NDArray[np.float64] | None = None,
) -> Importance:
    donors = lend(len(y), repeats, rng)
    shuffled = []
    for row in donors:
        changed = x.copy()
        changed[:, column] = x[row, column]
        shuffled.append(answer(changed, y))
    ids = np.arange(len(y)).astype(str)
    base = Predictions(ids, np.full(len(y), "dev"), answer(x, y), weight, group)
    return measure_rise(base, shuffled, donors, metric, (f"x{column}",))


def test_everybody_lends_equally_often_and_nobody_to_itself(seed: int) -> None:
    donors = lend(7, 4, np.random.default_rng(seed))
    assert np.bincount(donors.ravel()).tolist() == [4] * 7
    assert not (donors == np.arange(7)).any()
    assert len({(int(d), i) for row in donors for i, d in enumerate(row)}) == 28
    assert len(lend(4, 10, np.random.default_rng(seed))) == 3  # all pairs there are


def test_parts_of_receivers_and_lenders_are_found_again(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=200), rng.normal(size=200)
    a, b = a - a.mean(), b - b.mean()
    donors = lend(200, 10, rng)
    received, lent = tell_apart(a + b[donors], donors)
    assert np.abs(received - a).max() < 0.05
    assert np.abs(lent - b).max() < 0.05


def test_intervals_cover_and_an_irrelevant_column_is_hardly_ever_claimed() -> None:
    rng = np.random.default_rng(7)
    x, y = draw(100_000, rng)
    truth = [rise(x, y, k, "error", rng, repeats=2).value for k in range(4)]
    covered, false = np.zeros(4), 0
    for _ in range(150):
        few = draw(150, rng)
        found = [rise(*few, k, "error", rng) for k in range(4)]
        covered += [each.low <= truth[k] <= each.high for k, each in enumerate(found)]
        judged = {each.columns: each.state for each in claim(found)}
        assert judged[("x3",)] == "unused"
        false += judged[("x2",)] in ("matters", "hurts")
    assert (covered[:3] / 150 >= 0.92).all(), covered / 150  # 95 % asked for; 150 draws err by 0.018
    assert false <= 0.05 * 150


@pytest.mark.parametrize("metric", ["log_loss", "roc_auc", "f1"])
def test_other_metrics_cover_too(metric: str) -> None:
    rng = np.random.default_rng(8)
    x, y = draw(100_000, rng)
    truth = rise(x, y, 1, metric, rng, repeats=2).value
    found = [rise(*draw(150, rng), 1, metric, rng) for _ in range(100)]
    assert np.mean([each.low <= truth <= each.high for each in found]) >= 0.90


def test_what_a_lender_does_to_others_belongs_to_the_interval() -> None:
    """y = 2x: a loss with borrowed cells grows with both, so half of the variance is the lenders'."""
    rng = np.random.default_rng(9)

    def squared() -> Importance:
        x = rng.normal(size=150)
        y = 2 * x + 0.1 * rng.normal(size=150)
        donors = lend(150, 10, rng)
        base = Predictions(x.astype(str), np.full(150, "dev"), {"": Answers(y, 2 * x)})
        return measure_rise(base, [{"": Answers(y, 2 * x[row])} for row in donors], donors, "mse", ("x",))

    found = [squared() for _ in range(150)]
    half = np.mean([(each.high - each.low) / 2 for each in found])
    assert 1.7 < half / np.std([each.value for each in found]) < 2.6  # 1.96 for a right standard error, half of it for
    assert np.mean([each.low <= 8 <= each.high for each in found]) >= 0.90  # one of receivers alone


def test_groups_are_witnesses_as_a_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = draw(100, rng)
    copied = np.repeat(x, 6, axis=0), np.repeat(y, 6)
    users = np.repeat(np.arange(100), 6).astype(str)
    whole, single = (rise(*copied, 0, "error", rng, group=group) for group in (users, None))
    assert (whole.high - whole.low) > 1.7 * (single.high - single.low)
    assert "100 groups" in whole.method


def test_weights_weigh_receivers(seed: int) -> None:
    x, y = draw(300, np.random.default_rng(seed))
    weight = np.where(y == 1, 10.0, 1.0)
    found = rise(x, y, 0, "error", np.random.default_rng(seed), weight=weight)
    donors = lend(300, 10, np.random.default_rng(seed))

    def wrong(inputs: NDArray[np.float64]) -> float:
        answers = answer(inputs, y)[""]
        return float((weight * (answers.y_pred != y)).sum() / weight.sum())

    changed = [wrong(np.column_stack([x[row, 0], x[:, 1:]])) for row in donors]
    assert found.value == pytest.approx(np.mean(changed) - wrong(x))
    assert found.low < found.value < found.high


def test_a_column_that_changes_no_answer_is_unused_and_one_that_changes_no_loss_is_not() -> None:
    y = np.tile([0, 1], 20)
    p = np.where(y == 1, 0.9, 0.1)
    base = Answers(y, y, ("no", "yes"), np.column_stack([1 - p, p]))
    q = p + 0.05
    shaken = Answers(y, y, ("no", "yes"), np.column_stack([1 - q, q]))
    donors = lend(40, 2, np.random.default_rng(0))
    dev = Predictions(y.astype(str), np.full(40, "dev"), {"": base})
    same, moved = (measure_rise(dev, [{"": each}] * 2, donors, "error", ("c",)) for each in (base, shaken))
    assert (same.method, same.low, same.high) == (UNCHANGED, 0, 0)
    assert moved.value == 0 < moved.high < 0.1
    assert [each.state for each in claim([same, moved])] == ["unused", "unclear"]


def test_holm_multiplies_the_smallest_by_all_and_never_falls() -> None:
    p = (0.04, 0.001, 0.012, 0.9)
    found = claim([Importance((str(k),), 0.1, 0.0, 0.2, p[k], 50, 3, "") for k in range(4)])
    adjusted = {each.columns[0]: each.p_holm for each in found}
    assert adjusted == pytest.approx({"1": 0.004, "2": 0.036, "0": 0.08, "3": 0.9})
    assert [each.columns[0] for each in found if each.state == "matters"] == ["1", "2"]
