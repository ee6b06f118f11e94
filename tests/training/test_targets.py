"""Weights of the loss's terms: classes, examples, and labels that are missing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.class_weight import compute_sample_weight

from mlproj.training import resolve
from mlproj.training.targets import loss_weights, make_objective

MakeProject = Callable[..., Any]


def weights_of(make_project: MakeProject, frame: pd.DataFrame, **sections: Any) -> tuple[Any, Any]:
    project, dataset = make_project(frame, **sections)
    part = dataset.parts["train"]
    return loss_weights(project, part, dataset.target), part


def test_without_weights_nothing_is_weighted(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    assert weights_of(make_project, blobs)[0] is None


def test_balanced_weights_are_scikit_learns(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    frame = blobs.drop(blobs.index[::6])
    weight, part = weights_of(make_project, frame, training={"class_weight": "balanced"})
    np.testing.assert_allclose(weight, compute_sample_weight("balanced", part.y[:, 0]))


def test_a_mapping_weighs_the_classes_it_names_and_the_mean_weight_is_one(
    make_project: MakeProject, pairs: pd.DataFrame
) -> None:
    weight, part = weights_of(make_project, pairs, training={"class_weight": {"yes": 8.0}})
    assert weight.shape == part.y.shape
    assert weight.mean() == np.float64(1).round(12) or np.isclose(weight.mean(), 1)
    np.testing.assert_allclose(weight[part.y == 1].mean() / weight[part.y == 0].mean(), 8)


def test_example_weights_enter_the_loss_only_when_asked(make_project: MakeProject, line: pd.DataFrame) -> None:
    data = {"weight": {"where": "u > 0", "value": 10.0}}
    assert weights_of(make_project, line, data=data)[0] is None
    weight, part = weights_of(make_project, line, data=data, training={"weighted_loss": True})
    np.testing.assert_allclose(weight[:, 0] / weight.min(), part.weight)


def test_missing_labels_weigh_nothing_and_the_mean_is_over_the_others(make_project: MakeProject) -> None:
    numbers = np.random.default_rng(0)
    frame = pd.DataFrame({"x": numbers.normal(size=100), "car": [1, 0, None, 0] * 25, "bike": [None, 1, 0, 1] * 25})
    frame = frame.astype({"car": "Int64", "bike": "Int64"})
    sections = {"data": {"label": ["car", "bike"]}, "training": {"class_weight": "balanced"}}
    weight, part = weights_of(make_project, frame, **sections)
    present = ~np.isnan(part.y)
    assert not weight[~present].any()
    assert np.isclose(weight[present].mean(), 1)


def test_the_objective_follows_the_label(
    make_project: MakeProject, blobs: pd.DataFrame, pairs: pd.DataFrame, line: pd.DataFrame
) -> None:
    losses = []
    for frame in (blobs, pairs, line):
        project, dataset = make_project(frame, training={"label_smoothing": 0.0})
        losses.append(make_objective(resolve(project, dataset), dataset).loss)
    assert losses == ["cross_entropy", "binary_cross_entropy", "mse"]
