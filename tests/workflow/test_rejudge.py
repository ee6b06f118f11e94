"""Stored runs by corrected labels: known answers of the course, and intervals that hold."""

from typing import Any

import numpy as np
import pytest

from mlproj.data.corrections_file import Correction
from mlproj.records import Answers, Predictions, Run
from mlproj.spec.project import Project
from mlproj.workflow.rejudge import Rejudged, rank, rejudge, relabelled

N = 1000
PROJECT = Project.model_validate({"name": "cats", "data": {"source": "a.csv", "label": "cat"}})
WRONG_LABELS = [Correction(str(i), "yes", "no") for i in range(6)]
"""Six examples of 1,000 that the data call no and that are yes."""


def judged(name: str, wrong: Any, split: str = "dev", **more: Any) -> Rejudged:
    """A model that answers wrong at the given rows, by the labels of the data: all no."""
    y_pred = np.zeros(N, np.int64)
    y_pred[wrong] = 1
    answers = Answers(np.zeros(N, np.int64), y_pred, ("no", "yes"))
    predictions = Predictions(np.arange(N).astype(np.str_), np.full(N, split), {"": answers}, **more)
    found = rejudge(Run(name, name, "train", "FINISHED", 0.0), predictions, PROJECT, WRONG_LABELS, metric="error")
    assert found is not None
    return found


def test_two_per_cent_of_which_six_tenths_are_labels_leave_one_point_four() -> None:
    change = judged("cat", range(20)).changes[0]
    assert (change.before, change.n) == (0.02, N)
    assert change.after == pytest.approx(0.014)
    assert change.low is not None
    assert change.high is not None
    assert change.low < change.after - change.before == pytest.approx(-0.006)
    assert change.high < 0


def test_ten_per_cent_of_which_six_tenths_are_labels_leave_nine_point_four() -> None:
    assert judged("cat", range(100)).changes[0].after == pytest.approx(0.094)


def test_a_right_answer_to_a_wrong_label_becomes_an_error() -> None:
    change = judged("cat", range(500, 520)).changes[0]
    assert change.before == 0.02
    assert change.after == pytest.approx(0.026)


def test_models_at_1_9_and_2_1_per_cent_may_change_places() -> None:
    first, second = judged("a", range(21)), judged("b", range(100, 119))
    found = rank([first, second], "error", {})
    assert found is not None
    assert (found.before, found.after, found.changed) == (("b", "a"), ("a", "b"), True)
    assert found.text == "The best two by error changed: a before b now, b before a by the labels of the data."


def test_models_that_stay_in_order_are_told_so_and_one_model_has_no_order() -> None:
    found = rank([judged("a", range(30)), judged("b", range(20))], "error", {})
    assert found is not None
    assert not found.changed
    assert found.text == "The best two by error stay in order: b before a."
    assert rank([judged("a", range(30))], "error", {}) is None


def test_no_changed_label_is_no_change() -> None:
    answers = Answers(np.zeros(N, np.int64), np.zeros(N, np.int64), ("no", "yes"))
    predictions = Predictions(np.arange(N).astype(np.str_), np.full(N, "dev"), {"": answers})
    run = Run("r", "r", "train", "FINISHED", 0.0)
    found = rejudge(run, predictions, PROJECT, [Correction("somebody else", "yes", "no")], metric="error")
    assert found is not None
    assert (found.changes[0].low, found.changes[0].high, found.changes[0].after) == (0.0, 0.0, 0.0)


def test_losses_of_which_few_changed_have_no_limits_that_hold() -> None:
    values = np.arange(100.0)
    predictions = Predictions(np.arange(100).astype(np.str_), np.full(100, "dev"), {"": Answers(values, values)})
    run = Run("r", "r", "train", "FINISHED", 0.0)
    limits = {}
    for n in (3, 30):
        rows = [Correction(str(i), str(i + 1 + i % 3), str(i)) for i in range(n)]
        found = rejudge(run, predictions, PROJECT, rows, metric="mae")
        assert found is not None
        limits[n] = {change.metric: change.low for change in found.changes}
    assert limits[3] == {"rmse": None, "mae": None}
    assert all(low is not None for low in limits[30].values())


def test_other_splits_are_judged_where_they_hold_a_corrected_label() -> None:
    split = np.where(np.arange(N) < 500, "train", "dev")
    answers = Answers(np.zeros(N, np.int64), np.zeros(N, np.int64), ("no", "yes"))
    predictions = Predictions(np.arange(N).astype(np.str_), split, {"": answers})
    found = rejudge(Run("r", "r", "train", "FINISHED", 0.0), predictions, PROJECT, WRONG_LABELS, metric="f1")
    assert found is not None
    assert [(c.split, c.metric, c.before, c.after) for c in found.changes if c.metric == "error"] == [
        ("train", "error", 0.0, 0.012),
        ("dev", "error", 0.0, 0.0),
    ]


def test_a_class_that_the_model_never_met_is_still_a_truth() -> None:
    answers = Answers(np.array([0, 1]), np.array([0, 1]), ("cat", "dog"), np.array([[0.9, 0.1], [0.2, 0.8]]))
    predictions = Predictions(np.array(["7", "8"]), np.array(["dev", "dev"]), {"": answers})
    found = relabelled(predictions, [Correction("8", "bird", "dog")]).answers
    assert (found.classes, found.y_true.tolist()) == (("cat", "dog", "bird"), [0, 2])
    assert found.p is not None
    assert found.p.tolist() == [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]]


def test_numbers_are_corrected_as_numbers_and_of_several_labels_the_one_that_is_meant() -> None:
    ids, split = np.array(["7", "8"]), np.array(["dev", "dev"])
    number = Predictions(ids, split, {"": Answers(np.array([1.0, 2.0]), np.array([1.0, 3.0]))})
    assert relabelled(number, [Correction("8", "3", "2")]).answers.y_true.tolist() == [1.0, 3.0]
    truth = Answers(np.array([0, 0]), np.array([0, 1]), ("0", "1"))
    several = relabelled(Predictions(ids, split, {"cat": truth, "dog": truth}), [Correction("8", "1", "0", of="dog")])
    assert [each.y_true.tolist() for each in several.labels.values()] == [[0, 0], [0, 1]]


def test_the_interval_of_the_change_covers_it(seed: int) -> None:
    rng, covered = np.random.default_rng(seed), 0
    for _ in range(300):  # 5 % of labels are wrong; the model contradicts 80 % of those, and 6 % of the right ones
        bad = rng.random(300) < 0.05
        y_pred = np.where(bad, rng.random(300) < 0.8, rng.random(300) < 0.06).astype(np.int64)
        answers = Answers(np.zeros(300, np.int64), y_pred, ("no", "yes"))
        predictions = Predictions(np.arange(300).astype(np.str_), np.full(300, "dev"), {"": answers})
        rows = [Correction(str(i), "yes", "no") for i in np.flatnonzero(bad)]
        found = rejudge(Run("r", "r", "train", "FINISHED", 0.0), predictions, PROJECT, rows, metric="error")
        assert found is not None
        low, high = found.changes[0].low, found.changes[0].high
        assert low is not None
        assert high is not None
        covered += low <= 0.05 * (0.2 - 0.8) <= high
    assert covered / 300 >= 0.92
