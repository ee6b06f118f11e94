"""Layers of a stack: M models side by side, B examples each, every parameter with the leading axis M.

Member m computes exactly what it would compute alone: batched products never mix members, each member draws its
initial weights and dropout masks from generators of its own, and batch norm keeps M sets of running statistics.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mlproj.shapes import Units
from mlproj.spec.model import Activation
from mlproj.zoo.seeds import generator

Init = Literal["he", "xavier", "glorot", "zero"]
Inputs = Float[Tensor, "M B n_in"]
Affine = Float[Tensor, "M B n_out"]

ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
_MASK_ROWS = 256


def weight_variance(init: Init, n_in: int, n_out: int) -> float:
    """Variance of a layer's initial weights.

    He: 2/n_in (He et al. 2015, eq. 10), which keeps the spread of ReLU units from layer to layer. Xavier: 1/n_in, the
    same for tanh. Glorot: 2/(n_in + n_out) (Glorot & Bengio 2010, eq. 12), a compromise between the forward and the
    backward pass.

    Args:
        init: Name of the rule.
        n_in: Units that feed the layer.
        n_out: Units of the layer.

    Example:
        >>> weight_variance("he", 50, 10), weight_variance("xavier", 50, 10), weight_variance("glorot", 50, 10)
        (0.04, 0.02, 0.03333333333333333)
    """
    return {"he": 2 / n_in, "xavier": 1 / n_in, "glorot": 2 / (n_in + n_out), "zero": 0.0}[init]


class Dense(nn.Module):
    """x W + b for every member; biases start at 0.

    Args:
        n_in: Units that feed the layer.
        n_out: Units of the layer.
        init: Rule for the variance of the initial weights.
        seeds: One seed per member.
        index: Number of the layer; each layer has its own stream of random numbers.
        bias: False where batch norm follows, whose shift makes a bias redundant.
    """

    def __init__(
        self, n_in: int, n_out: int, *, init: Init, seeds: Sequence[int], index: int, bias: bool = True
    ) -> None:
        super().__init__()
        self.n_out = n_out
        spread = weight_variance(init, n_in, n_out) ** 0.5
        weight = torch.empty(len(seeds), n_in, n_out)
        for member, seed in zip(weight, seeds, strict=True):
            member.normal_(0, spread, generator=generator(seed, "weights", index)) if spread else member.zero_()
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(len(seeds), n_out)) if bias else None

    def forward(self, x: Inputs) -> Affine:
        """The layer's values for those of the layer before."""
        return torch.bmm(x, self.weight) if self.bias is None else torch.baddbmm(self.bias.unsqueeze(1), x, self.weight)


class BatchNorm(nn.Module):
    """Batch normalisation with statistics per member: γ (z − μ)/√(σ² + ε) + β (Ioffe & Szegedy 2015, algorithm 1).

    In training μ and σ² are those of the batch; in evaluation running averages (weight 0.1 for the newest batch).

    Args:
        n_models: Members M.
        width: Units of the layer.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, n_models: int, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(n_models, width))
        self.shift = nn.Parameter(torch.zeros(n_models, width))
        self.register_buffer("mean", torch.zeros(n_models, width))
        self.register_buffer("variance", torch.ones(n_models, width))

    def forward(self, z: Units) -> Units:
        """The normalised values, of the same shape."""
        n_models, n_rows, width = z.shape
        # Members laid side by side are further channels, whose statistics batch norm never mixes.
        flat = functional.batch_norm(
            z.transpose(0, 1).reshape(n_rows, n_models * width),
            self.mean.view(-1),
            self.variance.view(-1),
            self.scale.reshape(-1),
            self.shift.reshape(-1),
            self.training,
        )
        return flat.view(n_rows, n_models, width).transpose(0, 1)


class Padding(nn.Module):
    """Keeps the units that only fill a narrower member up to the widest at 0, where their activation would not be.

    Args:
        widths: Units of each member.
        width: Units of the layer.
    """

    mask: Tensor

    def __init__(self, widths: Sequence[int], width: int) -> None:
        super().__init__()
        real = torch.arange(width) < torch.tensor(list(widths)).unsqueeze(1)
        self.register_buffer("mask", real.float().unsqueeze(1), persistent=False)

    def forward(self, x: Units) -> Units:
        """The values, those of padded units 0."""
        return x * self.mask.to(x.dtype)


class Dropout(nn.Module):
    """Inverted dropout with a rate and a stream of masks per member (Srivastava et al. 2014).

    In training a unit is kept with probability 1 − rate and divided by it; in evaluation nothing happens.

    Args:
        rates: Share of units switched off, one per member.
        seeds: One seed per member.
        index: Number of the layer; each layer has its own stream of masks.
        widths: Units of each member, where narrower ones are padded to the widest: a member draws as many as it has.
    """

    def __init__(
        self, rates: Sequence[float], *, seeds: Sequence[int], index: int, widths: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.rates = tuple(rates)
        self.seeds = tuple(seeds)
        self.widths = None if widths is None else tuple(widths)
        self.index = index
        self._generators: list[torch.Generator] = []
        self._masks: Tensor | None = None
        self._used = 0

    def keep(self, members: Sequence[int]) -> None:
        """Goes on with some members, by position, and with their streams of masks."""
        self.rates = tuple(self.rates[m] for m in members)
        self.seeds = tuple(self.seeds[m] for m in members)
        self.widths = None if self.widths is None else tuple(self.widths[m] for m in members)
        self._generators = [self._generators[m] for m in members] if self._generators else []
        self._masks = None if self._masks is None else self._masks[list(members)]

    def forward(self, x: Units) -> Units:
        """The values with some units switched off, of the same shape."""
        return x * self._take(x) if self.training and any(self.rates) else x

    def _take(self, x: Tensor) -> Tensor:
        """The next B rows of every member's stream of masks.

        Masks are drawn for many batches ahead, so that drawing member by member costs little per step. How many
        depends on the batch alone, never on M or the width: the streams of a stack and of its members are the same.
        """
        n_rows, width = x.shape[1:]
        masks = self._masks
        if (
            masks is None
            or masks.shape[2] != width
            or masks.device != x.device
            or masks.dtype != x.dtype
            or self._used + n_rows > masks.shape[1]
        ):
            masks = self._draw(n_rows * max(1, _MASK_ROWS // max(1, n_rows)), x)
        taken = masks[:, self._used : self._used + n_rows]
        self._used += n_rows
        return taken

    def _draw(self, n_rows: int, like: Tensor) -> Tensor:
        if not self._generators or self._generators[0].device != like.device:
            self._generators = [generator(seed, "dropout", self.index, device=like.device) for seed in self.seeds]
        masks = torch.ones(len(self.rates), n_rows, like.shape[2], dtype=like.dtype, device=like.device)
        widths = self.widths or (like.shape[2],) * len(self.rates)
        for member, rate, width, numbers in zip(masks, self.rates, widths, self._generators, strict=True):
            if rate:
                drawn = torch.empty(n_rows, width, dtype=like.dtype, device=like.device)
                member[:, :width] = drawn.bernoulli_(1 - rate, generator=numbers).div_(1 - rate)
        self._masks, self._used = masks, 0
        return masks
