"""Labels become numbers and outputs become answers: N examples, L labels, K outputs."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from mlproj.data.target import Target
from mlproj.data.task import order_classes
from mlproj.errors import InvalidInput
from mlproj.spec.data import Data
from mlproj.spec.project import Project


def fit(cells: Any, task: Any = "classification", train: Any = None, **data: Any) -> Target:
    columns = cells if isinstance(cells, dict) else {"y": cells}
    frame = pd.DataFrame({name: pd.Series(values) for name, values in columns.items()})
    project = Project(name="p", data=Data(source="a.csv", **({"label": "y"} | data)))
    rows = np.ones(len(frame), np.bool_) if train is None else np.array(train)
    return Target.fit(project, frame, labels=tuple(columns), task=task, train=rows)


def test_the_positive_class_stands_second() -> None:
    assert fit(["yes", "no", None]).classes == (("no", "yes"),)
    assert fit(["cat", "dog"], positive="cat").classes == (("dog", "cat"),)
    assert fit(["True", "False"], positive=True).classes == (("False", "True"),)
    assert fit([1, 0, 1], positive=0).classes == (("1", "0"),)
    assert fit(["1.0", "0.0"], positive=1).classes == (("0", "1"),)


@pytest.mark.parametrize(
    ("cells", "classes", "named"),
    [
        (["Yes", "No"], ("No", "Yes"), True),
        ([True, False], ("False", "True"), True),
        (["dog", "cat"], ("cat", "dog"), False),
        ([1, 2], ("2", "1"), True),
        (["yes", "true"], ("true", "yes"), False),
    ],
)
def test_the_positive_class_is_known_by_its_name_or_not_at_all(cells: Any, classes: Any, named: bool) -> None:
    target = fit(cells)
    assert (target.classes[0], target.positive_named) == (classes, named)


def test_a_positive_class_that_is_none_names_the_two_there_are() -> None:
    with pytest.raises(InvalidInput, match=r"data\.positive: 'cow' is not among the classes; they are 'cat' and 'dog'"):
        fit(["cat", "dog"], positive="cow")
    with pytest.raises(InvalidInput, match="has 3: 'a', 'b' and 'c'"):
        fit(["a", "b", "c"], positive="a")


def test_classes_of_numbers_are_in_the_order_of_numbers() -> None:
    assert fit([10, 9, 2]).classes == (("2", "9", "10"),)
    assert order_classes(Project(name="p", data=Data(source="a.csv")), ["b", "10", "9"])[0] == ("10", "9", "b")


def test_binary_labels_are_zero_one_or_missing() -> None:
    target = fit(["no", "yes"])
    y = target.encode(pd.DataFrame({"y": ["yes", None, "no", "NA"]}))
    assert (y.dtype.name, target.n_outputs) == ("float32", 1)
    np.testing.assert_array_equal(y, [[1], [np.nan], [0], [np.nan]])


def test_many_classes_are_positions() -> None:
    target = fit(["a", "b", "c"])
    y = target.encode(pd.DataFrame({"y": ["c", None, "a"]}))
    assert (y.dtype.name, y.ravel().tolist(), target.n_outputs) == ("int64", [2, -1, 0], 3)


def test_a_label_means_the_same_in_every_form() -> None:
    target = fit(["1", "2", "3"])
    frame = pd.DataFrame({"y": [3.0, 1.0]})
    assert target.encode(frame).ravel().tolist() == [2, 0]


def test_several_yes_no_labels_are_masked_where_missing() -> None:
    target = fit({"cat": ["1", "0", None], "dog": ["Yes", None, "no"]}, label=("cat", "dog"))
    assert (target.kind, target.n_outputs, target.classes) == ("binary", 2, (("0", "1"), ("no", "Yes")))
    y = target.encode(pd.DataFrame({"cat": ["yes", "", "0"], "dog": [True, None, False]}))
    np.testing.assert_array_equal(y, [[1, 1], [np.nan, np.nan], [0, 0]])


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (["yes"], ("no", "yes")),
        (["NO"], ("NO", "YES")),
        (["True"], ("False", "True")),
        (["0"], ("0", "1")),
        ([], ("0", "1")),
    ],
)
def test_a_yes_no_label_with_one_answer_has_the_usual_other_one(cells: list[str], classes: tuple[str, str]) -> None:
    assert fit({"a": pd.Series(cells, dtype="str")}, label=("a",)).classes == (classes,)


def test_a_quantity_is_standardised_on_train_only_and_comes_back_in_its_unit() -> None:
    target = fit([1.0, 3.0, 100.0], "regression", train=[True, True, False])
    assert (target.mean, target.std) == (2.0, 1.0)
    y = target.encode(pd.DataFrame({"y": ["5", "", "2"]}))
    np.testing.assert_array_equal(y.ravel(), [5, np.nan, 2])
    np.testing.assert_array_equal(target.to_learn(y).ravel(), [3, np.nan, 0])
    answers = target.decode(target.to_learn(y), y)[""]
    np.testing.assert_array_equal(answers.y_pred, [5, np.nan, 2])
    np.testing.assert_array_equal(answers.y_true, [5, np.nan, 2])
    assert answers.classes == ()


def test_a_logarithmic_quantity_is_learned_on_its_log_scale() -> None:
    target = fit([1.0, np.e**2], "regression", label_scale="log")
    assert [target.mean, target.std] == pytest.approx([1, 1])
    assert target.decode(np.array([[0.0], [1.0]]))[""].y_pred == pytest.approx([np.e, np.e**2])
    assert np.isfinite(target.decode(np.array([[1e9]]))[""].y_pred).all()


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_learning_scale_and_back_is_the_identity(values: list[float]) -> None:
    target = fit(values, "regression")
    y = np.array(values)[:, None]
    back = target.decode(target.to_learn(y))[""].y_pred
    np.testing.assert_allclose(back, values, rtol=1e-5, atol=1e-5 * max(target.std, 1e-5))


def test_binary_outputs_become_probabilities_and_answers_at_the_threshold() -> None:
    target, z = fit(["no", "yes"]), np.array([[-800.0], [0.0], [0.1], [800.0]])
    answers = target.decode(z, np.array([[0], [1], [np.nan], [1]], np.float32))[""]
    assert answers.p is not None
    np.testing.assert_allclose(answers.p[:, 1], special.expit(z[:, 0]))
    np.testing.assert_allclose(answers.p.sum(axis=1), 1)
    assert answers.y_pred.tolist() == [0, 1, 1, 1]
    assert answers.y_true.tolist() == [0, 1, -1, 1]
    assert target.decode(z, threshold=0.51)[""].y_pred.tolist() == [0, 0, 1, 1]


def test_outputs_of_many_classes_become_a_softmax() -> None:
    target, z = fit(["a", "b", "c", "d"]), np.array([[5.0, 2.0, -1.0, 3.0], [-900, 0, 900, 1]])
    answers = target.decode(z, np.array([[0], [-1]]))[""]
    assert answers.p is not None
    np.testing.assert_allclose(answers.p, special.softmax(z, axis=1))
    assert answers.p[0].round(3).tolist() == [0.842, 0.042, 0.002, 0.114]
    assert (answers.y_pred.tolist(), answers.y_true.tolist()) == ([0, 2], [0, -1])
    assert answers.classes == ("a", "b", "c", "d")


def test_several_labels_are_answered_by_name() -> None:
    target = fit({"cat": [1, 0], "dog": [0, 1]}, label=("cat", "dog"))
    decoded = target.decode(np.array([[1.0, -1.0]]), np.array([[1, np.nan]], np.float32))
    assert {name: answers.y_pred.tolist() for name, answers in decoded.items()} == {"cat": [1], "dog": [0]}
    assert {name: answers.y_true.tolist() for name, answers in decoded.items()} == {"cat": [1], "dog": [-1]}


@pytest.mark.parametrize(
    "target",
    [
        fit(["no", "yes"]),
        fit(["a", "b", "c"]),
        fit({"a": ["1", "0"], "b": ["yes", "no"]}, label=("a", "b")),
        fit([1.0, 2.0, 5.0], "regression", label_scale="log"),
    ],
    ids=lambda target: target.kind,
)
def test_a_target_comes_back_from_json_equal(target: Target) -> None:
    assert Target.from_json(json.loads(json.dumps(target.to_json()))) == target


@pytest.mark.parametrize(
    ("target", "cell", "fragments"),
    [
        (fit(["no", "yes"]), "maybe", ["row 2 holds 'maybe'", "'no' and 'yes'"]),
        (fit([1.0, 2.5], "regression"), "many", ["row 2 holds 'many'", "a number"]),
        (fit({"y": ["1", "0"]}, label=("y",)), "perhaps", ["row 2 holds 'perhaps'", "yes or no"]),
    ],
)
def test_a_label_that_was_not_learned_is_refused(target: Target, cell: str, fragments: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        target.encode(pd.DataFrame({"y": pd.Series([None, cell], dtype="str")}))
    assert all(fragment in str(caught.value) for fragment in ["column 'y'", *fragments])
