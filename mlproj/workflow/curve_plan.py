"""What a learning curve trains: sizes, nested parts of the training split, seeds; and what it is held against."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import InputError, InvalidInput, Problem
from mlproj.spec.project import Project
from mlproj.workflow.curve_store import training_key
from mlproj.workflow.human import find_human
from mlproj.workflow.recipe import recipe_words, same_updates
from mlproj.workflow.subject import Subject

if TYPE_CHECKING:
    from mlproj.data import Dataset, Part
    from mlproj.diagnose.curve.judge import Asked

FEWEST_REPEATS, MOST_REPEATS, MOST_SIZES = 3, 100, 50
_FEWEST_EXAMPLES = 8
_SIZE = re.compile(r"(\d[\d_]*\.?\d*|\.\d+)\s*(%?)")
_FORMS = "Write numbers of examples or shares, such as --sizes 100,200,400 or --sizes 0.125,0.25,0.5."


@dataclass(frozen=True)
class Aim:
    """What a curve is measured in and held against.

    Attributes:
        asked: Metric, target and setting.
        metrics: Metrics that every training is measured in.
        scales: Loss of the best constant answer by label, for the relative loss.
        notes: Where the human level comes from, where it is no plain figure.
    """

    asked: "Asked"
    metrics: tuple[str, ...]
    scales: Mapping[str, float]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Training:
    """One training to be made.

    Attributes:
        size: Size asked for.
        n: Examples; with groups the nearest number that keeps them whole.
        repeat: Its repeat, from 0.
        seed: Seed of weights and batches.
        rows: Positions in the training split, ascending; None for all.
        key: Hash of spec, data, rows and seed.
        project: The recipe at this size.
    """

    size: int
    n: int
    repeat: int
    seed: int
    rows: NDArray[np.int64] | None
    key: str
    project: Project


@dataclass(frozen=True)
class Plan:
    """All trainings of a curve.

    Attributes:
        sizes: Sizes, ascending; the last is the whole training split.
        repeats: Trainings per size.
        trainings: Repeat by repeat, the largest size first, so that an early end leaves whole curves.
        notes: What should be said about the subsets.
        options: Options that the user gave, to be given again.
    """

    sizes: tuple[int, ...]
    repeats: int
    trainings: tuple[Training, ...]
    notes: tuple[str, ...]
    options: tuple[str, ...]

    @property
    def keys(self) -> list[str]:
        """Keys of all trainings."""
        return [each.key for each in self.trainings]


def check_curve_options(repeats: int, workers: int | None, picture: Path | None) -> None:
    """Whether options can mean what was written.

    Raises:
        InvalidInput: When one cannot.

    Example:
        >>> check_curve_options(1, None, None)
        Traceback (most recent call last):
        mlproj.errors.InvalidInput: --repeats: 1 is too few to tell chance from a trend...
    """
    from mlproj.engine import engine_problems

    problems = engine_problems("auto", workers)
    if not FEWEST_REPEATS <= repeats <= MOST_REPEATS:
        fault = "is too few to tell chance from a trend" if repeats < FEWEST_REPEATS else "is too many"
        hint = f"Write {FEWEST_REPEATS} to {MOST_REPEATS}."
        problems.append(Problem("--repeats", f"{repeats} {fault}", hint))
    if picture is not None and picture.suffix.lower() != ".png":
        problems.append(Problem("--picture", f"{picture} does not end in .png", "Name a .png file."))
    elif picture is not None and not picture.parent.is_dir():
        message = f"the folder {picture.parent} does not exist"
        problems.append(Problem("--picture", message, "Make it first, or name another."))
    if problems:
        raise InvalidInput(problems)


def aim_of(subject: Subject, target: str | float | None, metric: str | None) -> Aim:
    """Metric and target of a curve: what was asked for, else human level, else the optimised metric.

    Args:
        subject: The run.
        target: Error that is wanted, as a loss.
        metric: Metric asked for.

    Raises:
        InvalidInput: When the metric does not suit the answers, or the target is no error.
    """
    from mlproj.diagnose.curve.judge import Asked
    from mlproj.diagnose.gather import choose_metric, default_metric, metric_of_level
    from mlproj.diagnose.rungs import RELATIVE_LOSS, as_given
    from mlproj.diagnose.several import constant_losses

    project, predictions = subject.project, subject.predictions
    assert project is not None
    assert predictions is not None
    optimize, told = project.metric.optimize, find_human(subject, metric=metric)
    chosen = choose_metric(predictions, (), told.level, metric or optimize, asked=metric is not None)
    people = None
    if told.level is not None and metric_of_level(told.level, predictions) == chosen:
        people = told.rung or as_given(told.level)
        people = people.on_target or people  # dev is of the target distribution
    level = None if people is None else people.value
    wanted = None if target is None else read_target(target, chosen)
    asked = Asked(
        chosen,
        target=level if wanted is None else wanted,
        target_from="--target" if wanted is not None else "human level" if level is not None else "",
        human=level,
        floor=None if people is None or people.floor is None else (people.floor.limits or (people.floor.value,))[0],
        recipe=recipe_words(project),
        weighted=predictions.weight is not None,
        distributions_differ=bool((subject.splits or {}).get("distributions_differ")),
    )
    known = [chosen]
    if chosen != RELATIVE_LOSS:  # others cost nothing now and a whole curve later
        known += [optimize or chosen, default_metric(predictions)]
    scales = constant_losses(predictions) if chosen == RELATIVE_LOSS else {}
    return Aim(asked, tuple(dict.fromkeys(known)), scales, told.notes[:1])


def read_target(target: str | float, metric: str) -> float:
    """A target as it was written.

    Args:
        target: An error as a fraction or in percent; of numbers a value.
        metric: Metric that it is in.

    Raises:
        InvalidInput: When it is no error.

    Example:
        >>> read_target("6%", "error"), read_target(2500, "rmse")
        (0.06, 2500.0)
    """
    from mlproj.diagnose.rungs import is_rate

    text = str(target).strip()
    found = re.fullmatch(r"(\d[\d_]*\.?\d*(?:[eE][-+]?\d+)?|\.\d+)\s*(%?)", text)
    value = float(found[1]) / (100 if found[2] else 1) if found else float("nan")
    if not np.isfinite(value) or (is_rate(metric) and value > 1):
        hint = "Write an error such as 0.05 or 5%; of a score s give 1 - s."
        raise InvalidInput([Problem("--target", f"{text!r} is no error", hint)])
    return value


def plan_curve(spec: Project, dataset: "Dataset", sizes: str | Sequence[float] | None, repeats: int) -> Plan:
    """What to train.

    Args:
        spec: The run's resolved spec.
        dataset: Its data.
        sizes: Sizes asked for.
        repeats: Trainings per size.

    Raises:
        InvalidInput: When a size is none.
    """
    from mlproj.diagnose.curve.subsets import choose_sizes, cut, nested_order

    part = dataset.parts["train"]
    n, strata = len(part), _strata(part, dataset)
    least = max(_FEWEST_EXAMPLES, 2 * len(np.unique(strata)))
    wanted = choose_sizes(n, least=least) if sizes is None else read_sizes(sizes, n)
    cuts = []
    for repeat in range(repeats):
        order = nested_order(strata, np.random.default_rng([spec.seed, repeat]), part.group)
        cuts.append(cut(order, wanted, part.group))
    kept = [k for k in range(len(wanted)) if all(_differs(rows, k, n) for rows in cuts)]
    if not kept:
        raise InputError(
            f"A learning curve needs parts of the training split that can be told apart; it holds {n:,}.\n"
            f"Bring more data, or name sizes with --sizes (from {least:,} on)."
        )
    trainings = [
        _training(spec, dataset, wanted[k], repeat, cuts[repeat][k]) for repeat in range(repeats) for k in kept[::-1]
    ]
    notes = list(_notes(part, strata, wanted, kept))
    options = () if sizes is None else ("--sizes", ",".join(map(str, wanted)))
    return Plan(tuple(wanted[k] for k in kept), repeats, tuple(trainings), tuple(notes), options)


def read_sizes(sizes: str | Sequence[float], n: int) -> list[int]:
    """Sizes as they were written, ascending, the whole training split among them.

    Args:
        sizes: Numbers of examples from 2, or shares up to 1.
        n: Examples in the training split.

    Raises:
        InvalidInput: When one is neither.

    Example:
        >>> read_sizes("50%,100", 400)
        [100, 200, 400]
    """
    texts = [text.strip() for text in sizes.split(",")] if isinstance(sizes, str) else [f"{size:g}" for size in sizes]
    found, problems = {n}, []
    for text in texts:
        match = _SIZE.fullmatch(text)
        value = float(match[1]) / (100 if match[2] else 1) if match else -1.0
        count = round(value * n) if 0 < value <= 1 else int(value) if value >= 2 and value.is_integer() else 0
        if not 2 <= count <= n:
            fault = f"is more than the {n:,} examples of the training split" if count > n else "is no size"
            problems.append(Problem("--sizes", f"{text!r} {fault}", _FORMS))
        found.add(count)
    if len(found) > MOST_SIZES:
        problems.append(Problem("--sizes", f"{len(found)} sizes are too many", f"Give up to {MOST_SIZES}."))
    if problems:
        raise InvalidInput(problems)
    return sorted(found)


def _strata(part: "Part", dataset: "Dataset") -> NDArray[np.int64]:
    """What a subset holds its share of: labels, as the splits are dealt, each source apart."""
    import pandas as pd

    from mlproj.data.units import label_strata

    names = [f"label {k}" for k in range(part.y.shape[1])]
    regression = dataset.target.kind == "regression"
    codes = label_strata(pd.DataFrame(part.y, columns=names), names, regression=regression)
    _, strata = np.unique(np.stack([codes, part.source]), axis=1, return_inverse=True)
    return strata.ravel().astype(np.int64)


def _differs(rows: Sequence[NDArray[Any]], k: int, n: int) -> bool:
    """Whether a size is another than the next larger one, once groups are kept whole, and holds anything."""
    return len(rows[k]) > 1 and (len(rows[k]) < len(rows[k + 1]) if k + 1 < len(rows) else len(rows[k]) == n)


def _training(spec: Project, dataset: "Dataset", size: int, repeat: int, rows: NDArray[np.int64]) -> Training:
    n, n_full, seed = len(rows), len(dataset.parts["train"]), spec.seed + repeat
    kept = None if n == n_full else np.sort(rows)
    recipe = same_updates(spec, n, n_full)
    key = training_key(recipe, dataset.data_hash, kept, seed)
    return Training(size, n, repeat, seed, kept, key, recipe.changed(search=None, seed=seed))


def _notes(part: "Part", strata: NDArray[np.int64], wanted: Sequence[int], kept: Sequence[int]) -> "list[str]":
    notes = ["Inputs are scaled once, on the whole training split; the whole dev set chooses the epoch that is kept."]
    if part.group is not None:
        n = len(np.unique(part.group))
        notes.append(f"Subsets hold whole groups ({n:,} in all), so sizes are the nearest that this allows.")
    if len(kept) < len(wanted):
        gone = ", ".join(f"{wanted[k]:,}" for k in range(len(wanted)) if k not in kept)
        notes.append(f"Left out, because groups kept whole make them equal to another size: {gone}.")
    rarest = int(np.bincount(strata).min())
    if rarest * wanted[kept[0]] < len(part):
        notes.append("The smallest subsets hold no example of the rarest class or bin in some repeats.")
    return notes
