"""A stack of M models of one shape, its layer table, and its weights as plain arrays.

Weights travel without the model axis, as `{name: array}` per member: `unstack` takes a stack apart and `stack` puts
members together again.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mlproj.shapes import Outputs, Rows
from mlproj.zoo.layers import Dense, Dropout

Weights = Mapping[str, NDArray[Any]]


class StackedModel(nn.Sequential):
    """M models of one shape, layer after layer; every parameter and buffer has the leading axis M.

    Args:
        layers: Layers by name, in order; each maps [M, B, n] to [M, B, n'].
        n_features: Inputs F of each model.
        n_models: Members M.

    Attributes:
        leading_axes: Axes of models in front of each parameter: 1, or 0 for a module of the user's own, which is alone.
    """

    leading_axes: ClassVar[int] = 1

    def __init__(self, layers: Mapping[str, nn.Module], *, n_features: int, n_models: int) -> None:
        super().__init__()
        self.n_features = n_features
        self.n_models = n_models
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Rows) -> Outputs:
        """Raw outputs: logits for classes, standardised values for regression.

        Args:
            x: Examples [B, F] shared by all members, or [M, B, F].
        """
        values = x if x.ndim == 3 else x.expand(self.n_models, *x.shape)
        for layer in self:
            values = layer(values)
        return values

    def keep(self, members: Sequence[int]) -> None:
        """Goes on with some members, by position; each draws what it would have drawn before.

        Parameters get new storage: whatever was tied to the old one has to be tied anew.
        """
        rows = torch.tensor(list(members), device=next(self.parameters()).device)
        for parameter in self.parameters():
            parameter.data = parameter.data[rows]
        for module in self.modules():
            for name, buffer in module.named_buffers(recurse=False):
                setattr(module, name, buffer[rows])
            if isinstance(module, Dropout):
                module.keep(members)
        self.n_models = len(members)

    def part(self, members: Sequence[int]) -> "StackedModel":
        """A stack of some members, by position, with weights of its own."""
        other = copy.deepcopy(self)
        other.keep(members)
        return other

    def set_dropout(self, rates: Sequence[float]) -> None:
        """Gives every member a dropout rate of its own.

        Args:
            rates: One share per member, from 0 to below 1.
        """
        if len(rates) != self.n_models:
            raise ValueError(f"{len(rates)} dropout rates for {self.n_models} models")
        for layer in self:
            if isinstance(layer, Dropout):
                layer.set_rates(rates)


def unstack(model: StackedModel) -> tuple[dict[str, NDArray[Any]], ...]:
    """The weights of each member by name, parameters and running statistics, without the model axis.

    Args:
        model: The stack.

    Returns:
        One mapping per member; the arrays are copies.
    """
    state = {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}
    return tuple({name: np.array(value[m], order="C") for name, value in state.items()} for m in range(model.n_models))


def stack(members: Sequence[Weights]) -> dict[str, Tensor]:
    """The state of a stack from the weights of its members: what `load_state_dict` takes.

    Args:
        members: One mapping per member, all of the same shapes.
    """
    return {name: torch.from_numpy(np.stack([member[name] for member in members])) for name in members[0]}


@dataclass(frozen=True)
class LayerRow:
    """One line of the layer table: a layer, the shape of its output per example, and its parameters."""

    layer: str
    output: tuple[int, ...]
    parameters: int


def layer_table(model: StackedModel) -> tuple[LayerRow, ...]:
    """The layers of one member, in order, with what each puts out and learns.

    Args:
        model: The stack; its members are of one shape, so one table serves all.

    Returns:
        One row per layer; layers that do nothing (dropout at rate 0) are left out.
    """
    own: tuple[LayerRow, ...] | None = getattr(model, "rows", None)  # of a model of the user's own
    if own is not None:
        return own
    rows, width = [], model.n_features
    for name, layer in model.named_children():
        width = layer.n_out if isinstance(layer, Dense) else width
        learned = sum(parameter.numel() for parameter in layer.parameters()) // model.n_models
        if not isinstance(layer, Dropout) or any(layer.rates):
            rows.append(LayerRow(name, (width,), learned))
    return tuple(rows)
