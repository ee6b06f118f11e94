"""What the rows of an error sheet are drawn from: a model's answers on dev, or labels alone. N examples."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlproj.errors import InputError, InvalidInput, Problem
from mlproj.records import Answers, Predictions, Run
from mlproj.workflow.subject import Subject, Subjects, nearby

if TYPE_CHECKING:
    import pandas as pd

    from mlproj.data import Part, Sealed
    from mlproj.spec.project import Project

Originals = dict[str, dict[str, str]]
_ABSOLUTE = frozenset({"mae", "mape"})


@dataclass(frozen=True)
class SheetSource:
    """What rows can be drawn from. N examples.

    Attributes:
        head: First line.
        ids: Their ids (N,).
        answers: Truth and answers; in an audit of labels the truth stands in for the answers.
        weight: Weights in the metric (N,), or None.
        group: Groups (N,), or None.
        originals: Gives the data's own cells by column and id for some ids.
        project: The project around, if any.
        run: Id of the run, or "".
        name: What the command line called it.
        label: The label that it is about; "" for a single one.
    """

    head: str
    ids: NDArray[Any]
    answers: Answers
    weight: NDArray[np.float64] | None
    group: NDArray[Any] | None
    originals: Callable[[Sequence[str]], Originals]
    project: "Project | None"
    run: str = ""
    name: str = ""
    label: str = ""

    @property
    def loss_name(self) -> str:
        """The loss by which rows are told apart: what the answers allow, for numbers what the project optimises."""
        if self.answers.is_classification:
            return "error" if self.answers.p is None else "log_loss"
        optimized = self.project.metric.optimize if self.project else None
        return "mae" if optimized in _ABSOLUTE else "mse"

    def losses(self) -> NDArray[np.float64]:
        """Loss of each example (N,)."""
        from mlproj.metrics.losses import example_losses

        return example_losses(self.loss_name, self.answers.y_true, self.answers.y_pred, self.answers.p)

    def word(self, value: Any) -> str:
        """A truth or an answer as text."""
        answers = self.answers
        return answers.classes[int(value)] if answers.is_classification else f"{float(value):.12g}"

    def p_of_answer(self, ids: Sequence[str]) -> dict[str, str]:
        """Probability of the given answer by id; empty where there are none."""
        p, answers = self.answers.p, self.answers.y_pred
        if p is None:
            return {}
        row = {name: place for place, name in enumerate(self.ids.tolist())}
        return {name: f"{p[row[name], int(answers[row[name]])]:.4f}" for name in ids}


def open_answers(
    subjects: Subjects, run: Run | str | Path | None, project: "Project | str | Path | None", label: str | None
) -> SheetSource:
    """The answers of a run or a predictions file on dev, for one label, where the truth is known.

    Raises:
        InputError: When there are none.
    """
    subject = subjects.find(run, project)
    assert subject.predictions is not None
    dev = subject.predictions.part("dev")
    if not len(dev):
        raise InputError(f"{subject.selector} holds no answers on dev, and errors are looked at there.")
    name = choose_label(tuple(dev.labels), label)
    known = dev.labels[name].known
    if not known.any():
        hint = "Give y_true in the file, or use ids of the project."
        raise InvalidInput([Problem("y_true", "the truth of no example is known", hint, subject.selector)])
    dev = dev.select(known)
    return SheetSource(
        subject.head, dev.ids, dev.labels[name], dev.weight, dev.group, _originals(subject, dev), subject.project,
        subject.run.id if subject.run else "", subject.selector, name,
    )  # fmt: skip


def choose_label(labels: Sequence[str], wanted: str | None) -> str:
    """The label that a sheet is about.

    Raises:
        InvalidInput: When there are several and none was named, or the name is not among them.
    """
    if wanted is None and len(labels) == 1:
        return labels[0]
    if wanted is None or (wanted not in labels and wanted != labels[0]):
        message = f"{wanted!r} is no label here" if wanted else "there are several labels"
        named = ", ".join(filter(None, labels))
        raise InvalidInput(
            [Problem("--label", message, f"Name one of {named}." if named else "Leave it out: there is one.")]
        )
    return wanted


def _originals(subject: Subject, dev: Predictions) -> Callable[[Sequence[str]], Originals]:
    """The data's own cells of dev examples: the project's columns, and the further ones of a foreign file."""

    def more(wanted: Sequence[str]) -> Originals:
        row = {name: place for place, name in enumerate(dev.ids.tolist())}
        rows = [row[name] for name in wanted]
        return {
            name: dict(zip(wanted, map(_as_text, values[rows].tolist()), strict=True))
            for name, values in dev.more.items()
        }

    if subject.project is None:
        return more
    from mlproj.data import load_dataset
    from mlproj.track import store_for

    part = load_dataset(subject.project, store=store_for(subject.project).splits, save=False).parts.get("dev")
    if part is None or not set(dev.ids.tolist()) & set(part.ids.tolist()):
        return more
    own = _cells(part.frame, part.ids, subject.project)
    return lambda wanted: more(wanted) | own(wanted)


def _cells(frame: "pd.DataFrame", ids: NDArray[Any], project: "Project") -> Callable[[Sequence[str]], Originals]:
    """The raw cells of some rows of the data as text, by column and id; those that it does not hold are left out."""
    from mlproj.data.cells import read_texts

    row = {name: place for place, name in enumerate(ids.tolist())}

    def cells(wanted: Sequence[str]) -> Originals:
        held = [name for name in wanted if name in row]
        some = frame.iloc[[row[name] for name in held]]
        return {
            str(name): dict(zip(held, [text or "" for text in read_texts(some[name]).to_pylist()], strict=True))
            for name in some.columns
            if name != project.data.id
        }

    return cells


def _as_text(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def open_labels(project: "Project | str | Path | None", split: str, label: str | None) -> SheetSource:
    """Labels without answers, of dev or of the sealed test set."""
    from mlproj.data import load_dataset, open_test
    from mlproj.track import store_for

    home = nearby(project)
    if home is None:
        hint = "Run it in the project's folder, or name it: --project PATH"
        raise InvalidInput([Problem("--labels-only", "an audit of labels needs the project", hint)])
    store = store_for(home).splits
    dataset = load_dataset(home, store=store)
    target = dataset.target
    name = choose_label(target.names, label)
    part: Part | Sealed
    if split == "test":
        part = open_test(home, store=store)
        y = target.encode(part.labels)
    elif "dev" not in dataset.parts:
        raise InvalidInput([home.problem("splits.dev", "there is no dev set", "Give it a share or a number.")])
    else:
        part = dataset.parts["dev"]
        y = part.y
    ids, weight, group = part.ids, part.weight, part.group
    answers = target.decode(np.zeros((len(y), target.n_outputs)), y)[name]
    known = answers.known
    answers = replace(answers, y_pred=answers.y_true, p=None).select(known)
    head = f"{home.name} · labels of {split}, {int(known.sum()):,} examples · no answers are shown"
    return SheetSource(
        head, ids[known], answers, None if weight is None else weight[known], None if group is None else group[known],
        _cells(part.frame, ids, home), home, "", f"labels of {split}", name,
    )  # fmt: skip
