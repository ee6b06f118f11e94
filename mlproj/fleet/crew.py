"""A crew: jobs that one process trains, side by side where they go together, one after the other where not."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from mlproj.data import Dataset
from mlproj.fleet.groups import shape_of
from mlproj.fleet.keeper import StackKeeper
from mlproj.fleet.shelf import Shelf
from mlproj.records import Failure, Fit, Job, OutcomeKind, describe
from mlproj.training import fit, resolve
from mlproj.training.fitting import fit_stack, on_rows
from mlproj.training.loop import Member
from mlproj.training.snapshot import Keeper

OnFleetEpoch = Callable[[int, int, Mapping[int, Mapping[str, float]]], Mapping[int, OutcomeKind]]
"""Called after each epoch of a stack with (epoch, epochs, values by ``SPLIT/METRIC`` for each job that still trains, by
position); answers which of them end, and how."""
Result = tuple[int, Fit | Failure]
_MOST = 256
"""Members of a stack at most: beyond that nothing is gained, and memory grows."""


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
    done = shelf.epochs(jobs) if shelf else {}
    for (shape, epochs), group in _group(jobs, done):
        for start in range(0, len(group), _MOST):
            positions = group[start : start + _MOST]
            if shape is None or len(positions) == 1:
                for position in positions:
                    keeper = StackKeeper(shelf, [jobs[position]], goes_on=epochs > 0) if shelf else None
                    yield position, _alone(position, jobs[position], dataset, on_epoch, keeper)
            else:
                chosen = {position: jobs[position] for position in positions}
                keeper = StackKeeper(shelf, list(chosen.values()), goes_on=epochs > 0) if shelf else None
                yield from _together(chosen, dataset, on_epoch, keeper)


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
) -> Iterator[Result]:
    """The results of jobs of one shape; where the stack as a whole fails, each is tried alone."""
    members: dict[int, Member] = {}
    for position, job in jobs.items():
        try:
            own = dataset if job.rows is None else on_rows(dataset, job.rows)
            members[position] = Member(resolve(job.project, own), job.seed, job.rows)
        except Exception as error:  # noqa: BLE001  # whatever goes wrong in one job, the others go on
            yield position, describe(error)
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
        for m, fitted in _stack([members[p] for p in positions], dataset, heard if on_epoch else None, keeper):
            left.discard(positions[m])
            yield positions[m], fitted
    except _Asked as asked:
        raise asked.__cause__ or asked from None
    except Exception:  # noqa: BLE001  # of one member, or of memory: alone it shows whose it is
        for position in sorted(left):
            yield position, _alone(position, jobs[position], dataset, on_epoch)


def _stack(
    members: Sequence[Member], dataset: Dataset, on_epoch: OnFleetEpoch | None, keeper: Keeper | None
) -> Iterator[tuple[int, Fit]]:
    if members:
        yield from fit_stack(members, dataset, on_epoch=on_epoch, keeper=keeper)
