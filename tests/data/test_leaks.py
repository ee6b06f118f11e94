"""Leak suspects: planted answers are found; strong, noisy, tiny and id-like features are let go."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.metrics import roc_auc_score

from mlproj.data import infer_columns
from mlproj.data.leaks import _auc, find_suspects
from mlproj.spec.project import Project


def suspects(features: dict[str, Any], y: NDArray[Any], regression: bool = False) -> dict[str, str]:
    frame = pd.DataFrame(features)
    project = Project.model_validate({"name": "p", "data": {"source": "a.csv", "label": "y"}})
    found = find_suspects(frame, infer_columns(frame, project), "y", y.astype(float), regression=regression)
    return {suspect.column: suspect.measure for suspect in found}


def test_planted_answers_are_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 600)
    features = {
        "reason": pd.Series(rng.choice(["moved", "price"], 600)).where(y == 1),
        "code": y * 10 + rng.integers(0, 5, 600),
        "nearly": np.where(rng.random(600) < 0.01, 1 - y, y),
        "score": y + rng.normal(0, 0.2, 600),
        "row_number": np.argsort(np.argsort(y, kind="stable")),
        "strong": y + rng.normal(0, 0.5, 600),
        "noise": rng.normal(size=600),
        "uid": [f"u{i}" for i in range(600)],
        "constant": 1,
    }
    assert suspects(features, y) == {
        "reason": "error", "code": "error", "nearly": "error", "score": "error", "row_number": "error"
    }  # fmt: skip


def test_several_classes_and_rare_ones() -> None:
    rng = np.random.default_rng(0)
    y = rng.choice(4, 2000, p=[0.9, 0.05, 0.03, 0.02])
    assert suspects({"leak": np.array(list("abcd"))[y], "hint": np.where(y > 0, "x", "o")}, y) == {"leak": "error"}


def test_a_number_that_sorts_the_rare_class_up_is_found_by_its_ranks() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(5000) < 0.01).astype(int)
    assert suspects({"score": np.where(y == 1, 3.2, 0) + rng.normal(0, 0.7, 5000)}, y) == {"score": "auc"}


def test_a_quantity_that_is_the_label_in_another_unit_is_found() -> None:
    rng = np.random.default_rng(0)
    y = rng.lognormal(10, 1, 800)
    features = {
        "net": y / 1.19, "log": np.log(y), "rounded": y.round(-2),
        "with_gaps": np.where(rng.random(800) < 0.001, np.nan, y),
        "noisy": y * rng.lognormal(0, 0.3, 800), "noise": rng.normal(size=800),
    }  # fmt: skip
    assert {"net", "rounded"} <= set(suspects(features, y, regression=True)) <= {"net", "log", "rounded", "with_gaps"}
    flat = rng.uniform(1, 2, 800)
    assert suspects({"log": np.log(flat), "noisy": flat + rng.normal(0, 0.1, 800)}, flat, regression=True) == {
        "log": "r2"
    }


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer, load_digits])
def test_honest_data_have_no_suspects(load: Any) -> None:
    bunch = load(as_frame=True)
    assert suspects(dict(bunch.data), bunch.target.to_numpy()) == {}


def test_honest_quantities_have_no_suspects() -> None:
    bunch = load_diabetes(as_frame=True)
    assert suspects(dict(bunch.data), bunch.target.to_numpy(), regression=True) == {}


@pytest.mark.parametrize("n", [0, 2, 10, 49])
def test_a_tiny_table_proves_nothing(n: int) -> None:
    y = np.arange(n) % 2
    assert suspects({"x": y.astype(float), "c": y.astype(str)}, y) == {}


def test_infinite_and_missing_cells_are_no_obstacle() -> None:
    y = np.arange(200) % 2
    x = np.where(y == 1, np.inf, np.nan)
    assert suspects({"x": np.where(np.arange(200) < 3, 1.0, x), "all": np.full(200, np.inf)}, y) == {"x": "error"}


def test_the_area_under_the_curve_equals_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, x = rng.integers(0, 2, 300), rng.integers(0, 20, 300).astype(float)
    expected = roc_auc_score(y, x)
    assert _auc(x, y) == pytest.approx(max(expected, 1 - expected))
