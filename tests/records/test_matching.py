"""Two models on the same examples: rows, classes, truth, weights."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlproj.errors import InvalidInput
from mlproj.records import Answers, Predictions
from mlproj.records.matching import match, only_one_right

NAMES = ("no", "yes")


def model(ids: str, truth: list[int], answers: list[int], classes: tuple[str, ...] = NAMES, **more: Any) -> Predictions:
    return Predictions(
        np.array(list(ids)),
        np.full(len(ids), "dev"),
        {"": Answers(np.array(truth), np.array(answers), classes)},
        **more,
    )


def test_rows_are_matched_by_id_and_what_only_one_answered_is_counted() -> None:
    pair = match(model("abcd", [0, 1, 0, 1], [0, 1, 1, 1]), model("xdba", [0, 1, 1, 0], [0, 0, 1, 0]))
    assert pair.first.ids.tolist() == ["a", "b", "d"]
    assert pair.second.answers.y_pred.tolist() == [0, 1, 0]
    assert pair.left_out == (1, 1)


def test_classes_in_another_order_are_one_coding_with_their_probabilities() -> None:
    a, b = model("abc", [0, 1, 1], [0, 1, 0]), model("abc", [1, 0, 0], [1, 0, 1], ("yes", "no"))
    p = np.array([[0.1, 0.9], [0.7, 0.3], [0.4, 0.6]])
    b = replace(b, labels={"": replace(b.answers, p=p)})
    pair = match(a, b)
    assert pair.second.answers.classes == NAMES
    assert pair.second.answers.y_pred.tolist() == [0, 1, 0]
    assert pair.second.answers.p is not None
    assert pair.second.answers.p.tolist() == p[:, ::-1].tolist()


def test_a_class_that_only_one_knows_is_a_class_of_both() -> None:
    pair = match(model("ab", [0, 1], [0, 1], ("cat", "dog")), model("ab", [0, 1], [0, 2], ("cat", "dog", "cow")))
    assert pair.first.answers.classes == pair.second.answers.classes == ("cat", "dog", "cow")


def test_spellings_of_one_class_are_one_class() -> None:
    pair = match(model("ab", [0, 1], [0, 1], ("0", "1")), model("ab", [0, 1], [1, 1], ("0.0", "1.0")))
    assert pair.second.answers.classes == ("0", "1")


def test_truth_that_only_one_knows_counts_for_both() -> None:
    pair = match(model("ab", [-1, -1], [0, 1]), model("ab", [0, 1], [1, 1]))
    assert pair.first.answers.y_true.tolist() == [0, 1]
    assert pair.relabelled == 0


def test_labels_that_were_corrected_are_those_of_the_judge_and_counted() -> None:
    a, b = model("abcd", [0, 1, 0, 1], [0, 1, 0, 1]), model("abcd", [0, 1, 1, 1], [0, 1, 0, 1])
    assert match(a, b, judge="second").first.answers.y_true.tolist() == [0, 1, 1, 1]
    assert match(a, b, judge="first").second.answers.y_true.tolist() == [0, 1, 0, 1]
    assert match(a, b, judge="first").relabelled == 1


def test_numbers_written_with_fewer_digits_are_the_same_truth() -> None:
    a = replace(model("ab", [0, 1], [0, 1]), labels={"": Answers(np.array([1 / 3, 2.0]), np.zeros(2))})
    b = replace(a, labels={"": Answers(np.array([0.33333333, 2.0]), np.ones(2))})
    assert match(a, b).relabelled == 0


def test_weights_and_groups_come_from_whoever_has_them() -> None:
    a, b = model("ab", [0, 1], [0, 1]), model("ba", [1, 0], [1, 1], weight=np.array([5.0, 1.0]))
    pair = match(a, b)
    assert pair.first.weight is not None
    assert pair.first.weight.tolist() == [1.0, 5.0]
    other = match(replace(a, weight=np.ones(2)), b)
    assert other.notes == ("Their weights differ: those of a count for both.",)


def test_a_single_label_is_the_same_whatever_it_is_called() -> None:
    a, b = model("ab", [0, 1], [0, 1]), model("ab", [0, 1], [0, 1])
    assert list(match(a, replace(b, labels={"cat": b.answers})).second.labels) == [""]


def test_of_several_labels_the_common_ones_are_compared() -> None:
    one = model("ab", [0, 1], [0, 1]).answers
    a = replace(model("ab", [0, 1], [0, 1]), labels={"cat": one, "dog": one, "cow": one})
    pair = match(a, replace(a, labels={"cat": one, "dog": one}))
    assert list(pair.first.labels) == ["cat", "dog"]
    assert "'cow'" in pair.notes[0]


def test_only_one_right_counts_answers_whose_label_is_known() -> None:
    a, b = (Answers(np.array([0, 1, 1, -1]), np.array(y), NAMES) for y in ([0, 0, 1, 1], [1, 1, 1, 0]))
    assert only_one_right({"": a}, {"": b}) == (1, 1)
    assert only_one_right({"": Answers(np.ones(2), np.ones(2))}, {"": Answers(np.ones(2), np.ones(2))}) is None


ONE = model("ab", [0, 1], [0, 1])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (model("xy", [0, 1], [0, 1]), r"no example in common; keras holds 'a' and wide holds 'x'(?s:.)*column `id`"),
        (model("bb", [0, 1], [0, 1]), r"wide holds the id 'b' more than once(?s:.)*an id of its own"),
        (model("ab", [0, 0], [0, 1]), r"1 of 2 labels differ, first 'b': keras says yes and wide says no(?s:.)*y_true"),
        (model("ab", [0, 1], [0, 1], ("cat", "dog")), r"no class(?s:.)*keras answers no, yes and wide answers cat"),
        (replace(ONE, labels={"": Answers(np.zeros(2), np.ones(2))}), r"holds classes and wide holds numbers"),
        (replace(ONE, labels={"x": ONE.answers, "y": ONE.answers}), r"in common: keras answers a single label"),
        (model("", [], []), r"no example in common; keras holds 'a' and wide holds none"),
    ],
)  # fmt: skip
def test_what_cannot_be_held_together_is_refused_with_a_way_out(other: Predictions, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        match(ONE, other, names=("keras", "wide"))


def test_ids_that_mean_other_examples_are_no_corrections() -> None:
    a, b = model("abcd", [0, 1, 0, 1], [0] * 4), model("abcd", [1, 0, 1, 1], [0] * 4)
    with pytest.raises(InvalidInput, match="3 of 4 labels differ"):
        match(a, b, judge="second")


def test_without_any_truth_nothing_can_be_said() -> None:
    a = model("ab", [-1, -1], [0, 1])
    with pytest.raises(InvalidInput, match=r"neither a nor b has any(?s:.)*Add the column y_true"):
        match(a, a)
