"""What trains with what: jobs into stacks, so that all workers together are done as soon as they can be.

Jobs that can train side by side (`shape_of`) are ordered by width and cut into stacks where the sum of what these cost
is least; a job that is as cheap alone stays alone. Then stacks are cut until the workers end at about the same time.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import TYPE_CHECKING, Generic, TypeVar

from mlproj.fleet.alone import NO_COMPANY, NO_GAIN, OWN, TOO_LARGE, Reason
from mlproj.fleet.cost import CPU, Costs, Layout, Prices
from mlproj.fleet.groups import shape_of
from mlproj.fleet.room import MOST, has_room, widest
from mlproj.records import Job
from mlproj.spec.model import MLP, Linear, Python

if TYPE_CHECKING:
    from mlproj.data import Dataset

_FORK = 0.01
"""Seconds until a further worker is at work."""
_MISFIT = 0.1
"""Prices explain the cost of stacks no better: of plans that differ by less, that with fewer stacks is taken."""
_LEAST_GAIN = 0.05
"""Share that company has to save: what it saves by less may as well cost more."""
_LAST_RESORT = 1e9
"""Seconds that count for training alone where all that can be is to be stacked."""
_COMPANY = 16
"""Members of a stack for which it is judged whether a job gains from company."""
Item = TypeVar("Item")


@dataclass(frozen=True)
class _Member(Generic[Item]):
    item: Item
    shape: str
    layout: Layout


@dataclass(frozen=True)
class Stack(Generic[Item]):
    """Jobs that train side by side, or one that trains alone.

    Attributes:
        members: Its members.
        layout: Its shape, that of its widest member.
        seconds: What it costs.
    """

    members: tuple[_Member[Item], ...]
    layout: Layout
    seconds: float


class Planner:
    """Chooses, for one data set.

    Args:
        dataset: What is trained on.
        stacks: Whether all that can be stacked is; otherwise only what gains from it.
        prices: What work costs here.
    """

    def __init__(self, dataset: "Dataset", *, stacks: bool = False, prices: Prices = CPU) -> None:
        from mlproj.training.looks import epoch_sample

        train = dataset.parts["train"]
        self._n, self._ends = len(train), (train.x.shape[1], dataset.target.n_outputs)
        self._most_seen = epoch_sample(dataset.parts)
        self._held_out = sum(len(part) for name, part in dataset.parts.items() if name != "train")
        self._stacks, self._prices = stacks, prices
        self._costs: dict[Layout, Costs] = {}

    def layout(self, job: Job) -> Layout | None:
        """What the cost of a job depends on; None for a model of the user's own, of which nothing is known."""
        from mlproj.training.resolving import auto_batch_size, auto_epochs

        model, training = job.project.model, job.project.training
        if not isinstance(model, MLP | Linear):
            return None
        n = self._n if job.rows is None else max(1, len(job.rows))
        asked = auto_batch_size(n) if training.batch_size == "auto" else training.batch_size
        batch = n if asked == "full" else min(n, asked)
        epochs = auto_epochs(n, batch) if training.epochs == "auto" else training.epochs
        hidden = model.sizes if isinstance(model, MLP) else ()
        return Layout(
            (self._ends[0], *hidden, self._ends[1]),
            batch,
            epochs * ceil(n / batch),
            epochs,
            self._held_out + min(n, self._most_seen),
            float(isinstance(model, MLP) and model.dropout > 0),
            isinstance(model, MLP) and model.batch_norm,
            0 if job.rows is None else n + min(n, self._most_seen),
        )

    def in_company(self, job: Job) -> float | None:
        """What a job costs as one of many; None where it gains nothing from company."""
        layout = self.layout(job)
        if layout is None:
            return 0.0 if self._stacks and shape_of(job) else None
        seconds = self._seconds(layout, _COMPANY) / _COMPANY
        return seconds if self._stacks or seconds < (1 - _LEAST_GAIN) * self._seconds(layout, 1) else None

    def why_alone(self, job: Job) -> Reason:
        """Why a job that has a stack to itself has no company.

        Args:
            job: The job.
        """
        model, layout = job.project.model, self.layout(job)
        if isinstance(model, Python):
            return Reason(OWN, name=model.factory)
        if layout is None:
            return Reason(NO_COMPANY if self._stacks else NO_GAIN, name=model.kind)
        width = max(layout.widths[1:-1], default=0)
        if not has_room(layout, 2):
            return Reason(TOO_LARGE, width if width >= layout.widths[-1] else 0)
        return Reason(NO_COMPANY) if self.in_company(job) is not None else Reason(NO_GAIN, width)

    def plan(self, jobs: Sequence[tuple[Item, Job]], workers: int) -> list[list[Item]]:
        """What trains together, the most expensive first.

        Args:
            jobs: Things with their jobs.
            workers: Workers that take one stack after the other.

        Returns:
            A list of things for each stack.
        """
        groups: dict[str, list[_Member[Item]]] = {}
        unknown: dict[str, list[Item]] = {}  # families of others, which can be stacked
        alone: list[list[Item]] = []  # of which nobody knows what they cost
        for item, job in jobs:
            shape, layout = shape_of(job), self.layout(job)
            if layout is not None and shape is not None:
                groups.setdefault(shape, []).append(_Member(item, shape, layout))
            elif shape is not None and self._stacks:
                unknown.setdefault(shape, []).append(item)
            else:
                alone.append([item])
        stacks = [stack for group in groups.values() for stack in self._cut_by_width(group)]
        if workers > 1 and stacks:
            shared = self._share(stacks, workers)
            stacks = shared if makespan(shared, workers) + _FORK < makespan(stacks, workers) else stacks
        stacks.sort(key=lambda stack: -stack.seconds)
        for items in unknown.values():
            size = min(MOST, ceil(len(items) / workers))
            alone += [items[at : at + size] for at in range(0, len(items), size)]
        return alone + [[member.item for member in stack.members] for stack in stacks]

    def _seconds(self, layout: Layout, members: int) -> float:
        shape = layout._replace(dropout=0.0)
        costs = self._costs.get(shape)
        if costs is None:
            costs = self._costs[shape] = self._prices.of(shape)
        return costs.seconds(members, layout.dropout)

    def _stack(self, members: Sequence["_Member[Item]"]) -> Stack[Item]:
        layout = widest([member.layout for member in members])
        return Stack(tuple(members), layout, self._seconds(layout, len(members)))

    def _cut_by_width(self, group: Sequence["_Member[Item]"]) -> list[Stack[Item]]:
        """The cheapest way to cut a group, ordered by width, into stacks: `least[n]` is that of the first n members."""
        members = sorted(group, key=lambda member: (sum(member.layout.widths), member.layout.widths))
        least, cuts = [0.0], [0]
        for end in range(1, len(members) + 1):
            best, cut, stacked = inf, end - 1, members[end - 1].layout
            for start in range(end - 1, max(-1, end - 1 - MOST), -1):
                n = end - start
                if n > 1:
                    stacked = widest((stacked, members[start].layout), (n - 1, 1))
                    if not has_room(stacked, n):
                        break
                price = least[start] + self._seconds(stacked, n)
                if n == 1 and self._stacks and len(members) > 1:
                    price += _LAST_RESORT
                if price < best:
                    best, cut = price, start
            least.append(best)
            cuts.append(cut)
        stacks, end = [], len(members)
        while end:
            stacks.append(self._stack(members[cuts[end] : end]))
            end = cuts[end]
        return self._merge(stacks[::-1])

    def _merge(self, stacks: Sequence[Stack[Item]]) -> list[Stack[Item]]:
        """Of plans that cost the same, as far as prices are known, that with the fewest stacks."""
        merged: list[Stack[Item]] = []
        for stack in stacks:
            if merged and min(len(merged[-1].members), len(stack.members)) > 1:
                both = self._stack((*merged[-1].members, *stack.members))
                if has_room(both.layout, len(both.members)) and both.seconds <= (1 + _MISFIT) * (
                    merged[-1].seconds + stack.seconds
                ):
                    merged[-1] = both
                    continue
            merged.append(stack)
        return merged

    def _share(self, stacks: Sequence[Stack[Item]], workers: int) -> list[Stack[Item]]:
        """All members in a row, stack by stack, which is cut where each worker has its share; then stacks of each."""
        share, held = sum(stack.seconds for stack in stacks) / workers, 0.0
        hands: list[dict[str, list[_Member[Item]]]] = [{} for _ in range(workers)]
        for stack in stacks:
            each = stack.seconds / len(stack.members)
            for member in stack.members:
                hand = hands[min(int((held + each / 2) / share), workers - 1)]
                hand.setdefault(member.shape, []).append(member)
                held += each
        return [stack for hand in hands for group in hand.values() for stack in self._cut_by_width(group)]


def makespan(stacks: Sequence[Stack[Item]], workers: int) -> float:
    """When the last of some workers ends, who take one stack after the other in this order."""
    ends = [0.0] * workers
    for stack in stacks:
        heapq.heapreplace(ends, ends[0] + stack.seconds)
    return max(ends)
