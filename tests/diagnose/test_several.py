"""Ladders of several labels and of tasks of different kinds: their mean, and each one's own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlproj.diagnose import ladder_of, render_text, to_document
from mlproj.diagnose.several import constant_losses, measure_several
from mlproj.errors import InvalidInput
from mlproj.records import Answers, Predictions
from mlproj.records.files import read_predictions, write_predictions
from mlproj.spec.goal import HumanLevel

CLASSES = ("no", "yes")
RATES = {"car": (0.02, 0.10, 0.12), "dog": (0.02, 0.04, 0.20)}


def splits(n: int) -> Any:
    return np.repeat(["train", "train_dev", "dev"], n)


def labels(rng: np.random.Generator, n: int, *, together: bool = False) -> dict[str, Answers]:
    """Yes/no labels whose errors are independent, or come in the same examples."""
    shared, found = rng.random(3 * n), {}
    for name, rates in RATES.items():
        y = rng.integers(0, 2, 3 * n)
        wrong = (shared if together else rng.random(3 * n)) < np.repeat(rates, n)
        found[name] = Answers(y, np.where(wrong, 1 - y, y), CLASSES)
    return found


def several(n: int = 2000, seed: int = 0, *, together: bool = False) -> Predictions:
    rng = np.random.default_rng(seed)
    return Predictions(np.arange(3 * n).astype(str), splits(n), labels(rng, n, together=together))


def tasks(n: int = 2000, seed: int = 0) -> Predictions:
    """A class, and a number whose error triples from train to train-dev."""
    rng = np.random.default_rng(seed)
    y = rng.normal(50, 10, 3 * n)
    distance = Answers(y, y + rng.normal(0, 1, 3 * n) * np.repeat([1, 3, 3], n))
    return Predictions(np.arange(3 * n).astype(str), splits(n), {"car": labels(rng, n)["car"], "distance": distance})


def test_each_label_has_a_ladder_of_its_own_beside_their_mean() -> None:
    found = ladder_of(several(), distributions_differ=True)
    dev = found.rung("dev")
    assert dev is not None
    own = [ladder.rung("dev") for ladder in found.labels.values()]
    assert dev.error == pytest.approx(np.mean([rung.error for rung in own if rung and rung.error is not None]))
    assert found.labels["dog"].verdict.candidates[0] == "data_mismatch"
    assert found.labels["car"].verdict.candidates[0] == "variance"
    text = render_text(found)
    assert "data mismatch (>0.99)" in text
    document = to_document(found)
    assert [row["label"] for row in document["labels"]] == ["car", "dog"]
    assert document["labels"][1]["gaps"][0]["method"]


def test_one_label_can_be_asked_for() -> None:
    found = ladder_of(several(), label="dog", human=HumanLevel(error=0.01))
    assert not found.labels
    assert found.label == "dog"
    assert found.rung("human") is None  # the project's human level speaks of all labels
    assert any("human level speaks of all labels" in note for note in found.notes)
    with pytest.raises(InvalidInput, match="no label 'cat'; there are: car, dog"):
        ladder_of(several(), label="cat")


@pytest.mark.parametrize("metric", ["f1", "mcc", "error"])
@pytest.mark.parametrize("together", [False, True])
def test_the_interval_of_a_mean_covers_whether_or_not_labels_err_together(metric: str, *, together: bool) -> None:
    truth = mean_of(several(100_000, 99, together=together), metric)
    inside, widths = 0, []
    for seed in range(150):
        part = several(400, seed, together=together).part("dev")
        found, _ = measure_several(part, metric, np.random.default_rng(0))
        inside += found.low <= truth <= found.high
        widths.append(found.high - found.low)
    assert inside / 150 >= 0.92
    assert np.std([mean_of(several(400, seed, together=together), metric) for seed in range(150)]) * 3.92 == (
        pytest.approx(np.mean(widths), rel=0.2)
    )


def mean_of(predictions: Predictions, metric: str) -> float:
    return measure_several(predictions.part("dev"), metric, np.random.default_rng(0))[0].value


def test_tasks_of_different_kinds_are_held_against_their_constant_answers() -> None:
    content = tasks()
    found = ladder_of(content)
    assert (found.metric, found.scale) == ("relative_loss", "loss / constant")
    scales = constant_losses(content)
    dev = {name: ladder.rung("dev") for name, ladder in found.labels.items()}
    expected = np.mean([rung.error / scales[name] for name, rung in dev.items() if rung and rung.error is not None])
    whole = found.rung("dev")
    assert whole is not None
    assert whole.error == pytest.approx(expected)
    assert {name: ladder.metric for name, ladder in found.labels.items()} == {"car": "error", "distance": "rmse"}
    assert found.verdict.named == "variance"
    assert found.constant == {"answer": "each task's best constant answer", "value": 1.0}


def test_a_metric_of_one_task_needs_its_label() -> None:
    with pytest.raises(InvalidInput, match="Ask for it with --label distance"):
        ladder_of(tasks(), metric="mae", metric_is_asked=True)
    found = ladder_of(tasks(), metric="mae", metric_is_asked=True, label="distance")
    assert found.metric == "mae"


def test_a_task_that_does_not_vary_is_refused_by_name() -> None:
    content = tasks(50)
    still = Answers(np.full(150, 3.0), np.full(150, 3.0))
    with pytest.raises(InvalidInput, match="'distance' does not vary on dev"):
        ladder_of(Predictions(content.ids, content.split, dict(content.labels) | {"distance": still}))


def test_groups_count_once_in_the_mean_of_labels() -> None:
    part = several(400).part("dev")
    copies = np.repeat(np.arange(400), 5)
    content = Predictions(
        part.ids[copies],
        part.split[copies],
        {name: answers.select(copies) for name, answers in part.labels.items()},
        group=copies.astype(str),
    )
    for metric in ("f1", "error"):
        plain, _ = measure_several(part, metric, np.random.default_rng(0))
        copied, _ = measure_several(content, metric, np.random.default_rng(0))
        assert copied.high - copied.low == pytest.approx(plain.high - plain.low, rel=0.1)


def test_a_metric_of_numbers_never_makes_numbers_of_another_tasks_classes(tmp_path: Path) -> None:
    content = tasks(40)
    file = tmp_path / "tasks.csv"
    write_predictions(content, file)
    file.write_text(file.read_text().replace("yes", "1").replace("no", "0"))
    read = read_predictions(file, metric="rmse")
    assert {name: answers.is_classification for name, answers in read.labels.items()} == {
        "car": True,
        "distance": False,
    }
