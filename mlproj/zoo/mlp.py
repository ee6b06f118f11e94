"""Multi-layer perceptrons: dense layers with activation, optional batch norm before it and dropout after it."""

from collections.abc import Sequence

from torch import nn

from mlproj.spec.model import MLP
from mlproj.zoo.build import build
from mlproj.zoo.layers import ACTIVATIONS, BatchNorm, Dense, Dropout
from mlproj.zoo.stacked import StackedModel


@build.register
def build_mlp(spec: MLP, *, n_features: int, n_outputs: int, seeds: Sequence[int]) -> StackedModel:
    """Builds M perceptrons.

    Args:
        spec: The spec of a perceptron.
        n_features: Inputs F.
        n_outputs: Outputs K.
        seeds: One seed per member.
    """
    layers: dict[str, nn.Module] = {}
    n_in = n_features
    for number, width in enumerate(spec.sizes, start=1):
        layers[f"dense_{number}"] = Dense(
            n_in, width, init=spec.init, seeds=seeds, index=number, bias=not spec.batch_norm
        )
        if spec.batch_norm:
            layers[f"norm_{number}"] = BatchNorm(len(seeds), width)
        layers[f"{spec.activation}_{number}"] = ACTIVATIONS[spec.activation]()
        layers[f"dropout_{number}"] = Dropout([spec.dropout] * len(seeds), seeds=seeds, index=number)
        n_in = width
    layers["output"] = Dense(n_in, n_outputs, init=spec.init, seeds=seeds, index=0)
    return StackedModel(layers, n_features=n_features, n_models=len(seeds))
