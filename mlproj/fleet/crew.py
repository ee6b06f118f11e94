"""A crew: jobs that one process trains, side by side where they go together, one after the other where not."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from mlproj.data import Dataset
from mlproj.fleet.groups import shape_of
from mlproj.fleet.keeper import StackKeeper
from mlproj.fleet.plan import Planner
from mlproj.fleet.room import cut_to_room
from mlproj.fleet.shelf import Shelf
from mlproj.records import Failure, Fit, Job, OutcomeKind, describe
from mlproj.training import fit, resolve
from mlproj.training.fitting import fit_stack_together, on_rows
from mlproj.training.loop import Member
from mlproj.training.snapshot import Keeper

OnFleetEpoch = Callable[[int, int, Mapping[int, Mapping[str, float]]], Mapping[int, OutcomeKind]]
"""Called after each epoch of a stack with (epoch, epochs, values by ``SPLIT/METRIC`` for each job that still trains, by
position); answers which of them end, and how."""
Result = tuple[int, Fit | Failure]


def train_crew(
    jobs: Mapping[int, Job], dataset: Dataset, *, on_epoch: OnFleetEpoch | None = None, shelf: Shelf | None = None
) -> Iterator[Result]:
    """Trains jobs in this process; each comes out as it would alone.

    Args:
        jobs: Jobs by position.
        dataset: What to train on.
        on_epoch: Called after each epoch; an exception that it raises is raised here.
        shelf: Where trainings under way are kept, and gone on with after a crash.

    Yields:
        Positions and results, as they end.
    """
    for results in train_crew_together(jobs, dataset, on_epoch=on_epoch, shelf=shelf):
        yield from results


def train_crew_together(
    jobs: Mapping[int, Job], dataset: Dataset, *, on_epoch: OnFleetEpoch | None = None, shelf: Shelf | None = None
) -> Iterator[Sequence[Result]]:
    """As `train_crew`; yields the results of those that end together as one."""
    done = shelf.epochs(jobs) if shelf else {}
    for epochs, positions in _stacks(jobs, dataset, done):
        chosen = {position: jobs[position] for position in positions}
        keeper = StackKeeper(shelf, list(chosen.values()), goes_on=epochs > 0) if shelf else None
        if len(positions) > 1:
            yield from _together(chosen, dataset, on_epoch, keeper)
            continue
        for position, job in chosen.items():
            yield [(position, _alone(position, job, dataset, on_epoch, keeper))]


def _stacks(jobs: Mapping[int, Job], dataset: Dataset, done: Mapping[int, int]) -> Iterator[tuple[int, Sequence[int]]]:
    """What trains together, with the epochs that are done: those of one shape, as many as there is room for."""
    planner = Planner(dataset)
    for (shape, epochs), group in _group(jobs, done):
        layouts = [planner.layout(jobs[position]) for position in group]
        cuts = cut_to_room(layouts) if shape is not None else [range(at, at + 1) for at in range(len(group))]
        yield from ((epochs, [group[at] for at in cut]) for cut in cuts)


def _group(jobs: Mapping[int, Job], done: Mapping[int, int]) -> list[tuple[tuple[str | None, int], list[int]]]:
    """Jobs by shape and by the epochs that are done, in the order of the first of each."""
    groups: dict[tuple[str | None, int], list[int]] = {}
    for position, job in jobs.items():
        groups.setdefault((shape_of(job), done.get(position, 0)), []).append(position)
    return list(groups.items())


class _Asked(Exception):  # no error of its own: it carries the caller's through the training
    """An exception of `on_epoch`, which is not the job's."""


def _alone(
    position: int, job: Job, dataset: Dataset, on_epoch: OnFleetEpoch | None, keeper: Keeper | None = None
) -> Fit | Failure:
    """The result of one job, or why there is none."""

    def heard(epoch: int, epochs: int, values: Mapping[str, float]) -> OutcomeKind | None:
        assert on_epoch is not None
        try:
            return on_epoch(epoch, epochs, {position: values}).get(position)
        except Exception as error:
            raise _Asked from error

    try:
        hearer = heard if on_epoch else None
        return fit(job.project, dataset, seed=job.seed, rows=job.rows, on_epoch=hearer, keeper=keeper)
    except _Asked as asked:
        raise asked.__cause__ or asked from None
    except Exception as error:  # noqa: BLE001  # whatever goes wrong in one job, the others go on
        return describe(error)


def _together(
    jobs: Mapping[int, Job], dataset: Dataset, on_epoch: OnFleetEpoch | None, keeper: Keeper | None = None
) -> Iterator[Sequence[Result]]:
    """The results of jobs of one shape, together as they end; where the stack as a whole fails, each is tried alone."""
    members: dict[int, Member] = {}
    for position, job in jobs.items():
        try:
            own = dataset if job.rows is None else on_rows(dataset, job.rows)
            members[position] = Member(resolve(job.project, own), job.seed, job.rows)
        except Exception as error:  # noqa: BLE001  # whatever goes wrong in one job, the others go on
            yield [(position, describe(error))]
    positions, left = list(members), set(members)
    keeper = keeper if len(members) == len(jobs) else None  # it knows the members by their number

    def heard(epoch: int, epochs: int, values: Mapping[int, Mapping[str, float]]) -> Mapping[int, OutcomeKind]:
        assert on_epoch is not None
        try:
            ends = on_epoch(epoch, epochs, {positions[m]: own for m, own in values.items()})
        except Exception as error:
            raise _Asked from error
        return {positions.index(position): kind for position, kind in ends.items()}

    try:
        for fits in _stack([members[p] for p in positions], dataset, heard if on_epoch else None, keeper):
            left.difference_update(positions[m] for m, _ in fits)
            yield [(positions[m], fitted) for m, fitted in fits]
    except _Asked as asked:
        raise asked.__cause__ or asked from None
    except Exception:  # noqa: BLE001  # of one member, or of memory: alone it shows whose it is
        for position in sorted(left):
            yield [(position, _alone(position, jobs[position], dataset, on_epoch))]


def _stack(
    members: Sequence[Member], dataset: Dataset, on_epoch: OnFleetEpoch | None, keeper: Keeper | None
) -> Iterator[Sequence[tuple[int, Fit]]]:
    if members:
        yield from fit_stack_together(members, dataset, on_epoch=on_epoch, keeper=keeper)
