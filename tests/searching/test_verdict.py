"""The verdict of a search: its words, its numbers, and how often it errs."""

import json
from math import inf
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mlproj.metrics import score
from mlproj.metrics.paired import paired_difference
from mlproj.metrics.seeds import t_interval
from mlproj.records import Answers, Predictions
from mlproj.searching.matrix import Matrix, read_rows, write_row
from mlproj.searching.trials import Trial
from mlproj.searching.verdict import verdict

N = 360
IDS, DEV = np.arange(N).astype(np.str_), np.full(N, "dev")
TRUTH = np.repeat([0, 1], N // 2)


def wrong_on(*places: int) -> Answers:
    """Answers that are wrong on some examples."""
    y_pred = TRUTH.copy()
    y_pred[list(places)] = 1 - y_pred[list(places)]
    return Answers(TRUTH, y_pred, ("no", "yes"))


def make_matrix(folder: Path, answers: dict[int, Answers]) -> Matrix:
    for number, each in answers.items():
        write_row(folder, number, Predictions(IDS[: len(each.y_true)], DEV[: len(each.y_true)], {"": each}))
    return read_rows(folder, {number: f"run{number}" for number in answers})


def trial(number: int, **metrics: float) -> Trial:
    return Trial(number, "cats/search-1/round-1", number, {}, "complete", metrics)


def test_trials_that_err_alike_cannot_be_told_apart(tmp_path: Path) -> None:
    matrix = make_matrix(tmp_path, {41: wrong_on(*range(10)), 17: wrong_on(*range(2, 13))})
    first, second = trial(41, error=10 / N), trial(17, error=11 / N)
    found = verdict(first, second, optimize="error", satisfy={}, matrix=matrix)
    assert found["text"] == (
        "Trial 41 and trial 17 cannot be told apart on 360 dev examples: "
        "error 2.8 % and 3.1 %, a difference of 0.3 points (-1.2 to 1.9)."
    )
    assert (found["first"], found["second"], found["by"], found["apart"], found["n"]) == (41, 17, "examples", False, N)
    assert found["ahead"]["low"] < 0 < found["ahead"]["value"] < found["ahead"]["high"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_clear_winner_is_named(tmp_path: Path) -> None:
    matrix = make_matrix(tmp_path, {1: wrong_on(*range(10)), 2: wrong_on(*range(45))})
    found = verdict(trial(1, error=10 / N), trial(2, error=45 / N), optimize="error", satisfy={}, matrix=matrix)
    assert found["text"].startswith("Trial 1 is better than trial 2 on 360 dev examples: error 2.8 % and 12.5 %")
    assert found["apart"] is True
    turned = verdict(trial(2, error=45 / N), trial(1, error=10 / N), optimize="error", satisfy={}, matrix=matrix)
    assert turned["text"].startswith("Trial 2 is worse than trial 1 on 360 dev examples: error 12.5 % and 2.8 %")


def test_scores_point_the_other_way(tmp_path: Path) -> None:
    answers = {1: wrong_on(*range(10)), 2: wrong_on(*range(45))}
    trials = [trial(number, f1=score("f1", each)) for number, each in answers.items()]
    found = verdict(trials[0], trials[1], optimize="f1", satisfy={}, matrix=make_matrix(tmp_path, answers))
    assert found["apart"]
    assert found["ahead"]["value"] == pytest.approx(trials[0].metrics["f1"] - trials[1].metrics["f1"])
    assert found["ahead"]["low"] > 0


def test_equal_answers_are_called_so(tmp_path: Path) -> None:
    matrix = make_matrix(tmp_path, {1: wrong_on(4), 2: wrong_on(4)})
    found = verdict(trial(1, error=1 / N), trial(2, error=1 / N), optimize="error", satisfy={}, matrix=matrix)
    assert found["text"] == (
        "Trial 1 and trial 2 cannot be told apart: they give the same answers on 360 dev examples."
    )


def test_the_contract_speaks_first(tmp_path: Path) -> None:
    matrix = make_matrix(tmp_path, {1: wrong_on(4), 2: wrong_on(5)})
    good, bad = trial(1, error=0.1, recall=0.96), trial(2, error=0.01, recall=0.93)
    satisfy = {"recall": ">= 0.95", "latency_ms": "<= 20"}
    fast = [trial(each.number, **each.metrics, latency_ms=3.0) for each in (good, bad)]
    found = verdict(fast[0], fast[1], optimize="error", satisfy=satisfy, matrix=matrix)
    assert found["text"] == "Trial 1 meets every limit; trial 2, the next, does not: recall 0.93 (limit >= 0.95)."
    assert (found["by"], found["apart"], found["ahead"]) == ("contract", None, None)
    nobody = verdict(bad, good, optimize="error", satisfy=satisfy, matrix=matrix)
    assert nobody["text"] == (
        "No trial meets every limit; trial 2 comes nearest: "
        "recall 0.93 (limit >= 0.95), latency_ms was not measured (limit <= 20)."
    )


def test_nothing_to_compare_is_said(tmp_path: Path) -> None:
    alone = verdict(trial(1, error=0.1), None, optimize="error", satisfy={})
    assert alone["text"] == "Trial 1 is the only one, so there is nothing to compare it with."
    lost = verdict(trial(1, error=0.1), trial(2, error=0.2), optimize="error", satisfy={})
    assert lost["text"] == "Trial 1 and trial 2 cannot be compared: their answers on dev were not kept."
    nothing = Answers(np.full(N, -1), TRUTH, ("no", "yes"))
    matrix = make_matrix(tmp_path, {1: nothing, 2: nothing})
    unlabelled = verdict(trial(1), trial(2), optimize="error", satisfy={}, matrix=matrix)
    assert unlabelled["by"] == "none"


def test_an_undefined_metric_is_called_so(tmp_path: Path) -> None:
    ones = Answers(np.ones(9, dtype=np.int64), np.ones(9, dtype=np.int64), ("no", "yes"), np.full((9, 2), 0.5))
    matrix = make_matrix(tmp_path, {1: ones, 2: ones})
    found = verdict(trial(1), trial(2), optimize="roc_auc", satisfy={}, matrix=matrix)
    assert found["text"] == "Trial 1 and trial 2 cannot be compared: roc_auc is not a number on 9 dev examples."
    assert found["ahead"] == {"value": None, "low": None, "high": None}


def test_seeds_without_answers_are_compared_by_welch() -> None:
    ours, theirs = [0.030, 0.034, 0.026, 0.031], [0.051, 0.047, 0.044]
    found = verdict(trial(1), trial(2), optimize="error", satisfy={}, seeds=(ours, theirs))
    welch = stats.ttest_ind(theirs, ours, equal_var=False).confidence_interval()
    assert (found["ahead"]["low"], found["ahead"]["high"]) == pytest.approx((welch.low, welch.high))
    assert found["text"].startswith("Trial 1 is better than trial 2 over 3 and 4 seeds: mean error 3.0 % and 4.7 %")


def test_seeds_do_not_make_dev_larger(tmp_path: Path) -> None:
    matrix = make_matrix(tmp_path, {1: wrong_on(*range(10)), 2: wrong_on(*range(8, 19))})
    ours, theirs = [0.0278] * 5, [0.0306, 0.0305, 0.0307, 0.0306, 0.0306]
    first, second = trial(1, error=0.0278), trial(2, error=0.0306)
    blind = verdict(first, second, optimize="error", satisfy={}, seeds=(ours, theirs))
    found = verdict(first, second, optimize="error", satisfy={}, seeds=(ours, theirs), matrix=matrix)
    assert blind["apart"]
    assert not found["apart"]
    assert found["text"].startswith(
        "Trial 1 and trial 2 cannot be told apart over 5 seeds and 360 dev examples: mean error 2.8 % and 3.1 %"
    )


def test_seeds_that_all_agree_leave_nothing_to_chance() -> None:
    found = verdict(trial(1), trial(2), optimize="rmse", satisfy={}, seeds=([4.0, 4.0], [5.0, 5.0]))
    assert found["ahead"] == {"value": 1.0, "low": 1.0, "high": 1.0}


def test_a_single_seed_that_is_left_falls_back_on_examples(tmp_path: Path) -> None:
    matrix = make_matrix(tmp_path, {1: wrong_on(4), 2: wrong_on(5)})
    found = verdict(
        trial(1, error=0.1), trial(2, error=0.1), optimize="error", satisfy={}, matrix=matrix, seeds=([0.1], [0.1, 0.1])
    )
    assert found["by"] == "examples"


def test_the_t_interval_is_scipys() -> None:
    values = [0.91, 0.94, 0.90, 0.95, 0.93]
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    assert t_interval(values) == pytest.approx((np.mean(values), expected.low, expected.high))
    assert t_interval([1.0]) == (1.0, -inf, inf)
    assert t_interval([1.0, 1.0]) == (1.0, 1.0, 1.0)


def test_the_best_of_many_equals_is_seldom_told_apart_from_the_next() -> None:
    """No correction for having picked the two among twenty: the error stays below the level."""
    n, wrong = 300, 0
    truth = np.zeros(n, dtype=np.int64)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        hard = rng.beta(0.3, 2.7, n)
        answers = (rng.random((20, n)) < hard).astype(np.int64)
        first, second = answers[np.argsort(answers.sum(1), kind="stable")[:2]]
        found = paired_difference(Answers(truth, first, ("a", "b")), Answers(truth, second, ("a", "b")), "error")
        wrong += found.low > 0 or found.high < 0
    assert wrong / 200 <= 0.05
