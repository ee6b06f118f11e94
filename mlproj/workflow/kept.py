"""Trainings under way, kept beside the store, and what is said of those that go on after a crash."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlproj.records import Job
from mlproj.spec.project import Project

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.fleet import Shelf
    from mlproj.track import Store

_LISTED = 4
"""Trainings whose epochs are named one by one."""


def folder_of(store: "Store", *parts: str) -> Path:
    """Where trainings under way lie.

    Args:
        store: The store.
        parts: Folders in it for those of a search, which go with it; nothing for all others, which go one by one.
    """
    return store.root.joinpath("cache", "trainings", *parts)


def search_folder(store: "Store", project: Project, kind: Literal["trainings", "answers"]) -> Path:
    """Where a search keeps things while it goes on; other projects may search in the same store.

    Args:
        store: The store.
        project: The project.
        kind: ``trainings`` for those under way, ``answers`` for those of trials that have ended.
    """
    from mlproj.data.store import safe_name

    parent = folder_of(store, "search") if kind == "trainings" else store.root / "cache" / "searches"
    return parent / safe_name(project.name)


def shelf_of(store: "Store", dataset: "Dataset") -> "Shelf":
    """The trainings under way of everything but searches, without those that nobody goes on with any more."""
    from mlproj.fleet import Shelf

    shelf = Shelf(folder_of(store), dataset.data_hash)
    shelf.clear_old()
    return shelf


def kept_notes(epochs: Mapping[int, int], *, resume: bool) -> tuple[str, ...]:
    """What to say of trainings that are about to begin, or to go on.

    Args:
        epochs: After how many epochs those that were cut off were kept.
        resume: Whether they go on.
    """
    if epochs:
        return (goes_on_words(epochs.values()) if resume else cut_off_words(len(epochs)),)
    return ("nothing of this spec on these data was cut off: it begins anew",) if resume else ()


def goes_on_words(epochs: Collection[int]) -> str:
    """Says where trainings go on.

    Args:
        epochs: After how many epochs each was kept.

    Example:
        >>> goes_on_words([1051, 1066])
        '2 trainings go on from epochs 1,051 and 1,066'
        >>> goes_on_words([7])
        '1 training goes on from epoch 7'
        >>> goes_on_words(range(10, 74))
        '64 trainings go on from epochs 10 to 73'
    """
    n, known = len(epochs), sorted(set(epochs))
    which = [f"{epoch:,}" for epoch in known]
    if len(which) > _LISTED:
        words = f"epochs {which[0]} to {which[-1]}"
    else:
        *others, last = which
        words = f"epochs {', '.join(others)} and {last}" if others else f"epoch {last}"
    return f"{n:,} trainings go on from {words}" if n > 1 else f"1 training goes on from {words}"


def cut_off_words(n: int) -> str:
    """Says that trainings which could be gone on with begin anew.

    Example:
        >>> cut_off_words(2)
        '2 of these trainings were cut off before and begin anew; --resume would have gone on with them'
    """
    which = "1 of these trainings was" if n == 1 else f"{n:,} of these trainings were"
    anew, them = ("begins anew", "it") if n == 1 else ("begin anew", "them")
    return f"{which} cut off before and {anew}; --resume would have gone on with {them}"


def left_words(shelf: "Shelf", jobs: Mapping[int, Job], command: str) -> str:
    """What is kept when Ctrl-C came before anything was finished.

    Args:
        shelf: Where trainings under way lie.
        jobs: The trainings.
        command: The command that goes on.
    """
    kept = shelf.epochs(jobs)
    none = f"Nothing is kept yet: trainings are kept every {shelf.seconds:g} seconds"
    return f"{goes_on_words(kept.values()) if kept else none}; go on with: {command}"
