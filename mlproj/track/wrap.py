"""A written model as an MLflow pyfunc model: the files that MLflow puts around it, written without importing MLflow.

`mlflow.pyfunc.save_model` writes the same files, but takes a second to import and another to scan all installed
packages. A test compares `MLmodel` with the one that MLflow writes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FORMAT: Final = 2
"""1: one model; 2: several whose answers are averaged."""
_NEEDED: Final = ("mlproj", "mlflow", "numpy", "pandas", "pyarrow", "safetensors", "torch")


@dataclass(frozen=True)
class ModelFiles:
    """A written model on its way to MLflow.

    Attributes:
        data: The folder that `write_model_data` filled.
        inputs: Types of the raw columns by name.
        outputs: MLflow types (string, double) of the answer's columns by name.
    """

    data: Path
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {"data": str(self.data), "inputs": dict(self.inputs), "outputs": dict(self.outputs)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "ModelFiles":
        """What `to_json` said."""
        return cls(Path(document["data"]), document["inputs"], document["outputs"])


def save_model(files: ModelFiles, target: Path) -> None:
    """Wraps a written model as an MLflow pyfunc model.

    Args:
        files: The written model.
        target: Folder to create.
    """
    import shutil

    shutil.copytree(files.data, target / "data", dirs_exist_ok=True)
    _dump(_describe(files), target / "MLmodel")
    _write_environment(target)


def _describe(files: ModelFiles) -> dict[str, Any]:
    """What stands in `MLmodel`.

    Every column is optional and of type `any`: MLflow refuses an integer column where a double was signed, a number
    or a truth value where a string was, and a missing cell where an integer was, and a raw table has all of these.
    The column types are in the metadata instead.
    """
    import sys
    import uuid
    from datetime import UTC, datetime
    from importlib.metadata import version

    inputs = [{"type": "any", "name": name, "required": False} for name in files.inputs]
    outputs = [{"type": kind, "name": name, "required": True} for name, kind in files.outputs.items()]
    return {
        "flavors": {
            "python_function": {
                "loader_module": "mlproj.pyfunc",
                "python_version": ".".join(map(str, sys.version_info[:3])),
                "data": "data",
                "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
            }
        },
        "is_signature_from_type_hint": False,
        "metadata": {"mlproj": {"columns": dict(files.inputs), "format": FORMAT}},
        "mlflow_version": version("mlflow"),
        "model_id": None,
        "model_uuid": uuid.uuid4().hex,
        "prompts": None,
        "signature": {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": None},
        "type_hint_from_example": False,
        "utc_time_created": str(datetime.now(UTC).replace(tzinfo=None)),
    }


def _write_environment(target: Path) -> None:
    """What pip, virtualenv and conda need to make an environment for the model."""
    import platform

    python, needed = platform.python_version(), _requirements()
    conda = {"name": "mlflow-env", "dependencies": [f"python={python}", "pip", {"pip": needed}]}
    virtualenv = {"python": python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    (target / "requirements.txt").write_text("\n".join(needed) + "\n", encoding="ascii")
    _dump(conda | {"channels": ["conda-forge"]}, target / "conda.yaml")
    _dump(virtualenv, target / "python_env.yaml")


def _dump(document: Mapping[str, Any], target: Path) -> None:
    import yaml

    target.write_text(yaml.safe_dump(dict(document)), encoding="ascii")


def _requirements() -> list[str]:
    """What loading the model needs, at the versions that made it."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in _NEEDED:
        try:
            found.append(f"{name}=={version(name).partition('+')[0]}")
        except PackageNotFoundError:  # a source checkout on the import path
            continue
    return found
