"""What it costs to train models, alone or side by side in one stack: a formula that is linear in a few measured prices.

A stack of M perceptrons, F inputs, hidden widths w, K outputs, P weights per member, batches of B, pays

* per update and per layer a fixed price, whatever M: Python, and the start of some twenty kernels. This is what a stack
  saves: alone every model pays it, in a stack M share it;
* per member and update by the multiplications of forward and backward pass, 2·B·(3·P − F·w₁), for nothing needs the
  gradient of the inputs; by the B·Σw values of hidden units that are read and written; by the B·K outputs of the loss;
  by the P weights that the optimiser moves;
* for weights that do not fit the cache a price more: weights, gradients and two moments are 16 bytes per weight, and
  of M·P·16 bytes the share beyond the cache comes from memory at every update. Alone the same model may fit. This is
  why wide layers do not gain, and why a few dozen members are better than hundreds;
* for dropout by the masks that are drawn, for batch norm by the values that are normalised;
* per epoch and member for looking at it, and per stack and member for making it and writing down what came out.

Narrower members are padded to the widest, so they pay for its width: two stacks may be cheaper than one.

`benchmarks/cost_model.py` measures all this on a machine and fits the prices (non-negative least squares of relative
errors). They need not be exact: choices depend on their ratios, which differ far less between machines than the prices.

Legend: M members, B batch, F inputs, K outputs, P weights.
"""

from dataclasses import dataclass, fields
from itertools import pairwise
from math import inf
from operator import mul
from typing import NamedTuple

BYTES_PER_WEIGHT = 16
"""Weight, gradient and two moments in float32: what an update reads and writes."""


class Layout(NamedTuple):
    """What the cost of a training depends on.

    Attributes:
        widths: Inputs, hidden units layer by layer, outputs: (F, w₁, …, K).
        batch: Examples per update.
        updates: Updates of the whole training.
        epochs: Its epochs.
        seen: Examples that are looked at after each epoch.
        dropout: Share of the members that draw masks.
        batch_norm: Whether hidden layers are normalised.
        own_rows: Examples that each member holds for itself, since it trains on some of its own.
    """

    widths: tuple[int, ...]
    batch: int
    updates: int
    epochs: int
    seen: int
    dropout: float = 0.0
    batch_norm: bool = False
    own_rows: int = 0

    @property
    def weights(self) -> int:
        """Weights P of a member, biases among them."""
        return sum((a + 1) * b for a, b in pairwise(self.widths))


@dataclass(frozen=True)
class Prices:
    """Seconds per unit of work; the order is that of `count`.

    Attributes:
        stack: Making a stack.
        member: Making a member, and writing down what came out.
        epoch: Looking at a stack after an epoch.
        look: Looking at a member.
        answer: Judging one output of one example.
        update: An update.
        layer: A layer of an update.
        flop: A multiplication or addition.
        unit: A value of a hidden unit, forward and back.
        output: An output in the loss.
        weight: A weight that the optimiser moves.
        far: The same where it lies beyond the cache.
        mask: A value of a dropout mask.
        norm: A layer of batch norm in an update.
        normed: A value that batch norm normalises.
    """

    stack: float
    member: float
    epoch: float
    look: float
    answer: float
    update: float
    layer: float
    flop: float
    unit: float
    output: float
    weight: float
    far: float
    mask: float
    norm: float
    normed: float
    cache: float
    """Bytes of weights and moments that stay near."""

    def seconds(self, layout: Layout, members: int) -> float:
        """What a stack costs on one core.

        Args:
            layout: Its shape, the widths those of its widest member.
            members: Members M.

        Example:
            >>> digits = Layout((64, 64, 64, 10), batch=64, updates=460, epochs=20, seen=1797)
            >>> CPU.seconds(digits, 32) < 32 * CPU.seconds(digits, 1)
            True
            >>> wide = digits._replace(widths=(64, 2048, 2048, 10))
            >>> CPU.seconds(wide, 32) < 32 * CPU.seconds(wide, 1)
            False
        """
        return self.of(layout).seconds(members, layout.dropout)

    def of(self, layout: Layout) -> "Costs":
        """What stacks of a shape cost, for any number of members."""
        prices = (
            self.stack, self.member, self.epoch, self.look, self.answer, self.update, self.layer, self.flop, self.unit,
            self.output, self.weight, self.far, self.mask, self.norm, self.normed,
        )  # fmt: skip
        shape, mask, far = layout._replace(dropout=0.0), _NAMES.index("mask"), _NAMES.index("far")
        fixed = sum(map(mul, prices, count(shape, 0, inf)))
        each = sum(map(mul, prices, count(shape, 1, inf))) - fixed
        masks, fars = count(layout._replace(dropout=1.0), 1, inf)[mask], count(shape, 1, 0.0)[far]
        size = layout.weights * BYTES_PER_WEIGHT
        return Costs(fixed, each, self.mask * masks, self.far * fars, self.cache / size)


class Costs(NamedTuple):
    """What stacks of a shape cost in seconds.

    Attributes:
        fixed: Whatever their size.
        each: More for each member.
        mask: More for each member that draws masks.
        far: More for each member whose weights lie beyond the cache.
        near: Members whose weights the cache holds.
    """

    fixed: float
    each: float
    mask: float
    far: float
    near: float

    def seconds(self, members: int, dropout: float) -> float:
        """What a stack of so many members costs, a share of which draws masks."""
        return self.fixed + members * (self.each + dropout * self.mask) + max(0.0, members - self.near) * self.far


def count(layout: Layout, members: int, cache: float) -> tuple[float, ...]:
    """How much there is of everything that has a price, in the order of `Prices`.

    Args:
        layout: Shape of the stack.
        members: Members M.
        cache: Bytes that stay near.
    """
    widths, n, epochs = layout.widths, layout.updates * members, layout.epochs * members
    weights = layout.weights
    products = sum(a * b for a, b in pairwise(widths))
    hidden, layers = sum(widths[1:-1]), len(widths) - 1
    flops = n * 2 * layout.batch * (3 * products - widths[0] * widths[1]) + epochs * 2 * layout.seen * products
    units = n * layout.batch * hidden
    size = members * weights * BYTES_PER_WEIGHT
    far = max(0.0, 1.0 - cache / size) if size else 0.0
    return (
        1.0,
        members,
        layout.epochs,
        epochs,
        epochs * layout.seen * widths[-1],
        layout.updates,
        layout.updates * layers,
        flops,
        units + epochs * layout.seen * hidden / 3,
        n * layout.batch * widths[-1],
        n * weights,
        n * weights * far,
        units * layout.dropout,
        layout.updates * (layers - 1) * layout.batch_norm,
        units * layout.batch_norm,
    )


_NAMES = [field.name for field in fields(Prices)]
CPU = Prices(
    stack=3.87e-3, member=5.5e-4, epoch=3.35e-4, look=0.0, answer=8.87e-9,
    update=0.0, layer=2.93e-5, flop=9.56e-12, unit=1.26e-9, output=0.0, weight=1.54e-9, far=2.69e-9,
    mask=3.94e-9, norm=1.03e-4, normed=6.55e-9, cache=8e6,
)  # fmt: skip
"""One core of an AMD EPYC, 2026-11-28, on an idle machine. Of the cases it was fitted on, all with ten classes, it
misses the median by 3 %, the worst by 13 %; of others, such as hundreds of classes, it knows less."""
