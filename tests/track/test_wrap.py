"""The files around a model are those that MLflow writes."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlproj.track.wrap import FORMAT, ModelFiles, save_model

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow.pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types import DataType
    from mlflow.types.schema import ColSpec, Schema

INPUTS = {"a": "number", "é, \"b\": 'c'": "text", "yes": "boolean", "a name that is longer " * 9: "category"}
OUTPUTS = {"y_pred": "string", "p_no": "double", "p_ü": "double"}


def described_by_mlflow(target: Path) -> None:
    """What MLflow says of such a model."""
    inputs = Schema.from_json(json.dumps([{"type": "any", "name": name, "required": False} for name in INPUTS]))
    outputs = Schema([ColSpec(DataType[kind], name) for name, kind in OUTPUTS.items()])
    make: Callable[..., Any] = Model
    model = make(signature=ModelSignature(inputs, outputs), metadata={"mlproj": {"columns": INPUTS, "format": FORMAT}})
    mlflow.pyfunc.add_to_model(
        model, "mlproj.pyfunc", data="data", conda_env="conda.yaml", python_env="python_env.yaml"
    )
    model.save(str(target))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "model.json").write_text("{}")
    save_model(ModelFiles(tmp_path / "data", INPUTS, OUTPUTS), tmp_path / "model")
    return tmp_path / "model"


def lines(file: Path) -> list[str]:
    """The file but for what differs from model to model."""
    return [line for line in file.read_text("utf-8").splitlines() if not line.startswith(("model_uuid", "utc_time"))]


def test_mlmodel_is_to_the_letter_what_mlflow_writes(saved: Path, tmp_path: Path) -> None:
    described_by_mlflow(tmp_path / "theirs")
    assert len(lines(saved / "MLmodel")) > 25
    assert lines(saved / "MLmodel") == lines(tmp_path / "theirs")
    ours, theirs = (yaml.safe_load(path.read_text()) for path in (saved / "MLmodel", tmp_path / "theirs"))
    assert len(ours["model_uuid"]) == len(theirs["model_uuid"]) == 32
    assert ours["utc_time_created"][:13] <= theirs["utc_time_created"][:13]


def test_mlflow_reads_it_and_finds_the_environment(saved: Path) -> None:
    model = Model.load(str(saved))
    signature = model.signature
    assert signature is not None
    assert [column.name for column in signature.inputs] == list(INPUTS)
    assert [column.type for column in signature.outputs] == [DataType.string, DataType.double, DataType.double]
    environment = yaml.safe_load((saved / "conda.yaml").read_text())
    assert environment["dependencies"][-1]["pip"] == (saved / "requirements.txt").read_text().splitlines()
    assert sorted(path.name for path in saved.iterdir()) == [
        "MLmodel",
        "conda.yaml",
        "data",
        "python_env.yaml",
        "requirements.txt",
    ]
