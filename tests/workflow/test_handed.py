"""Answers that a user's own loop hands in, in every form a framework has, and what does not fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlproj.data import Dataset, load_dataset
from mlproj.errors import InvalidInput
from mlproj.metrics import measure
from mlproj.spec.data import Data
from mlproj.spec.goal import MetricSpec
from mlproj.spec.project import Project
from mlproj.workflow.handed import gather_answers


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    from flower_project import write_flowers

    import mlproj

    return load_dataset(mlproj.load_project(write_flowers(tmp_path_factory.mktemp("handed"))))


@pytest.fixture
def churn(tmp_path: Path) -> Dataset:
    """A binary label with weights, groups and a recall contract."""
    rng = np.random.default_rng(0)
    n = 300
    frame = pd.DataFrame({"x": rng.normal(size=n), "user": np.arange(n) // 2, "w": 1 + np.arange(n) % 3})
    frame["left"] = np.where(frame["x"] + rng.normal(size=n) > 1, "yes", "no")
    frame.to_csv(tmp_path / "churn.csv", index=False)
    data = Data(source=str(tmp_path / "churn.csv"), label="left", group="user", weight={"column": "w"})  # type: ignore[arg-type]  # as YAML gives it
    metric = MetricSpec(optimize="precision", satisfy={"recall": ">= 0.9"})
    return load_dataset(Project(name="churn", data=data, metric=metric))


def error_of(given: Any, dataset: Dataset, split: str = "dev") -> float:
    found, _ = gather_answers({split: given}, dataset)
    return measure(["error"], found.part(split).labels)["error"]


def truth(dataset: Dataset) -> tuple[np.ndarray, list[str]]:
    part, classes = dataset.parts["dev"], dataset.target.classes[0]
    return part.y[:, 0].astype(int), [classes[int(code)] for code in part.y[:, 0]]


def test_names_positions_probabilities_tables_and_series_mean_the_same(flowers: Dataset) -> None:
    codes, names = truth(flowers)
    ids, p = flowers.parts["dev"].ids, np.eye(3)[codes] * 0.8 + 0.2 / 3
    by_id = pd.DataFrame({"y_pred": names}, index=pd.Index(ids, name="id")).sample(frac=1, random_state=1)
    given = [
        names, codes, codes.astype(float), p, p.astype(np.float32), by_id, by_id["y_pred"], by_id.reset_index(),
        pd.DataFrame({"uid": ids, "y_pred": names}), pd.Series(names),
        pd.DataFrame(p, columns=["p_iris", "p_lily", "p_rose"]),
    ]  # fmt: skip
    assert [error_of(answers, flowers) for answers in given] == [0] * len(given)
    assert error_of([{"iris": "lily"}.get(name, name) for name in names], flowers) == pytest.approx(np.mean(codes == 0))


def test_tensors_of_every_precision_are_read(flowers: Dataset) -> None:
    import torch

    p = torch.nn.functional.one_hot(torch.tensor(truth(flowers)[0]), 3).float().requires_grad_()
    for tensor in (p, p.double(), p.bfloat16(), p.argmax(-1)):
        assert error_of(tensor, flowers) == 0


def test_weights_and_groups_are_the_projects(churn: Dataset) -> None:
    found, _ = gather_answers({"dev": truth(churn)[1]}, churn)
    assert found.weight is not None
    assert found.weight.tolist() == churn.parts["dev"].weight.tolist()  # type: ignore[union-attr]  # the project has weights
    assert found.group is not None


def test_probabilities_are_answered_at_the_threshold_that_a_training_would_take(churn: Dataset) -> None:
    x = churn.parts["dev"].frame["x"].astype(float).to_numpy()
    found, notes = gather_answers({"dev": 1 / (1 + np.exp(2 - x))}, churn)
    assert notes
    assert "chosen on dev" in notes[0]
    assert measure(["recall"], found.labels, found.weight)["recall"] >= 0.9


def test_certain_probabilities_beside_fractions_stay_probabilities(churn: Dataset) -> None:
    y = {split: part.y[:, 0].astype(float) for split, part in churn.parts.items()}
    found, _ = gather_answers({"train": y["train"], "dev": y["dev"] * 0.8 + 0.1}, churn)
    p = found.answers.p
    assert p is not None
    assert set(np.unique(p[found.split == "train"])) == {0.0, 1.0}


def test_a_table_with_ids_may_answer_a_part(flowers: Dataset) -> None:
    ids, names = flowers.parts["dev"].ids, truth(flowers)[1]
    found, _ = gather_answers({"dev": pd.DataFrame({"id": ids[:40], "y_pred": names[:40]})}, flowers)
    assert found.ids.tolist() == ids[:40].tolist()


def test_several_labels_have_a_column_each(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=90), "cat": rng.integers(0, 2, 90), "dog": rng.integers(0, 2, 90)})
    frame.to_csv(tmp_path / "pets.csv", index=False)
    pets = load_dataset(Project(name="pets", data=Data(source=str(tmp_path / "pets.csv"), label=("cat", "dog"))))
    y = pets.parts["dev"].y
    table = pd.DataFrame({"y_pred:cat": y[:, 0].astype(int), "p:dog": y[:, 1] * 0.8 + 0.1})
    assert [error_of(given, pets) for given in (y, y.astype(int), y * 0.8 + 0.1, table)] == [0] * 4
    with pytest.raises(InvalidInput, match=r"has the shape \(\d+,\) for 2 labels\n  One column per label.*cat, dog"):
        gather_answers({"dev": y[:, 0]}, pets)


def test_numbers_that_name_the_other_class_by_position_are_refused(tmp_path: Path) -> None:
    pd.DataFrame({"x": range(60), "y": [0, 1] * 30}).to_csv(tmp_path / "d.csv", index=False)
    turned = load_dataset(Project(name="p", data=Data(source=str(tmp_path / "d.csv"), label="y", positive=0)))
    with pytest.raises(InvalidInput, match=r"0 is the name of the positive class and the position of the other"):
        gather_answers({"dev": turned.parts["dev"].y[:, 0].astype(int)}, turned)


def test_a_quantity_is_one_finite_number_per_example(tmp_path: Path) -> None:
    pd.DataFrame({"x": range(60), "y": np.arange(60) * 1.5}).to_csv(tmp_path / "d.csv", index=False)
    prices = load_dataset(Project(name="p", data=Data(source=str(tmp_path / "d.csv"), label="y")))
    y = prices.parts["dev"].y
    for given in (y, y[:, 0], y[:, 0].tolist(), pd.DataFrame({"y_pred": y[:, 0]})):
        assert measure(["rmse"], gather_answers({"dev": given}, prices)[0].labels)["rmse"] == pytest.approx(0, abs=1e-9)
    for given, words in (
        (np.hstack([y, y]), r"has the shape"),
        (["a"] * len(y), "no number"),
        (y + np.inf, "not finite"),
    ):
        with pytest.raises(InvalidInput, match=words):
            gather_answers({"dev": given}, prices)


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ({}, 'predictions: is empty\n  Hand in at least {"dev": …}'),
        ([1, 2], 'predictions: is a list, not answers by split\n  Hand in {"train": …, "dev": …}'),
        ({"test": [1]}, "'test' is no split .* may be seen\n  There are train and train_dev and dev; test is sealed"),
        ({"validation": [1]}, "'validation' is no split of the project"),
        ({"dev": np.zeros(3)}, r"predictions\['dev'\]: holds 3 answers for 150 examples\n  One answer per row"),
        ({"dev": 3}, "holds 1 answers for 150 examples"),
        ({"dev": [[1], [1, 2]]}, "holds rows of different lengths"),
        ({"dev": np.zeros((150, 3))}, "sums to 0 at position 0, not to 1"),
        ({"dev": np.full((150, 2), 0.5)}, "has 2 columns for 3 classes\n  One column per class.*iris, lily, rose"),
        ({"dev": np.full((150, 3), 4.2)}, "holds 4.2, which is no probability: these look like logits\n.*softmax"),
        ({"dev": np.full((150, 3), -2.5)}, "holds -2.5, which is no probability: these look like logits"),
        ({"dev": np.full((150, 3), np.nan)}, "holds .* at position 0, which is not finite"),
        ({"dev": np.full(150, 0.7)}, "holds one number per example for 3 classes\n  Give probabilities"),
        ({"dev": ["cat"] * 150}, "answers 'cat', which is no class\n  The classes are iris, lily, rose"),
        ({"dev": np.full(150, 7)}, "answers '7', which is no class.*\n.*If these are logits: turn them"),
        ({"dev": np.zeros((150, 3, 2))}, r"has the shape \(150, 3, 2\)"),
        ({"dev": [None] * 150}, "answers 'None', which is no class"),
        ({"dev": pd.DataFrame({"answer": ["iris"] * 150})}, "has no column y_pred or p_<class>.*\n  Rename `answer`"),
        ({"dev": pd.DataFrame({"y_pred": ["iris"] * 9})}, "holds 9 answers for 150 examples\n  One row per row"),
        ({"dev": pd.DataFrame({"y_pred": []})}, "has no rows"),
        ({"dev": pd.DataFrame({"id": ["k"], "y_pred": ["iris"]})}, "1 of 1 ids are not in dev: first 'k'"),
        ({"dev": pd.DataFrame({"id": ["1"], "y_pred": ["iris"]})}, "first '1', which is in train"),
        ({"dev": pd.DataFrame({"p_iris": [2.0] * 150, "p_lily": [0.0] * 150, "p_rose": [0.0] * 150})}, "softmax"),
        ({"dev": pd.DataFrame({"y_pred": [1, "iris"] * 75})}, "holds cells of several kinds"),
    ],
)
def test_answers_that_do_not_fit_are_refused(flowers: Dataset, predictions: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        gather_answers(predictions, flowers)


def test_every_split_that_does_not_fit_is_named_at_once(flowers: Dataset) -> None:
    with pytest.raises(InvalidInput, match=r"(?s)predictions\['train'\].*predictions\['dev'\]"):
        gather_answers({"dev": [1], "train": [1]}, flowers)
    first = str(flowers.parts["dev"].ids[0])
    twice = pd.DataFrame({"id": [first, first], "y_pred": ["iris", "iris"]})
    with pytest.raises(InvalidInput, match=f"1 ids stand in several rows, first '{first}'"):
        gather_answers({"dev": twice}, flowers)
