"""All weights of a stack as one matrix [M, P], so that an optimiser is a handful of operations whatever the model.

The model's parameters become views of the matrix: what the optimiser writes, the model computes with. Weight matrices
come first, biases and batch norm after them, so that penalties touch one slice.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mlproj.shapes import Flat, Scalar
from mlproj.zoo import StackedModel


@dataclass(frozen=True)
class FlatWeights:
    """The weights of M models, one row each.

    Attributes:
        theta: All weights [M, P].
        n_matrix: The first columns, which hold the weight matrices; the others are biases and batch norm.
        parameters: The model's parameters, views of `theta`, in the order of its columns.
    """

    theta: Tensor
    n_matrix: int
    parameters: tuple[nn.Parameter, ...]

    @property
    def matrices(self) -> Flat:
        """The part of `theta` that penalties apply to."""
        return self.theta[:, : self.n_matrix]

    def views(self, flat: Flat) -> tuple[Tensor, ...]:
        """A matrix like `theta` taken apart: for each parameter, in order, the part that belongs to it."""
        found, start = [], 0
        for parameter in self.parameters:
            size = parameter.numel() // len(self.theta)
            found.append(flat[:, start : start + size].view(parameter.shape))
            start += size
        return tuple(found)

    def gradient(self, loss: Scalar) -> Flat:
        """Gradient of a loss, summed over the members, with respect to each member's weights.

        Members share no weights, so row m is the gradient of member m's own loss.

        Args:
            loss: Sum of the members' losses.
        """
        # Not .backward(): writing one fresh matrix is cheaper than adding into one .grad per parameter.
        parts = torch.autograd.grad(loss, self.parameters, materialize_grads=True)
        return torch.cat([part.reshape(len(self.theta), -1) for part in parts], dim=1)


def flatten(model: StackedModel) -> FlatWeights:
    """Moves the parameters of a stack into one matrix; the model goes on working, on views of it.

    Parameters that do not want a gradient stay where they are.

    Args:
        model: A stack on its device and in its precision: moving or converting it later cuts the tie.
    """
    # A weight matrix is what has two axes beside the leading one of models.
    least = model.leading_axes + 2
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    parameters = sorted(learned, key=lambda parameter: parameter.ndim < least)
    theta = torch.cat([parameter.detach().reshape(model.n_models, -1) for parameter in parameters], dim=1)
    n_values = sum(parameter.numel() for parameter in parameters if parameter.ndim >= least)
    weights = FlatWeights(theta, n_values // model.n_models, tuple(parameters))
    for parameter, view in zip(parameters, weights.views(theta), strict=True):
        parameter.data = view
    return weights
