"""The commented project.yaml that `mlproj init` writes: short, ready to run, with comments that teach."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from mlproj.spec.fields import describe
from mlproj.spec.render import quote

SCHEMA_FILE = "project.schema.json"
_WIDTH = 100
_MAX_COLUMN_LINES = 16
_NAME_LENGTH = 100


def starter_yaml(
    *,
    name: str,
    source: str,
    label: str | None,
    task: str | None,
    columns: Sequence[tuple[str, str, str]] = (),
    suggestions: Mapping[str, str] | None = None,
    annotators: Sequence[str] = (),
    about: str | None = None,
) -> str:
    """A commented project.yaml that loads as it stands.

    Args:
        name: Name of the project; characters that a name cannot have become hyphens.
        source: The data, as written under `data.source`; an empty one is left to be filled in.
        label: Column to predict; None leaves it to be filled in.
        task: classification or regression, where it is known.
        columns: Name, guessed type and note of each column, as read.
        suggestions: Columns that look as if they belonged to `id`, `group` or `time`. An id is taken over, since it
            is no feature; the others, which change how examples are dealt, are left as comments.
        annotators: Columns that look like the labels of several people; they are taken over, being no features.
        about: One sentence on what the project is for.

    Example:
        >>> print(starter_yaml(name="wine", source="wine.csv", label="kind", task=None).splitlines()[3])
        name: wine
    """
    parts = (
        _head(name, task, about),
        _data(source, label, suggestions or {}),
        _column_comments(columns),
        _rest(task, annotators),
    )
    return "\n".join(line.rstrip() for part in parts for line in part) + "\n"


def clean_name(text: str) -> str:
    """A project name made of any text, such as a folder's name.

    Example:
        >>> clean_name("../My Project: v2"), clean_name("…/")
        ('My Project- v2', '…')
    """
    hyphened = "".join("-" if character in "@,/\\:" or not character.isprintable() else character for character in text)
    return hyphened[:_NAME_LENGTH].strip(" .-") or "project"


def _head(name: str, task: str | None, about: str | None) -> Iterator[str]:
    yield f"# yaml-language-server: $schema=./{SCHEMA_FILE}"
    yield "# `mlproj check` validates this file and the data, `mlproj train` trains,"
    yield "# `mlproj diagnose bias-variance` says what to do next."
    yield f"name: {quote(clean_name(name))}"
    yield f"about: {quote(about)}" if about else "# about: One sentence on what it is for; it opens the report."
    known = f"task: {task}" if task else "# task: classification"
    yield _note(known, "classification | regression; the label tells when this is left out")


def _data(source: str, label: str | None, suggestions: Mapping[str, str]) -> Iterator[str]:
    yield ""
    yield "# Where the examples come from. Paths are relative to this file."
    yield "data:"
    yield _note(
        f"  source: {quote(source or 'data.csv')}",
        "dev and test come from here and from nothing else"
        if source
        else "fill in: a .csv, .parquet, .feather, .jsonl or .npz file, or a folder of them",
    )
    yield _note("  # extra: [more.csv]", _brief("data.extra"))
    if label is not None:
        yield _note(f"  label: {quote(label)}", "the column to predict")
    elif source.startswith(("sklearn:", "python:")) or source.lower().endswith(".npz"):
        yield "  # label: comes with the data"
    else:
        yield _note("  label: label", "fill in: the column to predict")
    for key, example in (("id", "image_id"), ("group", "user_id"), ("time", "taken_at")):
        yield _role(key, suggestions.get(key), example)


def _role(key: str, column: str | None, example: str) -> str:
    meaning = _brief(f"data.{key}")
    if column is None:
        return _note(f"  # {key}: {example}", meaning)
    if key == "id":
        return _note(f"  id: {quote(column)}", meaning)
    return _note(f"  # {key}: {quote(column)}", f"take the # away if this fits: {meaning}")


def _column_comments(columns: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    if not columns:
        yield "  # columns: {zip: category}     # types that were guessed wrong; `mlproj check` lists them"
        return
    name, kind = next(((name, kind) for name, kind, _ in columns if kind in ("number", "category")), columns[0][:2])
    other = "category" if kind == "number" else "number"
    yield "  # Columns as read. Put right what was guessed wrong: number | category | boolean | date | text | ignore"
    yield f"  # columns: {{{quote(name)}: {other}}}"
    lines = list(_listed(columns))
    yield from lines[:_MAX_COLUMN_LINES]
    if len(lines) > _MAX_COLUMN_LINES:
        yield "  #   … `mlproj check` lists them all"


def _listed(columns: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """Columns by type, those with something to note on lines of their own."""
    for name, kind, note in columns:
        if note:
            yield f"  #   {kind}: {_one_line(name)} ({_one_line(note)})"
    plain: dict[str, list[str]] = {}
    for name, kind, note in columns:
        if not note:
            plain.setdefault(kind, []).append(_one_line(name))
    for kind, names in plain.items():
        start = f"  #   {kind}: "
        indent = "  #   " + " " * (len(kind) + 2)
        yield from textwrap.wrap(", ".join(names), _WIDTH, initial_indent=start, subsequent_indent=indent)


def _rest(task: str | None, annotators: Sequence[str] = ()) -> Iterator[str]:
    is_regression = task == "regression"
    yield from ("", "# Dealt once and then kept. Sizes follow the data when left out; test stays sealed.")
    yield _note("# splits: {dev: 0.2, test: 0.2}", "shares below 1, or numbers of examples")
    yield from ("", "# How well people do it: it tells the bias that can be avoided from the error that nobody avoids.")
    yield from _human_level(annotators, is_regression=is_regression)
    yield from ("", "# What good means: one metric to optimise, others that only have to pass.")
    optimize, others, limit = (
        ("rmse", "mae | mse | mape | r2", "r2")
        if is_regression
        else (
            "error",
            "f1 | balanced_accuracy | roc_auc | log_loss | …",
            "recall",
        )
    )
    mark = "" if task else "# "
    yield f"{mark}metric:"
    yield _note(f"{mark}  optimize: {optimize}", others)
    yield f'{mark or "  # "}{"  " if mark else ""}satisfy: {{{limit}: ">= 0.95", latency_ms: "<= 20", size_mb: "<= 5"}}'
    yield from ("", "# Start small; the diagnosis says when more helps.", "model:")
    yield _note("  kind: mlp", "mlp | linear")
    yield _note("  layers: 2", "hidden layers; or `hidden: [64, 32]` instead of layers and width")
    yield _note("  width: 64", "units in each hidden layer")
    yield from ("", "training:")
    yield _note("  optimizer: adam", "sgd | momentum | nesterov | rmsprop | adam | adamw")
    yield _note("  learning_rate: 0.001", _brief("training.learning_rate"))
    yield _note("  l2: 0.0", "weight decay, a remedy for variance")
    yield _note("  early_stopping: {patience: 10}", "epochs without a better dev metric; null trains to the end")


def _human_level(annotators: Sequence[str], *, is_regression: bool) -> Iterator[str]:
    if annotators:
        yield "# These columns look like labels that people gave: no features, they tell how often people differ."
        yield f"human_level: {{annotators: [{', '.join(map(quote, annotators))}]}}"
        return
    figure, meaning = ("2.5", "rmse") if is_regression else ("0.01", "error rate")
    yield _note(
        f"# human_level: {figure}", f"{meaning}; or {{annotators: [anna, ben]}}, columns of several people's labels"
    )


def _brief(path: str) -> str:
    """The description of a key as a remark beside it."""
    text = describe(path).rstrip(".")
    return text[:1].lower() + text[1:]


def _note(line: str, comment: str) -> str:
    return f"{line:<34}# {comment}" if len(line) < 34 else f"{line}  # {comment}"


def _one_line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
