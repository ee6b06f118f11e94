"""The model of a run on disk: safetensors and JSON, wrapped as a pyfunc model that MLflow loads without any pickle.

``model/data/`` holds `weights.safetensors` and `model.json` (spec, encoder, target, threshold); the files around it
are MLflow's. The driver writes the data (`write_model_data`), the child process wraps it (`save_model`), and
`mlproj.pyfunc` reads it (`read_model_data`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from numpy.typing import NDArray

from mlproj.spec.project import Project
from mlproj.track.wrap import FORMAT, ModelFiles

_WEIGHTS: Final = "weights.safetensors"
_REST: Final = "model.json"


@runtime_checkable
class FittedColumn(Protocol):
    """One raw column as it was in training."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def type(self) -> str:
        """What it holds: number, category, boolean, date or text."""


@runtime_checkable
class FittedEncoder(Protocol):
    """What turns raw columns into numbers, fitted on train."""

    @property
    def columns(self) -> Sequence[FittedColumn]:
        """The raw columns it needs."""

    def to_json(self) -> dict[str, Any]:
        """Everything that was learned, as plain data."""
        ...


@runtime_checkable
class FittedTarget(Protocol):
    """What turns a model's outputs into answers, fitted on train."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the labels in predictions; a single label is called ""."""

    @property
    def classes(self) -> tuple[tuple[str, ...], ...]:
        """Class names per label; empty for regression."""

    def to_json(self) -> dict[str, Any]:
        """Everything that was learned, as plain data."""
        ...


@dataclass(frozen=True)
class Model:
    """A trained model with all it needs to answer for a raw table.

    Attributes:
        project: The resolved spec.
        encoder: What turns raw columns into numbers.
        target: What turns outputs into answers.
        weights: Parameters and buffers by name, without the model axis.
        threshold: Probability from which the answer is the positive class; None unless the label is binary.
        members: Of an ensemble the resolved specs of its models, whose weights are named as `of_member` names them.
    """

    project: Project
    encoder: FittedEncoder
    target: FittedTarget
    weights: Mapping[str, NDArray[Any]]
    threshold: float | None
    members: tuple[Project, ...] = ()


def of_member(k: int, weights: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The weights of the k-th model of an ensemble, under the names that they are stored by.

    Example:
        >>> import numpy as np
        >>> list(of_member(2, {"output.bias": np.zeros(1)}))
        ['2/output.bias']
    """
    return {f"{k}/{name}": array for name, array in weights.items()}


@dataclass(frozen=True)
class ModelData:
    """What `read_model_data` finds: a model as plain data.

    Attributes:
        project: The resolved spec.
        encoder: What `to_json` of the encoder said.
        target: What `to_json` of the target said.
        weights: Parameters and buffers by name, without the model axis.
        threshold: Probability from which the answer is the positive class; None unless the label is binary.
        members: Of an ensemble the resolved specs of its models.
    """

    project: Project
    encoder: dict[str, Any]
    target: dict[str, Any]
    weights: dict[str, NDArray[Any]]
    threshold: float | None
    members: tuple[Project, ...] = ()

    @property
    def models(self) -> "tuple[tuple[Project, dict[str, NDArray[Any]]], ...]":
        """Spec and weights of the model, or of each model of an ensemble."""
        if not self.members:
            return ((self.project, self.weights),)
        found: list[dict[str, NDArray[Any]]] = [{} for _ in self.members]
        for name, array in self.weights.items():
            k, _, rest = name.partition("/")
            found[int(k)][rest] = array
        return tuple(zip(self.members, found, strict=True))


def write_model(model: Model, folder: Path) -> ModelFiles:
    """Writes a trained model into a folder.

    Args:
        model: The model.
        folder: Where; it is created.

    Returns:
        What MLflow has to know about it.
    """
    write_model_data(
        folder,
        model.project,
        encoder=model.encoder.to_json(),
        target=model.target.to_json(),
        weights=model.weights,
        threshold=model.threshold,
        members=model.members,
    )
    inputs = {column.name: column.type for column in model.encoder.columns}
    return ModelFiles(folder, inputs, name_outputs(model.target.names, model.target.classes))


def name_outputs(labels: tuple[str, ...], classes: tuple[tuple[str, ...], ...]) -> dict[str, str]:
    """Columns of the answer, as in a predictions file, and their MLflow types.

    Args:
        labels: Label names in predictions; a single label is called "".
        classes: Class names per label; empty for regression.

    Example:
        >>> name_outputs(("",), (("no", "yes"),))
        {'y_pred': 'string', 'p_no': 'double', 'p_yes': 'double'}
        >>> name_outputs(("cat", "dog"), (("0", "1"), ("0", "1")))
        {'y_pred:cat': 'string', 'p:cat': 'double', 'y_pred:dog': 'string', 'p:dog': 'double'}
    """
    if labels == ("",):
        names = classes[0] if classes else ()
        return {"y_pred": "string" if names else "double"} | {f"p_{name}": "double" for name in names}
    return {name: kind for label in labels for name, kind in ((f"y_pred:{label}", "string"), (f"p:{label}", "double"))}


def write_model_data(
    folder: Path,
    project: Project,
    *,
    encoder: Mapping[str, Any],
    target: Mapping[str, Any],
    weights: Mapping[str, NDArray[Any]],
    threshold: float | None,
    members: Sequence[Project] = (),
) -> None:
    """Writes a model as safetensors and JSON.

    Args:
        folder: Where; it is created.
        project: The resolved spec.
        encoder: The fitted encoder as plain data.
        target: The fitted target as plain data.
        weights: Parameters and buffers by name, without the model axis.
        threshold: Probability from which the answer is the positive class; None unless the label is binary.
        members: Of an ensemble the resolved specs of its models.
    """
    import numpy as np
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.asarray(array, order="C") for name, array in weights.items()}, folder / _WEIGHTS)
    rest: dict[str, Any] = {
        "format": FORMAT if members else 1,
        "project": project.model_dump(mode="json"),
        "encoder": encoder,
        "target": target,
        "threshold": threshold,
    }
    if members:
        rest["members"] = [member.model_dump(mode="json") for member in members]
    (folder / _REST).write_text(json.dumps(rest, ensure_ascii=False, indent=1), encoding="utf-8")


def read_model_data(folder: Path) -> ModelData:
    """Reads what `write_model_data` wrote.

    Args:
        folder: Where it lies.

    Raises:
        ValueError: When a newer mlproj wrote it.
    """
    from safetensors.numpy import load_file

    rest = json.loads((folder / _REST).read_text(encoding="utf-8"))
    if rest["format"] > FORMAT:
        raise ValueError(
            f"{folder / _REST} has format {rest['format']}, newer than {FORMAT}: upgrade mlproj to load this model"
        )
    project = Project.model_validate_json(json.dumps(rest["project"]))
    members = tuple(Project.model_validate_json(json.dumps(member)) for member in rest.get("members", ()))
    weights = load_file(folder / _WEIGHTS)
    return ModelData(project, rest["encoder"], rest["target"], weights, rest["threshold"], members)
