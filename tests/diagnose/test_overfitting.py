"""What choosing flatters: known truths in simulation, oracles for the sums, and what is made of it."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from mlproj.diagnose import ladder_of
from mlproj.diagnose.above_dev import above_dev
from mlproj.diagnose.overfitting import Optimism, optimism
from mlproj.diagnose.overfitting_text import Look, Overfitting, overfitting_text
from mlproj.diagnose.resampled import Figure, average, figure_of, units_of
from mlproj.diagnose.rungs import parse_rungs
from mlproj.metrics import score
from mlproj.metrics.intervals import Estimate, wilson
from mlproj.metrics.scores import gather_for
from mlproj.records import Answers

Bools = NDArray[np.bool_]


def of_errors(wrong: Bools, group: NDArray[np.int64] | None = None, seed: int = 0) -> Optimism:
    """Optimism of trials whose wrong answers (T, N) are known."""
    units = units_of(wrong.shape[1], group)
    truth = np.zeros(wrong.shape[1], np.int64)
    trials = (gather_for("error", Answers(truth, row.astype(np.int64), ("no", "yes"))) for row in wrong)
    return optimism({"error": figure_of("error", trials, units)}, units, "error", {}, draws=300, seed=seed)


@pytest.mark.parametrize(("trials", "n", "shared"), [(2, 200, 0.0), (10, 300, 0.0), (64, 400, 0.0), (64, 400, 0.7)])
def test_among_equal_models_the_estimate_is_what_choosing_flatters(trials: int, n: int, shared: float) -> None:
    """All err in 15 %; `shared` of their errors come in the same examples. The truth is 15 % minus the best on dev."""
    rng, truth, found = np.random.default_rng(trials), [], []
    for _ in range(80):
        luck = np.where(rng.random((trials, n)) < shared, rng.random(n), rng.random((trials, n)))
        wrong = luck < 0.15
        truth.append(0.15 - wrong.mean(axis=1).min())
        found.append(of_errors(wrong))
    expected = float(np.mean(truth))
    assert np.mean([one.value for one in found]) == pytest.approx(expected, abs=0.004)
    assert np.mean([one.low <= expected <= one.high for one in found]) >= 0.88


def test_a_single_trial_was_not_chosen() -> None:
    found = of_errors(np.random.default_rng(0).random((1, 100)) < 0.2)
    assert (found.value, found.low, found.high, found.stays) == (0, 0, 0, 1)


def test_a_truly_better_trial_is_flattered_by_little(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rates = np.array([0.05] + [0.25] * 30)
    found = of_errors(rng.random((31, 500)) < rates[:, None])
    assert (found.chosen, found.stays) == (0, 1.0)
    assert found.value == 0
    equals = of_errors(rng.random((31, 500)) < 0.25)
    assert equals.value > 0.02


def test_groups_are_drawn_whole(seed: int) -> None:
    """Forty groups of ten that err as one tell as much as forty examples, not four hundred."""
    rng = np.random.default_rng(seed)
    truth, of_groups, of_rows = [], [], []
    for _ in range(30):
        wrong = np.repeat(rng.random((20, 40)) < 0.2, 10, axis=1)
        truth.append(0.2 - wrong.mean(axis=1).min())
        of_groups.append(of_errors(wrong, np.repeat(np.arange(40), 10)).value)
        of_rows.append(of_errors(wrong).value)
    assert np.mean(of_groups) == pytest.approx(np.mean(truth), abs=0.02)
    assert np.mean(of_rows) < 0.7 * np.mean(truth)


def test_a_group_alone_bounds_nothing() -> None:
    found = of_errors(np.random.default_rng(0).random((3, 20)) < 0.5, np.zeros(20, np.int64))
    assert (found.low, found.high) == (-np.inf, np.inf)


def test_few_groups_have_no_limits() -> None:
    found = of_errors(np.random.default_rng(0).random((3, 20)) < 0.5, np.arange(20) % 3)
    assert (found.low, found.high) == (-np.inf, np.inf)


def _classes(rng: np.random.Generator, n: int, k: int) -> tuple[Answers, NDArray[np.float64]]:
    truth = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    p = rng.random((n, k)) + 0.35 * np.eye(k)[truth]
    p /= p.sum(axis=1, keepdims=True)
    return Answers(truth, p.argmax(axis=1), tuple("abcdefgh"[:k]), p), rng.integers(1, 5, n).astype(np.float64)


@pytest.mark.parametrize("metric", ["error", "f1", "mcc", "log_loss", "balanced_accuracy", "f1_macro"])
def test_sums_weighed_by_a_draw_are_the_metric_of_that_draw(metric: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    answers, weight = _classes(rng, 60, 2)
    units = units_of(60)
    figure = figure_of(metric, [gather_for(metric, answers, weight)], units)
    counts = rng.integers(0, 4, 60).astype(np.float64)
    by_unit = np.zeros(60)
    by_unit[units.unit] = counts
    got = figure.finish((figure.parts @ by_unit[:, None]) / (figure.weight @ by_unit[:, None])[:, None])
    assert float(got[0, 0]) == pytest.approx(score(metric, answers, weight * counts))


@pytest.mark.parametrize(("metric", "classes"), [("roc_auc", 2), ("average_precision", 2), ("f1_macro", 5), ("r2", 0)])
def test_influences_stand_in_for_metrics_that_are_no_sums(metric: str, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    answers, weight = _classes(rng, 800, classes or 2)
    if not classes:
        y = rng.normal(size=800)
        answers = Answers(y, y + rng.normal(size=800) / 2)
    units = units_of(800)
    figure = figure_of(metric, [gather_for(metric, answers, weight)], units)
    exact, linear = [], []
    for _ in range(30):
        counts = np.bincount(rng.integers(0, 800, 800), minlength=800).astype(np.float64)
        by_unit = np.zeros(800)
        by_unit[units.unit] = counts
        linear.append(float((figure.parts @ by_unit)[0, 0] / (figure.weight @ by_unit)[0]))
        exact.append(score(metric, answers, weight * counts))
    assert np.corrcoef(exact, linear)[0, 1] > 0.98
    assert np.mean(np.subtract(exact, linear)) == pytest.approx(0, abs=0.003)


def test_limits_rule_the_choice_before_the_metric_does() -> None:
    """The sharpest trial is too slow in every draw, the next misses a recall that no draw lets it reach."""
    rng = np.random.default_rng(1)
    truth = np.repeat([0, 1], 200)
    rates = ((0.01, 0.01), (0.01, 0.30), (0.10, 0.02))
    trials = [np.where(rng.random(400) < np.where(truth == 1, b, a), 1 - truth, truth) for a, b in rates]
    units = units_of(400)
    stack = [Answers(truth, y, ("no", "yes")) for y in trials]
    figures = {m: figure_of(m, [gather_for(m, one) for one in stack], units) for m in ("error", "recall")}
    limits = {"recall": ">= 0.9", "latency_ms": "<= 10"}
    resources = {"latency_ms": np.array([50.0, 1.0, 1.0])}
    found = optimism(figures, units, "error", limits, resources=resources)
    assert (found.chosen, found.stays, found.value) == (2, 1.0, 0.0)
    assert optimism(figures, units, "error", {}).chosen == 0


def test_equals_are_told_apart_by_the_loss() -> None:
    wrong = np.tile(np.arange(100) < 10, (3, 1))
    units = units_of(100)
    rows = np.repeat(np.array([[3.0], [1.0], [2.0]]), 100, axis=1)[None]
    loss = Figure(rows, np.ones((1, 100)), lambda sums: sums[0], "")
    error = Figure(wrong[None].astype(np.float64), np.ones((1, 100)), lambda sums: sums[0], "")
    figures = {"error": error, "loss": loss}
    assert optimism(figures, units, "error", {}, tie="loss").chosen == 1
    assert optimism(figures, units, "error", {}).chosen == 0


def test_several_labels_are_averaged_each_on_its_own_examples(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, (2, 80))
    truth[1, :40] = -1
    labels = [Answers(y, rng.integers(0, 2, 80), ("no", "yes")) for y in truth]
    units = units_of(80)
    figure = average([figure_of("f1", [gather_for("f1", one)], units) for one in labels])
    whole = figure.finish(figure.parts.sum(-1, keepdims=True) / figure.weight.sum(-1)[:, None, None])
    assert float(whole[0, 0]) == pytest.approx(np.mean([score("f1", one) for one in labels]))


def test_millions_of_examples_are_drawn_in_sets() -> None:
    units = units_of(50_000)
    assert (units.n, units.what) == (20_000, "random sets of examples")
    assert set(np.bincount(units.unit).tolist()) == {2, 3}


@pytest.mark.parametrize(("p_test", "n", "reject"), [(0.10, 400, 0.05), (0.16, 400, 0.8)])
def test_the_one_sided_test_rejects_equal_rates_one_time_in_twenty(p_test: float, n: int, reject: float) -> None:
    rng, found = np.random.default_rng(7), []
    for _ in range(200):
        rungs = [float(rng.binomial(n, p) / n) for p in (p_test, 0.10)]
        test, dev = (Estimate(r, *wilson(r, n), n, "Wilson") for r in rungs)
        one = above_dev(test, dev, {"test": n, "dev": n}, is_share=True)
        assert one.is_sure == (one.p < 0.05)
        found.append(one.is_sure)
    assert np.mean(found) == pytest.approx(reject, abs=0.04)


LADDER = ladder_of(None, given=parse_rungs(["human=0.01:500", "train=5%:9000", "dev=10%:1000"]))
"""A gap is worth closing from one point."""


@pytest.fixture
def make() -> Callable[..., Overfitting]:
    """A record of what is known, with some of it changed."""

    def build(value: float = 0.004, low: float = 0.001, **changes: object) -> Overfitting:
        found = Optimism(value, low, 2 * value - low, 0, 0.5, 64, 1000, "nested bootstrap")
        kept: dict[str, object] = {
            "counted": {"trials": 64, "trainings": 1, "records": 0}, "error_sheets": 0, "looks": (),
            "expected_at_most": 0.027, "optimism": found, "search": "search-1", "above": None, "min_gap": 0.01,
        }  # fmt: skip
        return Overfitting(**(kept | changes))  # type: ignore[arg-type]

    return build


def test_no_wolf_is_cried_where_little_was_lost(make: Callable[..., Overfitting]) -> None:
    text = " ".join(overfitting_text(make(), LADDER, "mlproj split --redraw").split())
    assert "65 configurations were compared on this dev set (64 trials, 1 training)" in text
    assert "the test set was never opened" in text
    assert "choosing flatters by 0.4 points (0.1 to 0.7 points): expect about 10.4 % on fresh examples" in text
    assert "No reason to worry" in text
    assert "redraw" not in text


def test_a_sure_loss_asks_for_another_dev_set_with_its_command(make: Callable[..., Overfitting]) -> None:
    found = make(0.03, 0.02)
    assert (found.concern, make(0.03, 0.001).concern) == ("likely", "possible")
    text = overfitting_text(found, LADDER, "mlproj split --redraw --set splits.dev=2000")
    assert "take a bigger or a fresh dev set" in " ".join(text.split())
    assert text.endswith("mlproj split --redraw --set splits.dev=2000")


def test_an_opened_test_set_decides(make: Callable[..., Overfitting]) -> None:
    rungs = [Estimate(p, *wilson(p, 5000), 5000, "Wilson") for p in (0.14, 0.10)]
    above = above_dev(rungs[0], rungs[1], {"test": 5000, "dev": 5000}, is_share=True)
    looks = (Look("wide", "release", 2.0), Look("first", "try", 1.0))
    found = make(above=above, looks=looks)
    assert found.concern == "likely"
    text = " ".join(overfitting_text(found, LADDER).split())
    assert "opened twice, last for wide (“release”)" in text
    assert "The test error is surely above the dev error: +4.0, at least +2.9" in text
    document = found.document()
    assert document["looks_at_test"] == 2
    assert document["test"]["n"] == {"test": 5000, "dev": 5000}
