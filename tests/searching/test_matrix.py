"""The matrix of trials and dev examples: what goes in comes out, and plain NumPy reads it."""

from pathlib import Path

import numpy as np
import pytest

from mlproj.metrics import measure
from mlproj.records import Answers, Predictions
from mlproj.searching import matrix as room
from mlproj.searching.matrix import load_matrix, read_rows, write_matrix, write_row

IDS = np.array(["a", "b", "ç", "d"])
DEV = np.full(4, "dev")
WEIGHT, GROUP = np.array([1.0, 2.0, 0.5, 0.0]), np.array(["x", "x", "y", "y"])


def binary(p: list[float]) -> Answers:
    """Answers to four examples, the last without a label."""
    second = np.array(p)
    truth = np.array([0, 1, 1, -1])
    return Answers(truth, (second >= 0.5).astype(np.int64), ("no", "yes"), np.stack([1 - second, second], axis=1))


def predictions(labels: dict[str, Answers]) -> Predictions:
    return Predictions(IDS, DEV, labels, WEIGHT, GROUP)


def same(one: Predictions, other: Predictions) -> bool:
    """Whether two predictions say the same."""
    pairs = [(one.labels[label], other.labels[label]) for label in one.labels]
    return (
        list(one.labels) == list(other.labels)
        and all(np.array_equal(x, y) for x, y in ((one.ids, other.ids), (one.split, other.split)))
        and all(np.array_equal(x, y, equal_nan=True) for a, b in pairs for x, y in ((a.y_true, b.y_true),))
        and all(np.array_equal(a.y_pred, b.y_pred) and a.classes == b.classes for a, b in pairs)
        and all((a.p is None) == (b.p is None) for a, b in pairs)
        and all(np.allclose(a.p, b.p, rtol=1e-7, atol=0) for a, b in pairs if a.p is not None and b.p is not None)
    )


def test_predictions_come_back_as_they_were(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    three = rng.dirichlet(np.ones(3), 4)
    several = {
        "car": binary([0.1, 0.9, 1 - 1e-9, 0.5]),
        "kind": Answers(np.array([2, 0, -1, 1]), three.argmax(1), ("small", "big", "très grand"), three),
        "distance": Answers(np.array([1.5, np.nan, 3.0, 1e9]), np.array([1.0, 2.0, 3.0, np.pi])),
    }
    made = {41: predictions(several), 7: predictions(several | {"car": binary([0.3, 0.2, 0.1, 0.0])})}
    for number, each in made.items():
        write_row(tmp_path / "rows", number, each)
    write_matrix(tmp_path / "dev_predictions.npz", tmp_path / "rows", {7: "run7", 41: "run41", 9: "left nothing"})
    matrix = load_matrix(tmp_path / "dev_predictions.npz")
    assert (matrix.numbers, matrix.run_ids) == ((7, 41), {7: "run7", 41: "run41"})
    assert matrix.labels == ("car", "kind", "distance")
    for number, each in made.items():
        found = matrix.predictions(number)
        assert same(found, each)
        assert found.weight is not None
        assert found.group is not None
        assert found.weight.tolist() == WEIGHT.tolist()
        assert found.group.tolist() == GROUP.tolist()


def test_plain_numpy_reads_it_without_pickle(tmp_path: Path) -> None:
    for number, p in enumerate([[0.1, 0.9, 0.8, 0.5], [0.6, 0.7, 0.2, 0.5]]):
        write_row(tmp_path / "rows", number, predictions({"": binary(p)}))
    write_matrix(tmp_path / "m.npz", tmp_path / "rows", {0: "a", 1: "b"})
    with np.load(tmp_path / "m.npz", allow_pickle=False) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    assert found["y_pred"].tolist() == [[0, 1, 1, 1], [1, 1, 0, 1]]
    assert found["y_true"].tolist() == [0, 1, 1, -1]
    assert found["p"].tolist() == [[0.1, 0.9, 0.8, 0.5], [0.6, 0.7, 0.2, 0.5]]
    assert found["classes"].tolist() == ["no", "yes"]
    assert set(found) == {"number", "run_id", "pruned", "id", "weight", "group", "y_true", "classes", "y_pred", "p"}
    assert found["y_pred"].dtype == np.int16


def test_a_confident_mistake_costs_what_it_did(tmp_path: Path) -> None:
    sure = predictions({"": binary([1 - 1e-9, 0.9, 0.9, 0.9])})
    write_row(tmp_path, 0, sure)
    kept = read_rows(tmp_path, {0: "a"}).predictions(0)
    assert measure(["log_loss"], kept.labels) == measure(["log_loss"], sure.labels)


def test_a_trial_made_again_replaces_its_row(tmp_path: Path) -> None:
    for p in ([0.1, 0.1, 0.1, 0.1], [0.9, 0.9, 0.9, 0.9]):
        write_row(tmp_path, 3, predictions({"": binary(p)}))
    assert read_rows(tmp_path, {3: "a"}).answers(3).y_pred.tolist() == [1, 1, 1, 1]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["examples.npz", "trial-000003.npz"]


def test_rows_of_other_examples_are_refused(tmp_path: Path) -> None:
    write_row(tmp_path, 0, predictions({"": binary([0.1, 0.2, 0.3, 0.4])}))
    other = Predictions(IDS[::-1], DEV, {"": binary([0.1, 0.2, 0.3, 0.4])}, WEIGHT, GROUP)
    with pytest.raises(ValueError, match="other dev examples than those of trial 1"):
        write_row(tmp_path, 1, other)


def test_too_many_probabilities_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        write_row(tmp_path, number, predictions({"": binary([0.1, 0.9, 0.8, 0.5])}))
    monkeypatch.setattr(room, "MOST_PROBABILITIES", 11)
    full = read_rows(tmp_path, {0: "a", 1: "b", 2: "c"})
    assert full.answers(2).p is None
    assert full.answers(2).y_pred.tolist() == [0, 1, 1, 1]
    assert read_rows(tmp_path, {0: "a", 1: "b"}).answers(1).p is not None


def test_a_row_that_was_never_finished_is_not_there(tmp_path: Path) -> None:
    write_row(tmp_path, 0, predictions({"": binary([0.1, 0.9, 0.8, 0.5])}))
    (tmp_path / ".trial-000001.npz-99.tmp").write_bytes(b"torn")
    found = read_rows(tmp_path, {0: "a", 1: "b"})
    assert found.numbers == (0,)
    assert 1 not in found
    with pytest.raises(KeyError, match="no answers of trial 1"):
        found.answers(1)


def test_a_search_without_rows_says_so(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="none of the trials"):
        read_rows(tmp_path / "nothing", {0: "a"})
    with pytest.raises(KeyError):
        write_matrix(tmp_path / "m.npz", tmp_path, {})
    assert not list(tmp_path.iterdir())
