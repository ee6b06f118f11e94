"""Which engine a search runs on."""

from pathlib import Path
from typing import TYPE_CHECKING

from mlproj.engine.engine import AbstractEngine, cpu_count
from mlproj.engine.here import Here
from mlproj.engine.pool import Pool
from mlproj.engine.server import end_waiting, start_server
from mlproj.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from mlproj.data import Dataset

ENGINES = ("auto", "fleet", "process")
CREW = 64
"""Jobs that are taken ahead for a worker."""
MOST_WORKERS = 1024


def make_engine(
    name: str, dataset: "Dataset", workers: int | None = None, *, crew: int = CREW, shelf: Path | None = None
) -> AbstractEngine:
    """The engine to train on.

    Args:
        name: process: a pool of worker processes, each with one training at a time; fleet: the same, each with many at
            a time that train side by side; auto: side by side what is done sooner so by a measured cost model, one by
            one what is not, and in this process where one worker is enough.
        dataset: What to train on.
        workers: Jobs that run at the same time; the cores of this machine when left out.
        crew: Jobs that are taken ahead for each worker, to train side by side.
        shelf: Folder where trainings under way are kept, and gone on with after a crash; None for nowhere.

    Raises:
        InvalidInput: For an unknown name, or fewer than one worker.
        MlprojError: When there is no room to lay out the data, or no process can be started.
    """
    crew = 1 if name == "process" else crew
    if _needs_pool(name, workers):
        return Pool(dataset, workers=workers or cpu_count(), crew=crew, stacks=name == "fleet", shelf=shelf, spare=True)
    end_waiting()
    return Here(dataset, crew=crew, stacks=name == "fleet", shelf=shelf)


def warm_up(name: str = "process", workers: int | None = None) -> None:
    """Begins to import what workers need, in the background, for the pool that `make_engine` will make.

    Args:
        name: As in `make_engine`.
        workers: As in `make_engine`.

    Raises:
        InvalidInput: For an unknown name, or fewer than one worker.
        MlprojError: When no process can be started.
    """
    if _needs_pool(name, workers):
        start_server()


def engine_problems(name: str, workers: int | None) -> list[Problem]:
    """What is wrong with the choice of an engine.

    Args:
        name: As in `make_engine`.
        workers: As in `make_engine`.

    Example:
        >>> print(engine_problems("cluster", 0)[0])
        --engine: 'cluster' is not known; auto, fleet and process are
          Leave it out for auto.
    """
    problems = []
    if name not in ENGINES:
        message = f"{name!r} is not known; {', '.join(ENGINES[:-1])} and {ENGINES[-1]} are"
        problems.append(Problem("--engine", message, "Leave it out for auto."))
    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        message = f"{workers} is no number of processes"
        problems.append(Problem("--workers", message, f"Write 1 to {MOST_WORKERS:,}."))
    return problems


def _needs_pool(name: str, workers: int | None) -> bool:
    if problems := engine_problems(name, workers):
        raise InvalidInput(problems)
    return name == "process" or (workers or cpu_count()) > 1
