"""Layers of a stack: M models side by side, B examples each, every parameter with the leading axis M.

Member m computes exactly what it would compute alone: batched products never mix members, each member draws its
initial weights and dropout masks from generators of its own, and batch norm keeps M sets of running statistics.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mlproj.shapes import Units
from mlproj.spec.model import Activation
from mlproj.zoo.seeds import bit_generator, generator

Init = Literal["he", "xavier", "glorot", "zero"]
Inputs = Float[Tensor, "M B n_in"]
Affine = Float[Tensor, "M B n_out"]

ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
_MASK_ROWS = 1024
"""Rows of masks that are drawn at a time: for many batches, so that it costs little per step."""
_LEVELS = 2**16


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

    A mask compares 16 random bits per unit with the member's rate, which is thereby rounded to 1/65,536. The bits
    depend on the member's seed, the layer, and the batches that went before: neither on other members, nor on the width
    of the stack, nor on the rate. So members of one seed share them: each alone would draw the same.

    Args:
        rates: Share of units switched off, one per member.
        seeds: One seed per member.
        index: Number of the layer; each layer has its own stream of masks.
    """

    def __init__(self, rates: Sequence[float], *, seeds: Sequence[int], index: int) -> None:
        super().__init__()
        self.rates = tuple(rates)
        self.seeds = tuple(seeds)
        self.index = index
        self._chunk, self._used = -1, 0
        self._bits: Tensor | None = None
        self._scales: tuple[Tensor, Tensor, Tensor | None] | None = None

    @property
    def place(self) -> tuple[int, int]:
        """Where the streams of masks are: a chunk, and rows used of it. Setting it goes on from there."""
        return self._chunk, self._used

    @place.setter
    def place(self, place: tuple[int, int]) -> None:
        (self._chunk, self._used), self._bits = place, None

    def set_rates(self, rates: Sequence[float]) -> None:
        """Gives every member a rate of its own."""
        self.rates, self._scales = tuple(rates), None

    def keep(self, members: Sequence[int]) -> None:
        """Goes on with some members, by position, and with their streams of masks."""
        self.rates = tuple(self.rates[m] for m in members)
        self.seeds = tuple(self.seeds[m] for m in members)
        self._bits = self._scales = None

    def forward(self, x: Units) -> Units:
        """The values with some units switched off, of the same shape."""
        return x * self.draw(torch.empty_like(x)) if self.training and any(self.rates) else x

    def draw(self, out: Units) -> Units:
        """The factors of the next batch: 0 for units that are switched off, 1/(1 − rate) for the others.

        Args:
            out: Where to write them [M, B, H].
        """
        n_rows, width = out.shape[1:]
        bits = self._bits
        if self._chunk < 0 or self._used + n_rows > max(_MASK_ROWS, n_rows):
            self._chunk, self._used, bits = self._chunk + 1, 0, None
        if bits is None or bits.shape[2] != width or bits.shape[1] < self._used + n_rows or bits.device != out.device:
            bits = self._bits = self._draw_bits(max(_MASK_ROWS, n_rows), width, out.device)
        most, scale, member = self._thresholds(out)
        own = bits[:, self._used : self._used + n_rows]
        torch.le(own if member is None else own[member], most, out=out)
        self._used += n_rows
        return out.mul_(scale)

    def _draw_bits(self, n_rows: int, width: int, device: torch.device) -> Tensor:
        """16 random bits per unit [S, N, H] for each of S seeds: the first units are the same for every width."""
        n_words = -(-n_rows * width // 4)
        drawn = [
            bit_generator(seed, "dropout", self.index, self._chunk).random_raw(n_words)
            for seed in dict.fromkeys(self.seeds)
        ]
        bits = torch.from_numpy(np.stack(drawn).view(np.int16)[:, : n_rows * width])
        return bits.view(-1, width, n_rows).transpose(1, 2).contiguous().to(device)

    def _thresholds(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """For each member the largest number that keeps a unit, the factor of kept units, and which seed it has."""
        if self._scales is None or self._scales[1].dtype != like.dtype or self._scales[1].device != like.device:
            kept = np.maximum(np.rint((1 - np.array(self.rates)) * _LEVELS), 1)
            most = torch.from_numpy((kept - _LEVELS // 2 - 1).astype(np.int16)).view(-1, 1, 1).to(like.device)
            scale = torch.from_numpy(_LEVELS / kept).to(like).view(-1, 1, 1)
            seeds = list(dict.fromkeys(self.seeds))
            member = torch.tensor([seeds.index(seed) for seed in self.seeds], device=like.device)
            self._scales = most, scale, None if len(seeds) in (1, len(self.seeds)) else member
        return self._scales
