"""Gradients of linear models and perceptrons by the chain rule written out (Rumelhart et al. 1986).

Autograd builds a graph per update and allocates what it passes through. For the models that are trained most, the same
products are written into buffers that are kept, the gradient of all members into one matrix laid out like the weights.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mlproj.shapes import Flat, PerModel
from mlproj.training.batches import Examples
from mlproj.training.flat import FlatWeights
from mlproj.training.objective import Objective
from mlproj.training.slopes import SLOPES, losses_and_slopes
from mlproj.zoo import StackedModel
from mlproj.zoo.layers import Dense, Dropout, Padding

_aten = torch.ops.aten


@dataclass(frozen=True)
class _Activation:
    """An activation in place, and the slope before it from the slope after it and the activations, in place."""

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]


_ACTIVATIONS: dict[type[nn.Module], _Activation] = {
    nn.ReLU: _Activation(
        torch.relu_, lambda slope, a: _aten.threshold_backward.grad_input(slope, a, 0, grad_input=slope)
    ),
    nn.LeakyReLU: _Activation(
        lambda z: nn.functional.leaky_relu_(z, 0.01),
        lambda slope, a: _aten.leaky_relu_backward.grad_input(slope, a, 0.01, True, grad_input=slope),
    ),
    nn.Tanh: _Activation(torch.tanh_, lambda slope, a: _aten.tanh_backward.grad_input(slope, a, grad_input=slope)),
    nn.Sigmoid: _Activation(
        torch.sigmoid_, lambda slope, a: _aten.sigmoid_backward.grad_input(slope, a, grad_input=slope)
    ),
}


@dataclass
class _Block:
    """A hidden layer: a dense layer, its activation, and what comes after that."""

    dense: Dense
    activation: _Activation
    padding: Padding | None = None
    dropout: Dropout | None = None


@dataclass(frozen=True)
class _Affine:
    """The weights of a dense layer and their gradient, as views that are made once: making one takes a microsecond.

    Attributes:
        weight: Weights [M, I, O].
        transposed: The same [M, O, I].
        bias: Biases [M, 1, O].
        by_weight: Gradient [M, I, O].
        by_bias: Gradient [M, O].
    """

    weight: Tensor
    transposed: Tensor
    bias: Tensor
    by_weight: Tensor
    by_bias: Tensor


@dataclass(frozen=True)
class _Room:
    """Buffers for one hidden layer and batch size, each [M, B, H]: activations, what is passed on, masks, slopes."""

    values: Tensor
    passed: Tensor
    masks: Tensor | None
    slopes: Tensor


class Derivation:
    """The losses of a stack on a batch, and their gradient.

    Args:
        blocks: Hidden layers.
        output: The last layer.
        weights: All weights.
        objective: What is minimised.

    Attributes:
        gradient: Gradient of each member's loss [M, P] after a call.
    """

    def __init__(self, blocks: Sequence[_Block], output: Dense, weights: FlatWeights, objective: Objective) -> None:
        self._blocks, self._objective = blocks, objective
        self.gradient: Flat = torch.zeros_like(weights.theta)
        by_parameter = dict(zip(map(id, weights.parameters), weights.views(self.gradient), strict=True))
        self._affine = [
            _affine(dense, by_parameter[id(dense.weight)], by_parameter[id(dense.bias)])
            for dense in (*(block.dense for block in blocks), output)
        ]
        self._rooms: dict[tuple[int, tuple[bool, ...]], list[_Room]] = {}

    def __call__(self, batch: Examples) -> PerModel:
        """The mean loss of each member; `gradient` then holds its gradient.

        Args:
            batch: Examples [M, B, …].
        """
        with torch.no_grad():
            n_rows = batch.x.shape[1]
            thinned = tuple(block.dropout is not None and any(block.dropout.rates) for block in self._blocks)
            rooms = self._rooms.get((n_rows, thinned)) or self._make_rooms(n_rows, thinned)
            passed = self._forward(batch.x, rooms)
            last = self._affine[-1]
            # [M, K, B]: what runs along the classes is faster that way, see `slopes`
            outputs = torch.baddbmm(last.bias.mT, last.transposed, passed.mT)
            losses, slopes = losses_and_slopes(self._objective, outputs, batch.y, batch.weight)
            self._backward(batch.x, passed, slopes, rooms)
            return losses

    def _forward(self, x: Tensor, rooms: Sequence[_Room]) -> Tensor:
        for block, affine, room in zip(self._blocks, self._affine, rooms, strict=False):
            torch.baddbmm(affine.bias, x, affine.weight, out=room.values)
            block.activation.forward(room.values)
            if block.padding is not None:
                room.values.mul_(block.padding.mask)
            if room.masks is not None and block.dropout is not None:
                torch.mul(room.values, block.dropout.draw(room.masks), out=room.passed)
            x = room.passed
        return x

    def _backward(self, x: Tensor, passed: Tensor, slopes: Tensor, rooms: Sequence[_Room]) -> None:
        above = self._affine[-1]
        # The product with few outputs first is several times faster than its transpose.
        above.by_weight.copy_(torch.bmm(slopes, passed).mT)
        torch.sum(slopes, 2, out=above.by_bias)
        back = slopes.mT
        for at in range(len(rooms) - 1, -1, -1):
            room, affine = rooms[at], self._affine[at]
            torch.bmm(back, above.transposed, out=room.slopes)
            if room.masks is not None:
                room.slopes.mul_(room.masks)
            # Padded units have no weights out, so their slopes are 0 without a mask.
            self._blocks[at].activation.backward(room.slopes, room.values)
            torch.bmm((rooms[at - 1].passed if at else x).mT, room.slopes, out=affine.by_weight)
            torch.sum(room.slopes, 1, out=affine.by_bias)
            back, above = room.slopes, affine

    def _make_rooms(self, n_rows: int, thinned: tuple[bool, ...]) -> list[_Room]:
        rooms = []
        for block, is_thinned in zip(self._blocks, thinned, strict=True):
            values = block.dense.weight.new_empty(len(self.gradient), n_rows, block.dense.n_out)
            passed = torch.empty_like(values) if is_thinned else values
            masks = torch.empty_like(values) if is_thinned else None
            rooms.append(_Room(values, passed, masks, torch.empty_like(values)))
        self._rooms[n_rows, thinned] = rooms
        return rooms


def _affine(dense: Dense, by_weight: Tensor, by_bias: Tensor) -> _Affine:
    assert dense.bias is not None
    weight = dense.weight.detach()
    return _Affine(weight, weight.mT, dense.bias.detach().unsqueeze(1), by_weight, by_bias)


def derive(model: StackedModel, weights: FlatWeights, objective: Objective) -> Derivation | None:
    """What computes a stack's gradient in closed form.

    Args:
        model: The stack.
        weights: Its weights.
        objective: What is minimised.

    Returns:
        None for what is left to autograd: batch norm, modules and losses of the user's own, and other devices than the
        CPU, where the time does not go into the graph.
    """
    if type(model) is not StackedModel or type(objective) is not Objective or objective.loss not in SLOPES:
        return None
    if weights.theta.device.type != "cpu":
        return None
    blocks: list[_Block] = []
    *hidden, output = model
    for layer in hidden:
        previous = blocks[-1] if blocks else None
        if isinstance(layer, Dense) and layer.bias is not None:
            blocks.append(_Block(layer, _LINEAR))
        elif previous is not None and type(layer) in _ACTIVATIONS:
            previous.activation = _ACTIVATIONS[type(layer)]
        elif previous is not None and isinstance(layer, Padding):
            previous.padding = layer
        elif previous is not None and isinstance(layer, Dropout):
            previous.dropout = layer
        else:
            return None
    if not isinstance(output, Dense) or any(not parameter.requires_grad for parameter in model.parameters()):
        return None
    return Derivation(blocks, output, weights, objective)


_LINEAR = _Activation(lambda z: z, lambda slope, _: slope)
