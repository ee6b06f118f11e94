"""The loader that MLflow calls for a model under ``runs:/ID/model``; the name of this module is stored in every model.

``mlflow.pyfunc.load_model("runs:/ID/model").predict(frame)`` takes the raw table (text, numbers, missing cells,
categories never seen, in any column order, with further columns) and returns the columns of a predictions file.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlproj.data.columns import Column
from mlproj.data.encoder import Encoder
from mlproj.data.target import Target
from mlproj.metrics import average
from mlproj.records import Answers
from mlproj.spec.project import Origin
from mlproj.track.model import ModelData, read_model_data


class ProjectModel:
    """A trained model that answers for raw rows. N rows.

    Args:
        data: What was stored with the run.
    """

    def __init__(self, data: ModelData) -> None:
        self._data = data
        self._encoder = Encoder.from_json(data.encoder)
        self._target = Target.from_json(data.target)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The raw columns that it needs."""
        return tuple(part.column for part in self._encoder.columns)

    @property
    def n_inputs(self) -> int:
        """Numbers that a raw row becomes."""
        return len(self._encoder.names)

    @property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """Class names by label, none for a quantity; a single label is called ""."""
        return dict(zip(self._target.names, self._target.classes or ((),), strict=True))

    @property
    def target(self) -> Target:
        """How the label was learned."""
        return self._target

    @property
    def threshold(self) -> float | None:
        """Probability from which the answer is the positive class; None unless the label is binary."""
        return self._data.threshold

    def find_unreadable(self, model_input: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
        """Masks of the cells that are not what their column was in training, by column; only where there are some.

        Args:
            model_input: Raw rows (N) with the columns that were features in training.
        """
        return self._encoder.find_unreadable(model_input)

    @property
    def sizes(self) -> Mapping[str, int]:
        """How many of the inputs each raw column becomes, in their order."""
        return self._encoder.sizes

    def encode(self, model_input: pd.DataFrame) -> NDArray[np.float32]:
        """The inputs (N, F) of raw rows; each raw column becomes a block of them.

        Args:
            model_input: Raw rows (N) with the columns that were features in training.

        Raises:
            InvalidInput: When a column is missing or holds what it cannot hold.
        """
        return self._encoder.encode(model_input)

    def answer(self, x: NDArray[np.float32]) -> dict[str, Answers]:
        """The answers to inputs, by label, with the threshold applied and without truth.

        Args:
            x: Inputs (N, F) as `encode` gives them.
        """
        from mlproj.training import predict

        threshold = 0.5 if self._data.threshold is None else self._data.threshold
        found, n_outputs = [], self._target.n_outputs
        for project, weights in self._data.models:
            outputs = np.zeros((0, n_outputs))
            if len(x):
                outputs = predict(project, weights, x, n_outputs=n_outputs, columns=self._encoder.sizes)
            found.append(self._target.decode(outputs, threshold=threshold))
        return average(found, threshold) if len(found) > 1 else found[0]

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        """The answers for raw rows.

        Args:
            model_input: Raw rows (N) with the columns that were features in training.

        Returns:
            A table with the index of `model_input`: ``y_pred`` (the class by name with the threshold applied, or the
            value in the original unit) and ``p_<class>``; for several labels ``y_pred:LABEL`` and ``p:LABEL``, the
            probability of yes.

        Raises:
            InvalidInput: When a column is missing or holds what it cannot hold.
        """
        answers = self.answer(self.encode(model_input))
        columns = {name: cells for label, found in answers.items() for name, cells in _columns(label, found).items()}
        return pd.DataFrame(columns, index=model_input.index)


def _load_pyfunc(path: str) -> ProjectModel:
    """Loads the model that MLflow found at a path."""
    data = read_model_data(Path(path))
    home = Origin(_home(Path(path)))
    members = tuple(member.located(home) for member in data.members)
    return ProjectModel(replace(data, project=data.project.located(home), members=members))


def _home(path: Path) -> Path | None:
    """The project.yaml beside the `mlruns` that a model lies in, whose folder holds the modules that it names.

    Elsewhere modules are looked for in the current folder and on the import path.
    """
    stores = [parent for parent in path.resolve().parents if parent.name == "mlruns"]
    return stores[-1].parent / "project.yaml" if stores else None


def _columns(label: str, answers: Answers) -> dict[str, Any]:
    """One label's answers as columns of a predictions file."""
    suffix = f":{label}" if label else ""
    if not answers.is_classification or answers.p is None:
        return {f"y_pred{suffix}": answers.y_pred}
    named = np.array(answers.classes, dtype=object)[answers.y_pred]
    if label:
        return {f"y_pred{suffix}": named, f"p{suffix}": answers.p[:, 1]}
    return {"y_pred": named} | {f"p_{name}": answers.p[:, k] for k, name in enumerate(answers.classes)}
