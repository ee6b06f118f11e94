"""Whether a search space can be tried: every path, every scale, and the ends of every range by the spec's own rules."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_origin

from mlproj.errors import Problem
from mlproj.spec.fields import Form, either, forms_at, options_of, reference_rows, say
from mlproj.spec.guess import KEYS_ELSEWHERE, closest, same, snake
from mlproj.spec.messages import Flaw, Path, show
from mlproj.spec.project import Project
from mlproj.spec.search import Choice, Dimension, Int, Log, OneMinusLog, Space, Uniform, choice_text, scale_of
from mlproj.spec.vary import SPACE, blame, try_values

_SEARCHED = {"model": "model.width", "training": "training.learning_rate"}
"""Sections whose keys can be searched, each with one: the others change what is measured, or on what."""
_WHY_NOT = {
    "training.device": "it changes how long a training takes, not what comes of it",
    "data": "figures on different data do not compare",
    "splits": "figures on different data do not compare",
    "human_level": "it says what is measured against, not how to train",
    "metric": "figures by different metrics do not compare",
    "task": "figures of different tasks do not compare",
    "seed": "a seed that was picked for its dev score wins by luck; `search.seeds` trains the best with several",
}


_READERS = {
    "training.momentum": ("momentum", "nesterov"),
    "training.beta1": ("adam", "adamw"),
    "training.beta2": ("adam", "adamw", "rmsprop"),
    "training.eps": ("adam", "adamw", "rmsprop"),
}
"""Keys that only some optimizers read."""


def is_read(path: str, params: Mapping[str, Any]) -> bool:
    """Whether a trial's optimizer reads a key that it was given.

    Args:
        path: A dotted path.
        params: The trial's values by dotted path; where no optimizer is among them, every key is read.

    Example:
        >>> is_read("training.beta1", {"training.optimizer": "sgd"}), is_read("training.beta1", {})
        (False, True)
    """
    optimizer = params.get("training.optimizer")
    return optimizer is None or optimizer in _READERS.get(path, (optimizer,))


def space_problems(project: Project, space: Space) -> list[Problem]:
    """Everything that is wrong with a search space.

    Args:
        project: The project.
        space: What to try: the one of its file, or another.

    Example:
        >>> project = Project(name="x", data={"source": "sklearn:iris"})
        >>> [problem.message for problem in space_problems(project, {"training.l2": Log(log=(0.0, 1.0))})]
        ['0 has no logarithm']
    """
    flaws = _flaws(project, space)
    return [project.problem(".".join(flaw.path), flaw.message, flaw.hint) for flaw in flaws]


def space_flaws(project: Project, flawed: frozenset[Path] = frozenset()) -> list[Flaw]:
    """Everything that is wrong with the search space of a project's file.

    Args:
        project: The project; fields that were wrong by themselves hold their default.
        flawed: Where those fields are; what was not written as meant is not judged again.
    """
    if project.search is None or project.search.space is None:
        return []
    unsure = {path[:3] for path in flawed}
    space = {path: each for path, each in project.search.space.items() if (*SPACE, path) not in unsure}
    if not space and not unsure:
        return [Flaw(SPACE, "names no key", "Name keys and their ranges, or leave it out for the default space.")]
    return [flaw for flaw in _flaws(project, space) if not any(_speaks_of(flaw, path) for path in flawed)]


def _speaks_of(flaw: Flaw, path: Path) -> bool:
    """Whether a searched key lies in, or holds, a field that is wrong in the file itself."""
    searched, where = f"{'.'.join(flaw.path[2:])}.", f"{'.'.join(path)}."
    return searched.startswith(where) or where.startswith(searched)


def _flaws(project: Project, space: Space) -> list[Flaw]:
    """All flaws; a key that is flawed by itself is left out when the keys are looked at together."""
    flaws = [flaw for path in space for flaw in _own_flaws(path, space[path])]
    flaws += _rivals(project, _without(space, flaws))
    flaws += _idle(project, _without(space, flaws))
    return [*flaws, *_value_flaws(project, _without(space, flaws))]


def _idle(project: Project, space: Space) -> Iterator[Flaw]:
    """Keys that no optimizer at hand reads: trials that differ in nothing else would be the same."""
    optimizers = _optimizers(project, space)
    for path in space:
        readers = _READERS.get(path)
        if readers is not None and not set(optimizers) & set(readers):
            hint = f"Leave it out, or set `optimizer: {readers[0]}`."
            yield Flaw((*SPACE, path), f"means nothing to {either(optimizers)}; {either(readers)} read it", hint)


def space_notes(project: Project, space: Space) -> list[str]:
    """Where a key has no effect in a part of the trials.

    Args:
        project: The project.
        space: What to try.

    Example:
        >>> project = Project(name="x", data={"source": "sklearn:iris"})
        >>> both = Choice(choice=("adam", "sgd"))
        >>> space_notes(project, {"training.optimizer": both, "training.beta1": Uniform(uniform=(0.8, 0.9))})
        ['search.space.training.beta1 has no effect in trials with sgd']
    """
    optimizers = _optimizers(project, space)
    idle = {path: [each for each in optimizers if each not in _READERS[path]] for path in space if path in _READERS}
    return [
        f"{'.'.join(SPACE)}.{path} has no effect in trials with {either(each)}" for path, each in idle.items() if each
    ]


def _optimizers(project: Project, space: Space) -> list[str]:
    """The optimizers of the trials."""
    searched = space.get("training.optimizer")
    return [str(each) for each in searched.choice] if isinstance(searched, Choice) else [project.training.optimizer]


def _without(space: Space, flaws: Sequence[Flaw]) -> Space:
    flawed = {flaw.path[-1] for flaw in flaws}
    return {path: dimension for path, dimension in space.items() if path not in flawed}


def _own_flaws(path: str, dimension: Dimension) -> list[Flaw]:
    found = list(_path_flaws(path)) or [*_range_flaws(dimension), *_scale_flaws(path, dimension)]
    return [Flaw((*SPACE, path), message, hint) for message, hint in found]


def _path_flaws(path: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a path itself."""
    section, _, key = path.partition(".")
    forms = forms_at(path.split("."))
    if section in _SEARCHED and forms and not key:
        yield "is a whole section", f"Name one of its keys, for example `{_SEARCHED[section]}`."
    elif path in _WHY_NOT or (section not in _SEARCHED and forms):
        reason = _WHY_NOT.get(path) or _WHY_NOT.get(section, "it does not change what is trained")
        yield f"cannot be searched: {reason}", "Name keys of `model` and `training`."
    elif not forms:
        known = [row.path for row in reference_rows() if row.path.startswith(tuple(_SEARCHED)) and "." in row.path]
        near = _meant(path, known)
        yield "is no known key", f"Did you mean `{near}`?" if near else "Name keys of `model` and `training`."


def _meant(path: str, known: Sequence[str]) -> str:
    """The path that was probably meant, by its last key first: nobody forgets that."""
    last = path.rpartition(".")[2]
    by_key = {each.rpartition(".")[2]: each for each in reversed(known)}
    elsewhere = KEYS_ELSEWHERE.get(snake(last), "")
    return (
        by_key.get(same(last, by_key))
        or (elsewhere if elsewhere in known else "")
        or by_key.get(closest(last, by_key), "")
        or closest(path, known)
    )


def _range_flaws(dimension: Dimension) -> Iterator[tuple[str, str]]:
    """What is wrong with the values, whatever they are for."""
    if isinstance(dimension, Choice):
        texts = [choice_text(choice) for choice in dimension.choice]
        for text in dict.fromkeys(text for text in texts if texts.count(text) > 1):
            yield f"lists {text} twice", "Keep one of the two."
        return
    low, high = _ends(dimension)
    scale = scale_of(dimension)
    if low > high:
        yield f"begins at {low:g} and ends at {high:g}", f"Write {{{scale}: [{high:g}, {low:g}]}}."
    elif low == high:
        yield f"holds the single value {low:g}", "Write a larger range, or set the key itself and leave it out here."
    elif isinstance(dimension, Log) and low <= 0:
        yield f"{low:g} has no logarithm", f"Begin above 0, or write {{uniform: [{low:g}, {high:g}]}}."
    elif isinstance(dimension, OneMinusLog) and (low < 0 or high >= 1):
        yield f"{low:g} to {high:g} is not within 0 to below 1", "Write for example {one_minus_log: [0.9, 0.999]}."


def _scale_flaws(path: str, dimension: Dimension) -> Iterator[tuple[str, str]]:
    """A scale that draws what the key cannot take."""
    if isinstance(dimension, Choice):
        return
    forms = forms_at(path.split("."))
    types = {form.type for form in forms}
    if Any in types:
        return
    if not types & {int, float}:
        yield f"cannot be drawn from a range: it takes {say(forms)}", f"Write {{choice: {_some(forms)}}}."
    elif float not in types and not isinstance(dimension, Int):
        low, high = map(round, _ends(dimension))
        choices = f" or {{choice: {_doubled(low, high)}}}" if isinstance(dimension, Log) else ""
        hint = f"Write {{int: [{low}, {high}]}}{choices}."
        yield f"takes whole numbers, but {scale_of(dimension)} draws fractions", hint


def _some(forms: Sequence[Form]) -> str:
    """A few values that a key takes, as a list."""
    if any(form.type is bool for form in forms):
        return "[false, true]"
    if any(get_origin(form.type) is tuple for form in forms):
        return "[[64], [64, 64]]"
    return f"[{', '.join(options_of(forms)[:3]) or '…'}]"


def _doubled(low: int, high: int) -> str:
    """Whole numbers that double from one end on, the first and the last of them where they are many."""
    numbers = [max(1, low) * 2**i for i in range(high.bit_length()) if max(1, low) * 2**i <= high]
    return show(numbers if len(numbers) <= 8 else [*numbers[:3], high])


def _rivals(project: Project, space: Space) -> Iterator[Flaw]:
    """Keys that speak of the same thing."""
    for path in space:
        for other in space:
            if path.startswith(f"{other}."):
                yield Flaw((*SPACE, path), f"lies inside `{other}`, which is searched as well", "Keep one of the two.")
    message = hint = ""
    if any(f"{path}.".startswith("model.hidden.") for path in space):
        message, hint = "says what `model.hidden` says, which is searched as well", "Keep one of the two ways."
    elif getattr(project.model, "hidden", None) is not None:
        message = "says nothing where `model.hidden` is given"
        hint = "Take `hidden` out of `model`, or search model.hidden: {choice: [[64], [64, 64]]}."
    for path in ("model.layers", "model.width"):
        if message and path in space:
            yield Flaw((*SPACE, path), message, hint)


def _value_flaws(project: Project, space: Space) -> Iterator[Flaw]:
    """What the spec's own types and rules say to both ends of each range and to each choice.

    Each is tried together with the first values of the other keys, so that keys which only exist together, such as a
    kind of schedule and its decay, are judged together. What is wrong without the search is not said again.
    """
    told = {(flaw.path, flaw.message) for flaw in try_values(project, {})[1]}
    for _, variant in variants(space):
        for flaw in try_values(project, variant)[1]:
            if (flaw.path, flaw.message) not in told:
                told.add((flaw.path, flaw.message))
                yield blame(space, flaw)


def variants(space: Space) -> Iterator[tuple[str, dict[str, Any]]]:
    """The values that stand for all of a space: the first of every key, then every other with the first of the rest.

    Args:
        space: What to try.

    Yields:
        The key that has another value, empty for none, and the values of all.

    Example:
        >>> list(variants({"training.epochs": Int(int=(1, 4))}))
        [('', {'training.epochs': 1}), ('training.epochs', {'training.epochs': 4})]
    """
    first = {path: _tested(dimension)[0] for path, dimension in space.items()}
    if space:
        yield "", first
    for path in space:
        yield from ((path, first | {path: value}) for value in _tested(space[path])[1:])


def _tested(dimension: Dimension) -> Sequence[Any]:
    """The values that stand for all of a range."""
    return dimension.choice if isinstance(dimension, Choice) else _ends(dimension)


def _ends(dimension: Log | OneMinusLog | Uniform | Int) -> tuple[float, float]:
    return getattr(dimension, scale_of(dimension) or "")
