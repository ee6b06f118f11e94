"""What is looked at after an epoch, and what is stored at the end."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch

from mlproj.spec.model import MLP
from mlproj.training import resolve
from mlproj.training.device import few_threads
from mlproj.training.examine import Examiner
from mlproj.training.looks import metric_names, sample_parts
from mlproj.training.outputs import run_model
from mlproj.training.resources import measure_resources
from mlproj.training.targets import make_objective
from mlproj.zoo import build

MakeProject = Callable[..., Any]


def test_a_large_training_set_is_looked_at_by_a_fixed_sample(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    _, dataset = make_project(blobs)
    one, same = (sample_parts(dataset.parts, 20)["train"] for _ in range(2))
    assert one.ids.tolist() == same.ids.tolist() != dataset.parts["train"].ids[:20].tolist()
    rows = np.flatnonzero(np.isin(dataset.parts["train"].ids, one.ids))
    assert len(rows) == 20
    np.testing.assert_array_equal(one.x, dataset.parts["train"].x[rows])
    np.testing.assert_array_equal(one.y, dataset.parts["train"].y[rows])
    assert sample_parts(dataset.parts, 20)["dev"] is dataset.parts["dev"]


def test_large_batches_give_what_one_batch_gives(monkeypatch: Any) -> None:
    from mlproj.training import outputs

    model = build(MLP(layers=1), n_features=3, n_outputs=2, seeds=[0, 1])
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    whole = run_model(model, x)
    monkeypatch.setattr(outputs, "_ROWS_AT_ONCE", 7)
    torch.testing.assert_close(run_model(model, x), whole)
    assert whole.shape == (2, 50, 2)


def test_the_metrics_are_the_plain_one_the_optimised_one_and_every_limit(
    make_project: MakeProject, pairs: pd.DataFrame
) -> None:
    metric = {"optimize": "f1", "satisfy": {"recall": ">= 0.9", "f1": ">= 0.1", "latency_ms": "<= 20"}}
    project, dataset = make_project(pairs, metric=metric)
    assert metric_names(resolve(project, dataset)) == ("error", "f1", "recall")


def test_a_model_whose_answers_are_no_numbers_is_not_measured(make_project: MakeProject, line: pd.DataFrame) -> None:
    project, dataset = make_project(line)
    project = resolve(project, dataset)
    examiner = Examiner(project, dataset, make_objective(project, dataset), torch.device("cpu"))
    model = build(project.model, n_features=3, n_outputs=1, seeds=[0])
    assert examiner.examine(model)[0].is_finite
    model.get_parameter("output.bias").data.fill_(torch.nan)
    (examination,) = examiner.examine(model)
    assert not examination.is_finite
    assert examination.key is None


def test_resources_are_a_latency_per_example_and_the_bytes_of_the_weights() -> None:
    model = build(MLP(hidden=(10,), batch_norm=True), n_features=4, n_outputs=1, seeds=[0])
    resources = measure_resources(model, torch.zeros(1, 4))
    assert resources["size_mb"] == 4 * (4 * 10 + 4 * 10 + 10 + 1) / 1e6
    assert 0 < resources["latency_ms"] < 100


def test_small_models_get_one_thread_and_the_old_number_comes_back() -> None:
    before = torch.get_num_threads()
    with few_threads(1000):
        assert torch.get_num_threads() == 1
    with few_threads(10**9):
        assert torch.get_num_threads() == before
    assert torch.get_num_threads() == before
