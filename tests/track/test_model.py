"""Models on disk."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from mlproj.spec.data import Data, Splits
from mlproj.spec.goal import HumanLevel, MetricSpec
from mlproj.spec.model import MLP
from mlproj.spec.project import Project
from mlproj.track.model import read_model_data, write_model_data

PROJECT = Project(
    name="cats",
    data=Data(source=("a.csv", "b.csv"), label=("x", "y"), exclude=("z",)),
    splits=Splits(dev=0.2, test=200),
    human_level=HumanLevel(error=0.01, n=500),
    metric=MetricSpec(optimize="f1", satisfy={"recall": ">= 0.9"}),
    model=MLP(hidden=(64, 32)),
)


def test_a_model_comes_back_equal(tmp_path: Path) -> None:
    weights = {"layers.0.weight": np.arange(6, dtype=np.float32).reshape(2, 3).T, "n": np.array(7)}
    write_model_data(tmp_path / "m", PROJECT, encoder={"é": [1]}, target={"t": None}, weights=weights, threshold=0.3)
    data = read_model_data(tmp_path / "m")
    assert data.project == PROJECT
    assert (data.encoder, data.target, data.threshold) == ({"é": [1]}, {"t": None}, 0.3)
    assert {name: array.tolist() for name, array in data.weights.items()} == {k: v.tolist() for k, v in weights.items()}
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["model.json", "weights.safetensors"]


@given(
    array=npst.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.bool_]),
        npst.array_shapes(min_dims=0, min_side=0, max_side=4),
    )
)
def test_every_array_survives(array: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("m")
    write_model_data(folder, PROJECT, encoder={}, target={}, weights={"w": array}, threshold=None)
    back = read_model_data(folder).weights["w"]
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(back, array)


def test_a_model_of_a_newer_mlproj_is_refused(tmp_path: Path) -> None:
    write_model_data(tmp_path, PROJECT, encoder={}, target={}, weights={}, threshold=None)
    document = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(document | {"format": 99}))
    with pytest.raises(ValueError, match="format 99, newer than 2: upgrade mlproj"):
        read_model_data(tmp_path)
