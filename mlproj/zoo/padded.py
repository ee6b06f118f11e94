"""Perceptrons of different widths in one stack: narrower layers are filled up with units that stay 0.

A padded unit has no weights in and none out. Its activation is 0 (for the sigmoid a mask sees to that), so neither its
weights nor those of others ever get a gradient through it: every member computes what it would compute alone, and the
padding is the same zeros after any number of updates.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mlproj.spec.model import MLP
from mlproj.zoo.build import build
from mlproj.zoo.layers import ACTIVATIONS, BatchNorm, Dense, Dropout, Padding
from mlproj.zoo.stacked import StackedModel, Weights


def build_padded(specs: Sequence[MLP], *, n_features: int, n_outputs: int, seeds: Sequence[int]) -> StackedModel:
    """Builds M perceptrons that agree in depth, activation and batch norm, each as wide as its own spec says.

    Args:
        specs: One spec per member; dropout and initialisation may differ too.
        n_features: Inputs F.
        n_outputs: Outputs K.
        seeds: One seed per member.

    Returns:
        The stack; member m starts with exactly the weights of a model built alone.

    Raises:
        ValueError: When the specs differ in depth, activation or batch norm.
    """
    first = specs[0]
    if len({(len(spec.sizes), spec.activation, spec.batch_norm) for spec in specs}) > 1:
        raise ValueError("padded perceptrons have one depth, one activation, and batch norm all or none")
    layers: dict[str, nn.Module] = {}
    n_in = n_features
    for number in range(1, len(first.sizes) + 1):
        widths = [spec.sizes[number - 1] for spec in specs]
        width = max(widths)
        layers[f"dense_{number}"] = Dense(
            n_in, width, init="zero", seeds=seeds, index=number, bias=not first.batch_norm
        )
        if first.batch_norm:
            layers[f"norm_{number}"] = BatchNorm(len(seeds), width)
        layers[f"{first.activation}_{number}"] = ACTIVATIONS[first.activation]()
        if first.activation == "sigmoid" and min(widths) < width:
            layers[f"padding_{number}"] = Padding(widths, width)
        layers[f"dropout_{number}"] = Dropout([spec.dropout for spec in specs], seeds=seeds, index=number)
        n_in = width
    layers["output"] = Dense(n_in, n_outputs, init="zero", seeds=seeds, index=0)
    model = StackedModel(layers, n_features=n_features, n_models=len(seeds))
    state = model.state_dict()
    for m, (spec, seed) in enumerate(zip(specs, seeds, strict=True)):
        alone = build(spec, n_features=n_features, n_outputs=n_outputs, seeds=[seed])
        for name, value in alone.state_dict().items():
            _corner(state[name][m], value[0].shape).copy_(value[0])
    return model


def cut_out(weights: Weights, alone: StackedModel) -> dict[str, NDArray[Any]]:
    """The weights of one member of a padded stack, without the padding.

    Args:
        weights: Its weights by name, as `unstack` gives them.
        alone: A model of its own shape.
    """
    return {
        name: np.ascontiguousarray(_corner(weights[name], value.shape[1:]))
        for name, value in alone.state_dict().items()
    }


def _corner(value: Any, shape: torch.Size) -> Any:
    return value[tuple(slice(0, size) for size in shape)]
