"""Answers of a trained model from its stored weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlproj.spec.project import Project
from mlproj.training.device import choose_device, is_available
from mlproj.training.outputs import run_model
from mlproj.training.targets import to_tensor
from mlproj.zoo import restore_model
from mlproj.zoo.stacked import Weights


def predict(
    project: Project,
    weights: Weights,
    x: NDArray[Any],
    *,
    n_outputs: int,
    columns: Mapping[str, int] | None = None,
) -> NDArray[np.float64]:
    """Raw outputs of a trained model in evaluation mode: logits, or standardised values.

    Args:
        project: The project that was trained.
        weights: Weights by name, without the model axis: `Fit.weights`.
        x: Encoded features (N, F).
        n_outputs: Outputs K of the model.
        columns: Inputs of each raw column, in order: `Encoder.sizes`; only modules that take columns by name need it.

    Returns:
        Outputs (N, K).
    """
    name = project.training.device
    device = choose_device(name if is_available(name) else "cpu")  # trained on a GPU, used where there is none
    model = restore_model(project, weights, n_features=x.shape[1], n_outputs=n_outputs, columns=columns)
    outputs = run_model(model.to(device), to_tensor(x.astype(np.float32, copy=False), device))
    return outputs[0].double().cpu().numpy()
