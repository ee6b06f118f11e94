"""What models answer, in evaluation mode. N examples, F features, K outputs, M models at once."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mlproj.zoo import StackedModel
from mlproj.zoo.layers import Dense

_ROWS_AT_ONCE = 2**12
_IN_PLACE: dict[type[nn.Module], Callable[[Tensor], Tensor]] = {
    nn.ReLU: torch.relu_,
    nn.Tanh: torch.tanh_,
    nn.Sigmoid: torch.sigmoid_,
}


def run_model(model: StackedModel, x: Tensor) -> Tensor:
    """Raw outputs [M, N, K] of a stack in evaluation mode.

    In memory the examples run along the last axis, [M, K, N]: what is then computed along the few outputs is faster.

    Args:
        model: The stack; it is left in evaluation mode.
        x: Features [N, F] on its device, or [M, N, F].
    """
    model.eval()
    rows_at_once = max(1, _ROWS_AT_ONCE // model.n_models)
    with torch.no_grad():
        parts = [_run_layers(model, rows) for rows in torch.split(x, rows_at_once, dim=x.ndim - 2)]
        return torch.cat(parts, dim=2).transpose(1, 2)


def _run_layers(model: StackedModel, x: Tensor) -> Tensor:
    """Outputs laid out [M, K, N]."""
    if type(model) is not StackedModel:
        return model(x).transpose(1, 2)
    *hidden, output = model
    rows = x if x.ndim == 3 else x.expand(model.n_models, *x.shape)
    values = rows
    for layer in hidden:
        in_place = None if values is rows else _IN_PLACE.get(type(layer))
        values = layer(values) if in_place is None else in_place(values)
    if not isinstance(output, Dense) or output.bias is None:
        return output(values).transpose(1, 2)
    return torch.baddbmm(output.bias.unsqueeze(2), output.weight.transpose(1, 2), values.transpose(1, 2))
