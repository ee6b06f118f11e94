"""Trains members in one stack and each alone by plain torch, on the same batches from the same initial weights."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, cast

import torch
from torch import Tensor
from torch_oracle import Batch, Network, updates

from mlproj.spec.model import MLP, Linear
from mlproj.spec.training import Training
from mlproj.training.batches import Examples, batch_ends, batches, make_orders, shuffle
from mlproj.training.objective import Loss, Objective
from mlproj.training.schedules import factors
from mlproj.training.step import Learner, keep_members, make_learner, step
from mlproj.zoo import StackedModel, build, build_padded
from mlproj.zoo.layers import Dropout

N_FEATURES, N_ROWS, BATCH, N_EPOCHS = 5, 41, 8, 10  # batches of 8, 8, 8, 8, 9: 50 updates
N_ALL = 60
LOSSES = ("cross_entropy", "binary_cross_entropy", "mse", "mae", "huber")


@dataclass(frozen=True)
class Twin:
    """A model that is trained twice: as a member of a stack, and alone."""

    spec: MLP | Linear
    training: Training
    seed: int = 0

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.spec.sizes if isinstance(self.spec, MLP) else ()

    @property
    def rows(self) -> Tensor:
        """The examples it trains on: other ones for every seed."""
        return torch.randperm(N_ALL, generator=torch.Generator().manual_seed(100 + self.seed))[:N_ROWS]


@dataclass
class Run:
    """What came of a stack: losses before each update [T, M], the learner after all of them, and all weights before the
    first and after each."""

    losses: Tensor
    learner: Learner
    states: list[dict[str, Tensor]]

    def path(self, m: int) -> list[dict[str, Tensor]]:
        """The weights of one member, as it went."""
        return [{name: value[m] for name, value in state.items()} for state in self.states]


@dataclass(frozen=True)
class Problem:
    """Examples and what is minimised on them."""

    loss: str = "cross_entropy"
    is_weighted: bool = False
    has_missing: bool = False
    dtype: torch.dtype = torch.float64
    examples: Examples = field(init=False)

    def __post_init__(self) -> None:
        numbers = torch.Generator().manual_seed(0)
        x = torch.randn(N_ALL, N_FEATURES, generator=numbers, dtype=torch.float64)
        y = torch.randn(N_ALL, self.n_outputs, generator=numbers, dtype=torch.float64)
        if self.loss == "cross_entropy":
            y = y.argmax(1)
        elif self.loss == "binary_cross_entropy":
            y = (y > 0).double()
            if self.has_missing:
                y[torch.rand(y.shape, generator=numbers) < 0.3] = torch.nan
        weight = torch.rand(y.shape, generator=numbers, dtype=torch.float64) + 0.5 if self.is_weighted else None
        cast_y = y if y.dtype == torch.int64 else y.to(self.dtype)
        made = Examples(x.to(self.dtype), cast_y, None if weight is None else weight.to(self.dtype))
        object.__setattr__(self, "examples", made)

    @property
    def n_outputs(self) -> int:
        return {"cross_entropy": 4, "binary_cross_entropy": 3}.get(self.loss, 2)

    def objective(self, twins: Sequence[Twin]) -> Objective:
        shares = [twin.training.label_smoothing for twin in twins]
        share = shares[0] if len(set(shares)) == 1 else torch.tensor(shares, dtype=torch.float64)
        return Objective(cast(Loss, self.loss), share, self.has_missing)


def stack_of(twins: Sequence[Twin], n_outputs: int) -> StackedModel:
    """The models side by side, padded where their specs differ."""
    shape, seeds = {"n_features": N_FEATURES, "n_outputs": n_outputs}, [twin.seed for twin in twins]
    specs = [twin.spec for twin in twins]
    if len(set(specs)) == 1:
        return build(specs[0], **shape, seeds=seeds)
    return build_padded([spec for spec in specs if isinstance(spec, MLP)], **shape, seeds=seeds)


def train_stack(
    twins: Sequence[Twin],
    problem: Problem,
    *,
    drops: Mapping[int, Sequence[int]] | None = None,
    n_updates: int | None = None,
) -> Run:
    """The members side by side, as `Loop` drives them.

    Args:
        twins: The members.
        problem: What they learn.
        drops: Members that leave before an epoch, by number; their losses are NaN from then on.
        n_updates: Updates after which to stop; None for all.
    """
    model = stack_of(twins, problem.n_outputs).to(problem.dtype)
    states = [_state(model)]
    learner = make_learner(model, problem.objective(twins), [twin.training for twin in twins])
    ends = batch_ends(N_ROWS, BATCH)
    rates = torch.stack([_rates(twin.training, len(ends)) for twin in twins], 1).to(problem.dtype)
    orders, active = make_orders([twin.seed for twin in twins]), list(range(len(twins)))
    examples = problem.examples.take(torch.stack([twin.rows for twin in twins]))
    losses = torch.full((N_EPOCHS * len(ends), len(twins)), torch.nan, dtype=problem.dtype)
    for epoch in range(N_EPOCHS):
        gone = (drops or {}).get(epoch, ())
        if gone:
            going = [at for at, m in enumerate(active) if m not in gone]
            learner, examples, active = (
                keep_members(learner, going),
                examples.members(going),
                [active[a] for a in going],
            )
            orders = [orders[at] for at in going]
        learner.model.train()
        for at, batch in enumerate(batches(examples, shuffle(N_ROWS, orders), ends), start=epoch * len(ends)):
            if at == n_updates:
                return Run(losses, learner, states)
            losses[at, active] = step(learner, batch, rates[at, active])
            states.append(_state(learner.model, states[-1], active))
    return Run(losses, learner, states)


def _state(model: StackedModel, before: Mapping[str, Tensor] | None = None, active: Sequence[int] = ()) -> Any:
    """The weights of all members; those who left have the ones that they left with."""
    state = {name: value.detach().clone() for name, value in model.state_dict().items()}
    if before is None:
        return state
    return {name: before[name].index_copy(0, torch.tensor(active), value) for name, value in state.items()}


def _rates(training: Training, per_epoch: int) -> Tensor:
    return training.learning_rate * factors(training.schedule, n_epochs=N_EPOCHS, steps_per_epoch=per_epoch)


def train_alone(
    twin: Twin, problem: Problem, initial: Mapping[str, Tensor], *, turn: int = 0
) -> tuple[Tensor, Network]:
    """The losses [T] of plain torch, and its model.

    Args:
        twin: The member.
        problem: What it learns.
        initial: Its initial weights, perhaps with padding.
        turn: By how many places the examples of each batch are turned round, which changes nothing but the rounding of
            sums.
    """
    network = _network(twin, problem, initial)
    batches = [_turn(batch, turn) for batch in _batches(twin, problem)]
    return torch.stack(list(updates(network, twin.training, problem.loss, batches, len(batches) // N_EPOCHS))), network


def follow(twin: Twin, problem: Problem, states: Sequence[Mapping[str, Tensor]]) -> tuple[Tensor, float]:
    """Plain torch, put back onto the member's path before every update, so that rounding cannot build up.

    Args:
        twin: The member.
        problem: What it learns.
        states: Its weights before the first update and after each.

    Returns:
        The losses [T], and the largest distance of the weights after an update.
    """
    network = _network(twin, problem, states[0])
    batches = list(_batches(twin, problem))
    losses, far = [], 0.0
    made = updates(network, twin.training, problem.loss, batches, len(batches) // N_EPOCHS)
    for at, loss in enumerate(islice(made, len(states) - 1)):
        losses.append(loss)
        far = max(far, network.distance(states[at + 1]))
        network.load(states[at + 1])
    return torch.stack(losses), far


def _network(twin: Twin, problem: Problem, initial: Mapping[str, Tensor]) -> Network:
    spec = twin.spec if isinstance(twin.spec, MLP) else MLP(layers=0)
    sizes = {"n_features": N_FEATURES, "n_outputs": problem.n_outputs}
    return Network(initial, twin.sizes, spec.activation, batch_norm=spec.batch_norm, **sizes)


def _turn(batch: Batch, by: int) -> Batch:
    weight = None if batch.weight is None else batch.weight.roll(by, 0)
    return Batch(batch.x.roll(by, 0), batch.y.roll(by, 0), weight, [mask.roll(by, 0) for mask in batch.masks])


def _batches(twin: Twin, problem: Problem) -> Iterator[Batch]:
    rate = twin.spec.dropout if isinstance(twin.spec, MLP) else 0.0
    return batches_of(problem.examples.take(twin.rows), twin.seed, twin.sizes, rate)


def batches_of(
    own: Examples, seed: int, sizes: Sequence[int], rate: float, *, size: int = BATCH, n_epochs: int = N_EPOCHS
) -> Iterator[Batch]:
    """The batches of a member with its masks, which layers of its own draw again.

    Args:
        own: Its examples [N, …].
        seed: Its seed.
        sizes: Units per hidden layer.
        rate: Its dropout.
        size: Examples per batch.
        n_epochs: Epochs.
    """
    layers = [Dropout([rate], seeds=[seed], index=at) for at in range(1, len(sizes) + 1)] if rate else []
    (order,) = make_orders([seed])
    for _ in range(n_epochs):
        rows, start = shuffle(len(own), [order])[0], 0
        for end in batch_ends(len(own), size):
            part, start = rows[start:end], end
            ones = [torch.ones(1, len(part), width, dtype=own.x.dtype) for width in sizes]
            masks = [layer(one)[0] for layer, one in zip(layers, ones, strict=False)]
            weight = None if own.weight is None else own.weight[part]
            yield Batch(own.x[part], own.y[part], weight, masks)


def difference(ours: Tensor, theirs: Tensor) -> float:
    """Largest relative difference over the updates up to the first loss that is no number in either; inf where only one
    of them is."""
    sound = torch.isfinite(ours) & torch.isfinite(theirs)
    if not torch.equal(torch.isfinite(ours), torch.isfinite(theirs)):
        return float("inf")
    return float(((ours - theirs).abs() / theirs.abs().clamp(min=1e-12))[sound].max())


def differences(twins: Sequence[Twin], problem: Problem) -> list[float]:
    """How far each member of a stack is from its twin."""
    run = train_stack(twins, problem)
    alone = [train_alone(twin, problem, run.path(m)[0])[0] for m, twin in enumerate(twins)]
    return [difference(run.losses[:, m], theirs) for m, theirs in enumerate(alone)]
