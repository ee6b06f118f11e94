"""A model's answers to the test set, which is opened here and nowhere else in the story of a run. N examples."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlproj.errors import InputError, InvalidInput, Problem
from mlproj.records import Predictions
from mlproj.workflow.subject import Subject

if TYPE_CHECKING:
    from mlproj.data.sealed import Sealed
    from mlproj.spec.project import Project
    from mlproj.track import AbstractTracker, Store


def answers_to(
    split: str, tracker: "AbstractTracker", subject: Subject, home: "Project", store: "Store"
) -> "tuple[Predictions, Sealed | None]":
    """A model's answers to a split with their truth; for test with the sealed set that was opened for it.

    Args:
        split: train, train_dev, dev or test.
        tracker: Where the model lies.
        subject: Whose answers: a run, or a predictions file with rows of the split.
        home: The project whose test set it is.
        store: The project's store, which keeps the deal.

    Raises:
        InputError: When the model cannot answer for the split; nothing was shown then.
    """
    assert subject.predictions is not None
    if split != "test":
        part = subject.predictions.part(split)
        if not any(answers.known.any() for answers in part.labels.values()):
            held = ", ".join(subject.predictions.splits) or "no row"
            message = f"{subject.selector} holds no labelled {split} predictions ({held})"
            raise InvalidInput([Problem("--split", message, "Name another split.")])
        return part, None
    from mlproj.data.sealed import open_test

    sealed = open_test(subject.project or home, store=store.splits)
    if subject.run is None:
        return _look_up(Path(subject.selector), home, store, sealed), sealed
    _require_same_deal(subject, sealed)
    return _answer(tracker, subject, sealed), sealed


def _require_same_deal(subject: Subject, sealed: "Sealed") -> None:
    """A model may only be judged on a test set that was dealt when it was trained.

    Raises:
        InputError: When the data or the splits changed since.
    """
    from mlproj.advise.commands import join

    dealt = (subject.splits or {}).get("digest")
    if dealt == sealed.digest:
        return
    again = join(subject.project, "train", "--like", subject.selector)
    raise InputError(
        f"{subject.spoken} was trained on other splits than those that lie there now (deal {str(dealt)[:8]}, now "
        f"{sealed.digest[:8]}): rows were added or the splits were dealt anew, and test rows of today may have been "
        f"trained on.\nTrain it again on the splits of today, then evaluate that: {again}"
    )


def _answer(tracker: "AbstractTracker", subject: Subject, sealed: "Sealed") -> Predictions:
    """The stored model's answers to the test rows, with their truth."""
    import numpy as np

    from mlproj.workflow.models import load_model

    assert subject.run is not None
    hint = "Name a training, or give a predictions file with the test rows: mlproj evaluate FILE"
    model = load_model(tracker, subject.run, hint=hint)
    target = _with_new_classes(model.target, sealed)
    truth = target.decode(np.zeros((len(sealed), target.n_outputs)), target.encode(sealed.labels))
    answers = model.predict(sealed.frame)
    labels = {}
    for name, of in truth.items():
        suffix = f":{name}" if name else ""
        said = answers[f"y_pred{suffix}"]
        if not of.is_classification:
            labels[name] = replace(of, y_pred=said.to_numpy(dtype=np.float64))
            continue
        place = {known: k for k, known in enumerate(of.classes)}
        y_pred = np.array([place[str(each)] for each in said], dtype=np.int64)
        labels[name] = replace(of, y_pred=y_pred, p=_probabilities(answers, suffix, of.classes))
    return Predictions(sealed.ids, np.full(len(sealed), "test"), labels, sealed.weight, sealed.group)


def _probabilities(answers: Any, suffix: str, classes: Sequence[str]) -> Any:
    """Probabilities (N, K) from the columns of an answer; a class that the model never saw gets 0."""
    import numpy as np

    if suffix:
        return np.column_stack([1 - answers[f"p{suffix}"], answers[f"p{suffix}"]])
    if not any(f"p_{name}" in answers for name in classes):
        return None
    return np.column_stack([answers.get(f"p_{name}", np.zeros(len(answers))) for name in classes])


def _with_new_classes(target: Any, sealed: "Sealed") -> Any:
    """The target with the classes that occur in test only: whatever the model answers there is wrong.

    Raises:
        InputError: When the label had two classes, and metrics of a third would be others.
    """
    from mlproj.data.cells import read_texts
    from mlproj.data.task import read_known

    if target.kind == "regression" or target.several:
        return target
    cells = sealed.labels[target.labels[0]]
    seen = {str(text) for text in read_texts(cells[read_known(cells)]).to_pylist()}
    new = sorted(seen - set(target.classes[0]))
    if new and target.kind == "binary":
        raise InputError(
            f"The test set holds {len(new):,} more class{'es' * (len(new) > 1)} of {target.labels[0]} than the two "
            "that were trained.\nDeal anew, so that every split has every class: mlproj split --redraw"
        )
    return replace(target, classes=((*target.classes[0], *new),)) if new else target


def _look_up(path: Path, home: "Project", store: "Store", sealed: "Sealed") -> Predictions:
    """The test rows of a predictions file, with the project's truth."""
    from mlproj.data import load_dataset
    from mlproj.workflow.lookup import read_sealed

    dataset = load_dataset(home, store=store.splits, save=False)
    return read_sealed(
        path, home.changed(task=dataset.project.task), dataset, _with_new_classes(dataset.target, sealed), sealed
    )
