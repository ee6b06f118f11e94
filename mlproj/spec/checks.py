"""What fields say to each other: contradictions that show without looking at the data."""

import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import PurePath

from mlproj.spec.data import DateFormat
from mlproj.spec.fields import either
from mlproj.spec.goal import CLASSIFICATION_METRICS, LOSSES, REGRESSION_METRICS, Expert, HumanLevel, parse_limit
from mlproj.spec.messages import Flaw, Path, show
from mlproj.spec.project import Project
from mlproj.spec.training import CODE, Training

_DATE_LIKE = re.compile(r"\d{4}-\d{1,2}(-\d{1,2}.*)?")
_FRACTIONS = frozenset(CLASSIFICATION_METRICS) - {"log_loss", "brier"}
"""Metrics that never exceed 1."""


def check(project: Project, flawed: frozenset[Path] = frozenset()) -> list[Flaw]:
    """All contradictions between the fields of a project.

    Args:
        project: The project; fields that were wrong by themselves hold their default.
        flawed: Where those fields are: what they would have said is unknown, so no one is blamed for it.
    """
    found: list[Flaw] = []
    for some, reads in _CHECKS.items():
        if not any(_touches(path, other) for path in flawed for other in reads):
            found += some(project)
    return [flaw for flaw in found if not any(_touches(flaw.path, path) for path in flawed)]


def brings_label(path: str) -> bool:
    """Whether a source may bring the column to predict itself.

    Example:
        >>> brings_label("sklearn:iris"), brings_label("app.csv")
        (True, False)
    """
    return path.startswith(("sklearn:", "python:")) or path.lower().endswith(".npz")


def task_of(project: Project) -> str | None:
    """The task as far as the spec tells it; None when only the label will.

    Example:
        >>> task_of(Project(name="x", data={"source": "a.csv", "label": ["a", "b"]}))
        'classification'
    """
    if project.task:
        return project.task
    named = {project.metric.optimize, *project.metric.satisfy, *(level.metric for level in project.humans)}
    named |= {"error"} if any(level.experts for level in project.humans) else set()
    if len(project.data.labels) > 1 or named & set(CLASSIFICATION_METRICS):
        return "classification"
    return "regression" if named & set(REGRESSION_METRICS) else None


def is_date(text: str) -> bool:
    """Whether a text is a date or a date and time in ISO form.

    Example:
        >>> is_date("2024-03-01"), is_date("fold.csv")
        (True, False)
    """
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _touches(path: Path, other: Path) -> bool:
    n = min(len(path), len(other))
    return path[:n] == other[:n]


def _why(project: Project) -> str:
    return f"the task is {task_of(project)}" if project.task else f"the rest of the file says {task_of(project)}"


def _label(project: Project) -> Iterator[Flaw]:
    data = project.data
    bundled = all(brings_label(part.path) for part in data.sources)
    if not data.labels and not bundled:
        yield Flaw(("data", "label"), "is missing", "Name the column to predict, for example `label: price`.")
    if task_of(project) == "regression":
        if len(data.labels) > 1:
            yield Flaw(
                ("data", "label"), f"several labels are yes/no questions, but {_why(project)}", "Name one column."
            )
        if data.positive is not None:
            yield Flaw(("data", "positive"), f"names a class, but {_why(project)}", "Leave it out.")
    if task_of(project) == "classification" and data.label_scale == "log":
        yield Flaw(("data", "label_scale"), f"log is for regression, but {_why(project)}", "Leave it out.")


def _metrics(project: Project) -> Iterator[Flaw]:
    task, metric = task_of(project), project.metric
    named: list[tuple[Path, str | None]] = [(("metric", "optimize"), metric.optimize)]
    named += [(("metric", "satisfy", name), name) for name in metric.satisfy]
    if isinstance(project.human_level, tuple):
        named += [(("human_level", str(i), "metric"), level.metric) for i, level in enumerate(project.human_level)]
    else:
        named += [(("human_level", "metric"), level.metric) for level in project.humans]
    known = CLASSIFICATION_METRICS if task == "classification" else REGRESSION_METRICS
    others = REGRESSION_METRICS if task == "classification" else CLASSIFICATION_METRICS
    for path, name in named:
        if name in others:
            yield Flaw(path, f"{name} does not fit: {_why(project)}", f"Its metrics are {either(known)}.")
    if task == "regression" and metric.threshold != "auto":
        yield Flaw(("metric", "threshold"), f"is for two classes, but {_why(project)}", "Leave it out.")


def _limits(project: Project) -> Iterator[Flaw]:
    for name, text in project.metric.satisfy.items():
        operator, limit = parse_limit(text)
        path, is_loss = ("metric", "satisfy", name), name in LOSSES
        if operator.startswith("<") != is_loss:
            better, sign = ("lower", "<=") if is_loss else ("higher", ">=")
            hint = f'Write "{sign} {limit:g}".'
            yield Flaw(path, f"{show(text)} asks for the wrong side: {name} is better when {better}", hint)
        elif name in _FRACTIONS and limit > 1:
            yield Flaw(path, f"{show(text)} is above 1, the most that {name} can be", _as_fraction(limit))


def human_flaws(project: Project) -> Iterator[Flaw]:
    """What cannot be a human level of the project's task, as far as the task is known.

    Example:
        >>> project = Project(name="x", task="classification", data={"source": "a.csv", "label": "y"}, human_level=5)
        >>> [flaw.hint for flaw in human_flaws(project)]
        ['Write 5 % as 0.05.']
    """
    written = project.human_level
    if isinstance(written, tuple):
        yield from _two_levels(written)
        for place, level in enumerate(written):
            yield from _level_flaws(project, level, ("human_level", str(place)))
    elif isinstance(written, HumanLevel):
        yield from _level_flaws(project, written, ("human_level",))
    elif written is not None and written > 1 and task_of(project) == "classification":
        message = f"{written:g} is above 1, but an error rate is a fraction"
        yield Flaw(("human_level",), message, _as_fraction(written))


def _two_levels(levels: tuple[HumanLevel, ...]) -> Iterator[Flaw]:
    """A list says how well people do on each of the two distributions, in one metric."""
    if sorted(level.on or "" for level in levels) != ["target", "training"]:
        hint = "Give one with `on: training` and one with `on: target`, or a single mapping."
        yield Flaw(("human_level",), f"is a list of {len(levels)}, which must be one for each distribution", hint)
    elif len({level.metric for level in levels}) > 1:
        yield Flaw(("human_level",), "gives two different metrics", "Give both in one metric.")


def _level_flaws(project: Project, human: HumanLevel, path: Path) -> Iterator[Flaw]:
    is_classification, is_regression = task_of(project) == "classification", task_of(project) == "regression"
    if human.error is not None and human.error > 1 and is_classification:
        message = f"{human.error:g} is above 1, but an error rate is a fraction"
        yield Flaw((*path, "error"), message, _as_fraction(human.error))
    if human.value is not None and human.metric in _FRACTIONS and human.value > 1 and not is_regression:
        message = f"{human.value:g} is above 1, the most that {human.metric} can be"
        yield Flaw((*path, "value"), message, _as_fraction(human.value))
    if human.experts is not None:
        yield from _expert_flaws(human.experts, (*path, "experts"), is_regression=is_regression)
    if human.annotators is not None:
        yield from _annotator_flaws(project, human, (*path, "annotators"))


def _expert_flaws(experts: tuple[Expert, ...], path: Path, *, is_regression: bool) -> Iterator[Flaw]:
    if not experts:
        yield Flaw(path, "names nobody", "For example `experts: [{by: anna, errors: 3, n: 200}]`.")
    if is_regression:
        hint = "Give the best one's rmse: `{error: 2.1, half_width: 0.3, by: anna}`."
        yield Flaw(path, "counts errors, but the task is regression", hint)
    for name in [name for name, n in Counter(expert.by for expert in experts).items() if n > 1]:
        yield Flaw(path, f"{show(name)} is named twice", "Keep one of the two.")


def _annotator_flaws(project: Project, human: HumanLevel, path: Path) -> Iterator[Flaw]:
    """Annotators that are a column where a file is meant, or a column that serves for something else as well."""
    if isinstance(human.annotators, str):
        if PurePath(human.annotators).suffix.lower() not in (".csv", ".parquet"):
            hint = f"Write [{human.annotators}] where it is a column, or name a .csv or .parquet file."
            yield Flaw(path, f"{show(human.annotators)} is neither a list of columns nor a file", hint)
        return
    if not human.columns:
        yield Flaw(path, "names nobody", "For example `annotators: [anna, ben]`.")
    for name in [name for name, n in Counter(human.columns).items() if n > 1]:
        yield Flaw(path, f"{show(name)} is named twice", "Keep one of the two.")
    taken = dict.fromkeys(project.data.labels, "the label") | dict.fromkeys(project.data.include, "in `data.include`")
    singles = {name: f"`data.{name}`" for name in ("id", "group", "time") if getattr(project.data, name)}
    taken |= {getattr(project.data, name): what for name, what in singles.items()}
    taken |= {column: f"`data.columns.{column}`: ignore" for column, t in project.data.columns.items() if t == "ignore"}
    for name in dict.fromkeys(human.columns):
        if name in taken:
            hint = (
                "Name the columns of the other people; the label itself counts as one more where it is a person's."
                if name in project.data.labels
                else "A column of an annotator's labels is no feature and nothing else."
            )
            yield Flaw(path, f"{show(name)} is {taken[name]}", hint)


def _as_fraction(value: float) -> str:
    return f"Write {value:g} % as {value / 100:g}." if value <= 100 else "Write it as a fraction."


def _training(project: Project) -> Iterator[Flaw]:
    task, training = task_of(project), project.training
    losses = {"classification": ("cross_entropy",), "regression": ("mse", "mae", "huber")}
    if task and training.loss not in ("auto", *losses[task]) and not training.loss.startswith(CODE):
        hint = f"Write {either(('auto', *losses[task]))}."
        yield Flaw(("training", "loss"), f"{training.loss} does not fit: {_why(project)}", hint)
    if task == "regression":
        yield from _class_options(training, _why(project))


def _weights(project: Project) -> Iterator[Flaw]:
    if project.training.weighted_loss and project.data.weight is None:
        yield Flaw(("training", "weighted_loss"), "is true, but there are no weights", "Name them under `data.weight`.")


def _class_options(training: Training, why: str) -> Iterator[Flaw]:
    if training.class_weight is not None:
        yield Flaw(("training", "class_weight"), f"is for classes, but {why}", "Leave it out.")
    if training.label_smoothing:
        yield Flaw(("training", "label_smoothing"), f"is for classes, but {why}", "Leave it out.")


def _roles(project: Project) -> Iterator[Flaw]:
    """Columns that would have to be two things at once."""
    data, labels = project.data, project.data.labels
    roles: list[tuple[Path, str | None]] = [(("data", name), getattr(data, name)) for name in ("id", "group", "time")]
    roles += [(("data", "weight", "column"), getattr(data.weight, "column", None))]
    roles += [(("splits", "column"), project.splits.column)]
    for path, column in roles:
        if column in labels:
            yield Flaw(path, f"{show(column)} is the label", "Name another column.")
    for column in labels:
        if column in data.exclude:
            yield Flaw(("data", "exclude"), f"{show(column)} is the label; it is never a feature", "Leave it out.")
        if data.columns.get(column) == "ignore":
            yield Flaw(("data", "columns", column), "is the label and cannot be ignored", "Name another label.")
    for path, column in [(("data", "label"), label) for label in labels] + roles:
        if column is not None and column in data.include:
            message = f"{show(column)} is already `{'.'.join(path)}` and cannot be a feature"
            yield Flaw(("data", "include"), message, "Leave it out here.")


def _lists(project: Project) -> Iterator[Flaw]:
    data = project.data
    for name, columns in (("label", data.labels), ("exclude", data.exclude), ("include", data.include)):
        for column in [column for column, n in Counter(columns).items() if n > 1]:
            yield Flaw(("data", name), f"{show(column)} is named twice", "Keep one of the two.")
    for column in dict.fromkeys(data.include):
        if column in data.exclude:
            yield Flaw(("data", "exclude"), f"{show(column)} is in `include` as well", "Keep it in one of the two.")
        if data.columns.get(column) == "ignore":
            yield Flaw(("data", "columns", column), "is to be ignored, but `include` names it", "Keep one of the two.")


def _splits(project: Project) -> Iterator[Flaw]:
    splits = project.splits
    sizes = {name: getattr(splits, name) for name in ("dev", "test", "train_dev")}
    for name, size in sizes.items():
        if size is not None and not isinstance(size, str):
            yield from _split_size(("splits", name), size)
    shares = [size for size in (splits.dev, splits.test) if isinstance(size, float) and size < 1]
    if sum(shares) >= 1:
        yield Flaw(
            ("splits", "test"), f"dev and test take {sum(shares):.0%} of the target examples", "Leave some to train on."
        )


def _dates(project: Project) -> Iterator[Flaw]:
    splits = project.splits
    for name, size in (("dev", splits.dev), ("test", splits.test)):
        if isinstance(size, str):
            yield from _named_split(project, ("splits", name), size)
    dates = [size for size in (splits.dev, splits.test) if isinstance(size, str) and is_date(size)]
    times = [datetime.fromisoformat(text).replace(tzinfo=None) for text in dates]
    if len(times) == 2 and times[0] >= times[1]:
        message = f"{show(dates[1])} is not after the date of dev, {show(dates[0])}"
        yield Flaw(("splits", "test"), message, "dev lasts from its date to that of test: give test the later one.")


def _split_size(path: Path, size: float) -> Iterator[Flaw]:
    if 1 <= size < 2:
        hint = "Write a share below 1, such as 0.2, or a number of examples from 2."
        meaning = "everything or one example" if size == 1 else "a share or a number of examples"
        yield Flaw(path, f"{size:g} could mean {meaning}", hint)
    elif size > 1 and not size.is_integer():
        hint = f"Write {size:.0f}, or a share below 1."
        yield Flaw(path, f"{size:g} is no whole number of examples", hint)


def _named_split(project: Project, path: Path, text: str) -> Iterator[Flaw]:
    if is_date(text):
        if project.data.time is None:
            hint = "Name the column of dates under `data.time`."
            yield Flaw(path, f"{show(text)} is a date, but no column of times is named", hint)
    elif _DATE_LIKE.fullmatch(text):
        yield Flaw(path, f"{show(text)} is no date that exists", "Write it as 2024-03-01.")
    elif text.rstrip().endswith("%"):
        yield Flaw(path, f"{show(text)} is text", "Write 20% as 0.2.")
    elif not PurePath(text).suffix or re.fullmatch(r"[-+.\deE]+", text):
        yield Flaw(
            path, f"{show(text)} is neither a number, a date nor a file", "Leave quotes out where it is a number."
        )


def _formats(project: Project) -> Iterator[Flaw]:
    """Date formats without any directive, such as dd/mm/yyyy, which match no date, or with one that nobody knows."""
    hint = 'Write it in `strptime` letters, for example "%d/%m/%Y"; dates such as 2024-01-31 need none: `date`.'
    for name, kind in project.data.columns.items():
        if isinstance(kind, DateFormat) and (why := _format_fault(kind.date)):
            yield Flaw(("data", "columns", name, "date"), f"{show(kind.date)} is no date format: {why}", hint)


def _format_fault(form: str) -> str:
    """What keeps a text from being a date format; empty when nothing does.

    Example:
        >>> _format_fault("%d/%m/%Y"), _format_fault("dd/mm/yyyy"), _format_fault("%Q")
        ('', 'it has no letter after a %', "'Q' is a bad directive in format '%Q'")
    """
    if "%" not in form.replace("%%", ""):
        return "it has no letter after a %"
    try:
        with warnings.catch_warnings(action="ignore"):  # a day without a year is allowed: it has a place in the year
            datetime.strptime("", form)  # nothing is read
    except ValueError as error:
        return "" if str(error).startswith("time data") else str(error)  # the empty text is no such date, as it should
    return ""


_CHECKS: dict[Callable[[Project], Iterator[Flaw]], tuple[Path, ...]] = {
    _label: (("data", "source"),),
    _metrics: (),
    _limits: (),
    human_flaws: (("data", "label"), ("data", "id"), ("data", "include"), ("data", "columns")),
    _training: (),
    _weights: (("data", "weight"),),
    _roles: (),
    _lists: (),
    _splits: (),
    _dates: (("data", "time"),),
    _formats: (),
}
"""Every check with what it reads beside the field that it blames."""
