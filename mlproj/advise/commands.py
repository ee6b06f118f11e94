"""Commands that users can run as they stand: the project, the run and every value quoted for the shell."""

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlproj.diagnose.rungs import RELATIVE_LOSS, GivenRung
from mlproj.records import Ladder
from mlproj.spec.project import Project

_FILES = (".csv", ".parquet")


def is_file(subject: str) -> bool:
    """Whether a diagnosis was about a predictions file.

    Example:
        >>> is_file("keras.csv"), is_file("wide-net")
        (True, False)
    """
    return subject.lower().endswith(_FILES)


def join(project: Project | None, *words: str) -> str:
    """A shell command that calls mlproj from the current folder.

    Example:
        >>> join(None, "runs", "my run")
        "mlproj runs 'my run'"
    """
    return shlex.join(["mlproj", *_project_words(project), *words])


def _project_words(project: Project | None) -> list[str]:
    if project is None:
        return []
    plain = project.file == "project.yaml"
    place = project.root if plain else project.root / project.file
    try:
        same = project.root.resolve() == Path.cwd()
    except OSError:
        same = False
    if same and plain:
        return []
    near = os.path.relpath(place)
    return ["--project", str(place) if near.startswith("..") else near]


def train(project: Project, run: str, changes: Mapping[str, str], name: str) -> str:
    """A training that starts from a run's resolved spec and changes some keys."""
    settings = [word for path, value in changes.items() for word in ("--set", f"{path}={value}")]
    return join(project, "train", "--like", run, *settings, "--name", name)


def look_at_errors(project: Project | None, subject: str, ladder: Ladder) -> str:
    """Writes the wrong answers of a run or a predictions file into a sheet; of several labels, those of the worst."""
    label = ladder.label or worst_label(ladder)
    words = ["--label", label] if label else []
    return join(project, "errors", "export", subject, *words, "--out", "errors.xlsx")


def mismatch(project: Project | None, subject: str, ladder: Ladder) -> str:
    """Says how dev differs from train-dev, for the label that was asked for."""
    words = ["--label", ladder.label] if ladder.label else []
    return join(project, "diagnose", "mismatch", subject, *words)


def worst_label(ladder: Ladder) -> str:
    """The label with the largest dev loss against its constant answer; empty where there are not several."""

    def share(own: Ladder) -> float:
        dev, constant = own.rung("dev"), (own.constant or {}).get("value") or 1.0
        return (dev.error or 0.0) / constant if dev is not None else 0.0

    return max(ladder.labels, key=lambda label: share(ladder.labels[label]), default="")


def redraw(project: Project, **sizes: int) -> str:
    """Deals the splits anew with other sizes."""
    settings = [word for name, n in sizes.items() for word in ("--set", f"splits.{name}={n}")]
    return join(project, "split", "--redraw", *settings)


def diagnose(
    ladder: Ladder,
    subject: str,
    given: Sequence[GivenRung],
    project: Project | None,
    *,
    human: str = "",
    min_gap: float | None = None,
) -> str:
    """The diagnosis itself, with some rungs changed.

    Args:
        ladder: The ladder that was shown; its metric is asked for again where it is not what comes by itself.
        subject: Run or predictions file; empty for rungs by hand.
        given: Rungs by hand.
        project: The project, if any.
        human: A human level to add, such as ``0.01:500``.
        min_gap: Smallest gap worth closing, where another one is wanted.
    """
    words = ["diagnose", "bias-variance", *([subject] if subject else [])]
    if ladder.metric not in (RELATIVE_LOSS, _metric_by_itself(given, project, human)):
        words += ["--metric", ladder.metric]
    words += ["--label", ladder.label] if ladder.label else []
    words += ["--human", human] if human else []
    for rung in given:
        if not (rung.name == "human" and human):
            words += ["--rung", str(rung)]
    words += ["--min-gap", f"{min_gap:.6g}"] if min_gap is not None else []
    return join(project, *words)


def _metric_by_itself(given: Sequence[GivenRung], project: Project | None, human: str) -> str | None:
    """The metric of a ladder when none is asked for."""
    plain = "rmse" if project is not None and project.task == "regression" else "error"
    if given or human or project is None:
        return plain
    if project.human is not None:
        return project.human.metric or plain
    return project.metric.optimize or plain
