"""The `search:` section: which values of which keys to try, and how."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from mlproj.spec.base import Count, Name, Spec, Words
from mlproj.spec.guess import meant

SCALES: tuple[str, ...] = ("log", "one_minus_log", "uniform", "int", "choice")
"""Names of the scales, as they are written."""
_RANGES = "{log: [low, high]}, {one_minus_log: …}, {uniform: …}, {int: …} or {choice: [a, b, …]}"


def _two(value: Any) -> Any:
    """Refuses what is no pair of ends before its parts are looked at."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        found = f"a list of {len(value)}" if isinstance(value, list | tuple) else choice_text(value)
        raise ValueError(f"{found} is no range; write the smallest and the largest value: [low, high]")
    return value


_Ends = (Field(strict=False), BeforeValidator(_two), Words(("two numbers [low, high]",)))
Real = Annotated[tuple[float, float], *_Ends]
Whole = Annotated[tuple[int, int], *_Ends]


class Log(Spec):
    """Uniform on the logarithm: each decade is drawn from equally often."""

    log: Real
    """Smallest and largest value, both above 0."""


class OneMinusLog(Spec):
    """1 − value is uniform on the logarithm, for values close to 1 such as β."""

    one_minus_log: Real
    """Smallest and largest value, from 0 to below 1."""


class Uniform(Spec):
    """Uniform between two numbers."""

    uniform: Real
    """Smallest and largest value."""


class Int(Spec):
    """Uniform on whole numbers."""

    int: Whole
    """Smallest and largest whole number, both included."""


class Choice(Spec):
    """One of several values."""

    choice: Annotated[
        tuple[Annotated[Any, Words(("a value of the key",))], ...],
        Field(strict=False, min_length=1),
        Words(("a list of values",)),
    ]
    """The values: numbers, words, lists, true, false or null."""


Dimension = Log | OneMinusLog | Uniform | Int | Choice


def _one_scale(value: Any) -> Any:
    """Refuses what names no scale, or several, with what was probably meant."""
    if isinstance(value, Spec):
        return value
    if isinstance(value, list | tuple):
        are_whole = all(isinstance(entry, int) for entry in value)
        scale = "choice" if len(value) != 2 else "int" if are_whole else "log"
        raise ValueError(f"{choice_text(value)} names no scale; write for example {{{scale}: {choice_text(value)}}}")
    if not isinstance(value, Mapping):
        raise ValueError(f"a search needs several values; write {_RANGES}")
    unknown = [str(key) for key in value if key not in SCALES]
    if unknown:
        near = meant(unknown[0], SCALES)
        raise ValueError(f"`{unknown[0]}` is no scale; " + (f"did you mean `{near}`?" if near else f"write {_RANGES}"))
    if len(value) != 1:
        given = f"names several scales, {', '.join(value)}; keep one of them"
        raise ValueError(given if value else f"names no scale; write {_RANGES}")
    return value


def scale_of(dimension: Any) -> str | None:
    """The scale that a dimension, or what was written for one, names.

    Example:
        >>> scale_of(Log(log=(0.1, 1.0))), scale_of({"int": [1, 4]})
        ('log', 'int')
    """
    keys = dimension if isinstance(dimension, Mapping) else type(dimension).model_fields
    return next((scale for scale in SCALES if scale in keys), None)


TaggedDimension = Annotated[
    Annotated[Log, Tag("log")]
    | Annotated[OneMinusLog, Tag("one_minus_log")]
    | Annotated[Uniform, Tag("uniform")]
    | Annotated[Int, Tag("int")]
    | Annotated[Choice, Tag("choice")],
    Discriminator(scale_of),
    BeforeValidator(_one_scale),
]

Space = Mapping[str, Dimension]
"""What to try: dotted paths of project.yaml and the values of each."""


def choice_text(value: Any) -> str:
    """A choice as JSON text; 2 and 2.0 are the same choice, true and 1 are not.

    Example:
        >>> choice_text([64, 32]), choice_text(2.0), choice_text(True)
        ('[64, 32]', '2', 'true')
    """
    return json.dumps(_plain(value), ensure_ascii=False, sort_keys=True)


def choice_words(value: Any) -> str:
    """A choice as people read it: a section by its kind and its keys, everything else as JSON.

    Example:
        >>> choice_words({"kind": "cosine", "warmup": 0.1}), choice_words({"kind": "constant"}), choice_words("adam")
        ('cosine warmup=0.1', 'constant', 'adam')
    """
    if not isinstance(value, Mapping) or not value:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    keys = [f"{key}={choice_words(inner)}" for key, inner in value.items() if key != "kind"]
    return " ".join([choice_words(value["kind"]), *keys] if "kind" in value else keys)


def _plain(value: Any) -> Any:
    """A value without the difference between 2 and 2.0."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Search(Spec):
    """Which values of which keys to try, and how."""

    sampler: Literal["random", "tpe", "grid", "qmc"] = "random"
    """How values are chosen: random; tpe learns from earlier trials; qmc spreads evenly; grid combines a few."""
    trials: Count = 64
    """Trainings to make, over all rounds."""
    rounds: Annotated[int, Field(ge=1, le=100)] = 2
    """Coarse to fine: each round after the first looks closer around the best; one for grid or below 16 trials."""
    halving: Literal["auto", "none"] = "auto"
    """auto: trainings that do badly after a part of their epochs are ended there; none: each runs to its end."""
    seeds: Annotated[int, Field(ge=1, le=1000)] = 1
    """The five best are trained again with so many other seeds and ranked by the mean; 1 leaves that out."""
    keep: Literal["best", "all"] = "best"
    """Whose predictions, checkpoints and models are stored."""
    storage: Annotated[str, Field(min_length=1)] | None = None
    """Database URL for the studies, such as `postgresql+psycopg://…`; a journal file in `mlruns/` when left out."""
    space: (
        Annotated[
            dict[Name, TaggedDimension],
            Words((f"a mapping of dotted paths to {_RANGES}",)),
        ]
        | None
    ) = None
    """Dotted paths and their ranges, for example `{training.learning_rate: {log: [0.0001, 0.1]}}`. log: uniform on the
    logarithm; one_minus_log: 1 − value is, for β; uniform; int: whole numbers, ends included; choice: one of a list.
    Left out: learning rate, momentum or beta1, width, batch size, layers, decay, l2 and dropout where they apply."""
