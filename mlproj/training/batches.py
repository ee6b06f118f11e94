"""Examples as tensors, and their batches: M models, N examples, B per batch, each model in an order of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mlproj.shapes import Index
from mlproj.zoo import generator

_CHUNK_VALUES = 2**22


@dataclass(frozen=True)
class Examples:
    """Examples on the training device.

    Attributes:
        x: Features [N, F].
        y: Class positions [N], or [N, K]: 0, 1 or NaN, or standardised values.
        weight: Weight of each term of the loss, of the shape of `y`; None when all weigh 1.
    """

    x: Tensor
    y: Tensor
    weight: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def members(self, members: Sequence[int]) -> "Examples":
        """The examples of some members of a stack [M, N, …]."""
        rows = torch.tensor(list(members), device=self.x.device)
        return self.take(rows)

    def take(self, rows: Tensor) -> "Examples":
        """The examples at `rows`, with the leading axis M."""
        weight = None if self.weight is None else self.weight[rows]
        return Examples(self.x[rows], self.y[rows], weight)

    def take_own(self, rows: Index) -> "Examples":
        """The examples at `rows` of each member's own [M, N, …]."""
        member = torch.arange(len(rows), device=rows.device).unsqueeze(1)
        weight = None if self.weight is None else self.weight[member, rows]
        return Examples(self.x[member, rows], self.y[member, rows], weight)

    def slice(self, start: int, stop: int, n_models: int) -> "Examples":
        """Some examples of a stack [M, B, …], as views; those of one go to all."""

        def cut(values: Tensor) -> Tensor:
            return values[:, start:stop].expand(n_models, *(-1,) * (values.ndim - 1))

        return Examples(cut(self.x), cut(self.y), None if self.weight is None else cut(self.weight))


def batch_ends(n: int, size: int) -> list[int]:
    """Where each batch of one pass ends.

    A last batch of a single example joins the one before: batch norm has no spread to divide by, and its noise would
    be the last thing before the weights are judged.

    Args:
        n: Examples N.
        size: Examples B per batch.

    Example:
        >>> batch_ends(10, 4), batch_ends(9, 4), batch_ends(3, 1)
        ([4, 8, 10], [4, 9], [1, 2, 3])
    """
    ends = [*range(size, n, size), n]
    if len(ends) > 1 and size > 1 and ends[-1] - ends[-2] == 1:
        del ends[-2]
    return ends


def make_orders(seeds: Sequence[int]) -> list[torch.Generator]:
    """One source of batch orders per member; members of one seed share theirs: each alone would have the same."""
    sources = {seed: generator(seed, "batches") for seed in dict.fromkeys(seeds)}
    return [sources[seed] for seed in seeds]


def shuffle(n: int, orders: Sequence[torch.Generator]) -> Index:
    """A new order of N examples for each member; a single row where all go through the same one."""
    drawn = {id(order): torch.randperm(n, generator=order) for order in {id(each): each for each in orders}.values()}
    if len(drawn) == 1:
        return next(iter(drawn.values())).unsqueeze(0)
    return torch.stack([drawn[id(order)] for order in orders])


def batches(examples: Examples, order: Index, ends: Sequence[int], n_models: int | None = None) -> Iterator[Examples]:
    """The batches [M, B, …] of one pass.

    Rows are gathered for many batches at a time, which are then views: the gathering costs little per step, and no
    second copy of the data is kept.

    Args:
        examples: All examples.
        order: Their order for each member; a single row where it is the same for all.
        ends: Where each batch ends, from `batch_ends`.
        n_models: Members M; as many as there are orders when left out.
    """
    n_models = n_models or len(order)
    is_shared = examples.x.ndim == 2
    if not is_shared:
        order = order.expand(n_models, -1)
    values_per_row = max(1, examples.x.shape[-1] * len(order))
    start, held_from, held = 0, 0, None
    for number, end in enumerate(ends):
        if held is None or end - held_from > held.x.shape[1]:
            room = start + max(end - start, _CHUNK_VALUES // values_per_row)
            until = max(stop for stop in ends[number:] if stop <= room)
            rows = order[:, start:until].to(examples.x.device)
            held, held_from = examples.take(rows) if is_shared else examples.take_own(rows), start
        yield held.slice(start - held_from, end - held_from, n_models)
        start = end
