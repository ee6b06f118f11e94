"""What is kept beside recorded answers: parameters, figures and weights, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

from mlproj.errors import InvalidInput
from mlproj.spec.data import Data
from mlproj.spec.project import Project
from mlproj.workflow.baggage import Baggage, pack

PROJECT = Project(name="p", data=Data(source="a.csv", label="y"))


def packed(params: Any = None, metrics: Any = None, model: Any = None) -> Baggage:
    return pack(PROJECT, params or {}, metrics or {}, model)


def test_nested_parameters_get_dotted_paths_beside_the_specs_own() -> None:
    params = {"optimizer": {"lr": 0.1, "betas": (0.9, 0.99)}, "training.epochs": 7, "seed": 3, "name": "p"}
    told = packed(params).params
    assert told["optimizer.lr"] == "0.1"
    assert (told["training.epochs"], told["seed"]) == ("7", "3")


def test_figures_without_a_split_are_of_dev_and_resources_count_for_the_contract() -> None:
    baggage = packed(metrics={"latency_ms": 3, "train/seconds": 2.5})
    assert dict(baggage.metrics) == {"dev/latency_ms": 3.0, "train/seconds": 2.5}
    assert baggage.resources == {"latency_ms": 3.0}


def test_a_network_is_kept_with_its_size_and_number_of_parameters(tmp_path: Path) -> None:
    first = nn.Linear(4, 3)
    net = nn.Sequential(first, nn.BatchNorm1d(3))
    baggage = packed(model=net)
    baggage.save(tmp_path)
    assert baggage.params["model.parameters"] == str(4 * 3 + 3 + 3 + 3)
    assert np.array_equal(load_file(tmp_path / "checkpoint.safetensors")["0.weight"], first.weight.detach().numpy())
    assert baggage.resources["size_mb"] == pytest.approx((21 + 6) * 4e-6 + 8e-6)


def test_tied_and_half_precision_weights_can_be_kept(tmp_path: Path) -> None:
    from safetensors.torch import load_file as load_tensors

    first, second = nn.Linear(3, 3).bfloat16(), nn.Linear(3, 3).bfloat16()
    second.weight = first.weight
    packed(model=nn.Sequential(first, second).state_dict()).save(tmp_path)
    stored = load_tensors(tmp_path / "checkpoint.safetensors")
    assert torch.equal(stored["1.weight"], first.weight)


def test_the_users_own_count_of_parameters_wins() -> None:
    assert packed({"model.parameters": 5}, model=nn.Linear(2, 2)).params["model.parameters"] == "5"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"params": {3: "x"}}, "params: 3 cannot be the name of a parameter\n  Names are words"),
        ({"params": {" ": "x"}}, "params: ' ' cannot be the name"),
        ({"params": {"a\nb": "x"}}, "cannot be the name"),
        ({"params": {"data.label": "z"}}, "'data.label' is a key .* says 'y', not 'z'\n.*own.data.label"),
        ({"params": {"metric": {"optimize": "f1"}}}, "'metric.optimize' .* project.yaml's section metric"),
        ({"metrics": {"test/auc": 0.5}}, "metrics: 'test/auc' speaks of the sealed test set\n  Only `mlproj evaluate`"),
        ({"metrics": {"holdout/auc": 0.5}}, "'holdout/auc' names no split\n  Write METRIC, or SPLIT/METRIC"),
        ({"metrics": {"error": 0.5}}, "'dev/error' is computed from the predictions"),
        ({"metrics": {"auc": "high"}}, "'dev/auc' is 'high', which is no number"),
        ({"metrics": {"auc": float("inf")}}, "'dev/auc' is inf, which is no number"),
        ({"metrics": {"auc": True}}, "'dev/auc' is True, which is no number"),
        ({"model": {}}, "model: a dict cannot be kept without pickle; an nn.Module .*\n  Leave"),
        ({"model": object()}, "model: a object cannot be kept without pickle"),
        ({"model": nn.LazyLinear(3)}, "model: its weights hold no values yet\n  Run it once on a batch"),
        ({"model": nn.Linear(2, 2, device="meta")}, "its weights hold no values yet"),
    ],
)
@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
def test_what_cannot_be_kept_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        packed(**given)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        packed({3: 1}, {"error": 1.0}, object())
    assert [problem.where for problem in caught.value.problems] == ["params", "metrics", "model"]
