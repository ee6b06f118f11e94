"""Which run is meant: by id, prefix, name or `latest`."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from mlproj.errors import RunNotFound
from mlproj.records import SEEDS, Run

SHORT: Final = 8
SHORTEST_PREFIX: Final = 4
TRAINED: Final = ("train", "search")
_LISTED: Final = 6


@dataclass(frozen=True)
class Choice:
    """The run that was meant.

    Attributes:
        run: The run.
        chosen: How it was found: id, prefix, name or latest.
        note: What there is to say about it, for example that several runs have that name; may be empty.
    """

    run: Run
    chosen: str
    note: str = ""


def choose_run(selector: str, runs: Sequence[Run]) -> Choice:
    """The run that a selector means.

    Args:
        selector: A run id, a unique prefix of one (from 4 letters), a name (the newest of that name), the name of a
            group of seeds (its first seed), or `latest`.
        runs: The runs to choose from, newest first.

    Raises:
        RunNotFound: When none answers, or a prefix fits several.

    Example:
        >>> run = Run("0123456789abcdef", "first", "train", "FINISHED", 0.0)
        >>> choose_run("0123", [run]).chosen, choose_run("first", [run]).chosen
        ('prefix', 'name')
    """
    if not runs:
        raise RunNotFound("There are no runs yet. Train one first: mlproj train")
    if selector == "latest":
        return _latest(runs)
    named = [run for run in runs if run.name == selector]
    wanted = selector.lower()
    fitting = [run for run in runs if run.id.lower().startswith(wanted)] if len(wanted) >= SHORTEST_PREFIX else []
    whole = [run for run in fitting if run.id.lower() == wanted]
    if whole:
        return Choice(whole[0], "id")
    if named:
        older = len(named) - 1
        note = f"{older + 1} runs are called '{selector}'; this is the newest. Name another by its id." if older else ""
        return Choice(named[0], "name", note)
    if len(fitting) == 1:
        return Choice(fitting[0], "prefix")
    seeds = [run for run in runs if run.tags.get(SEEDS) == selector and run.status == "FINISHED"]
    if seeds and not fitting:
        first = min(seeds, key=lambda run: int(run.params.get("seed", "0")))
        return Choice(first, "name", f"'{selector}' is a group of {len(seeds)} seeds; this is its first.")
    raise RunNotFound(_several(selector, fitting) if fitting else _none(selector, runs))


def _latest(runs: Sequence[Run]) -> Choice:
    finished = [run for run in runs if run.kind in TRAINED and run.status == "FINISHED"]
    if not finished:
        raise RunNotFound(f"None of the {len(runs)} runs is a finished training. Train one first: mlproj train")
    return Choice(finished[0], "latest")


def _several(selector: str, runs: Sequence[Run]) -> str:
    lines = [f"  {run.id[: max(SHORT, len(selector) + 4)]}  {run.name}" for run in runs[:_LISTED]]
    more = [f"  and {len(runs) - _LISTED} more"] if len(runs) > _LISTED else []
    return "\n".join([f"'{selector}' fits the ids of {len(runs)} runs; write more of it:", *lines, *more])


def _none(selector: str, runs: Sequence[Run]) -> str:
    names = list(dict.fromkeys(run.name for run in runs))
    ids = [run.id[: len(selector)] for run in runs] if len(selector) >= SHORTEST_PREFIX else []
    close = get_close_matches(selector, names, n=1, cutoff=0.6) or get_close_matches(selector, ids, n=1, cutoff=0.8)
    guess = f" Did you mean '{close[0]}'?" if close else ""
    if len(selector) < SHORTEST_PREFIX and any(run.id.startswith(selector.lower()) for run in runs):
        guess = f" Of an id, write at least {SHORTEST_PREFIX} characters."
    trained = [run for run in runs if run.kind in TRAINED] or runs
    newest = ", ".join(f"{run.name} ({run.id[:SHORT]})" for run in trained[:3])
    return f"No run is called '{selector}' or has an id that begins so.{guess}\nThe newest: {newest}. All: mlproj runs"
