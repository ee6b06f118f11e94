"""The one next command after a comparison of two sets."""

import json
from math import ceil

import numpy as np

from mlproj.advise import commands
from mlproj.diagnose.mismatch import Mismatch
from mlproj.diagnose.resolve import round_up
from mlproj.records import Predictions
from mlproj.spec.project import Project

_MOST_GROWTH = 10.0
_LIGHTEST, _HEAVIEST = 0.05, 20.0


def next_after_mismatch(
    found: Mismatch,
    project: Project | None,
    subject: str,
    run: str | None,
    predictions: Predictions,
    label: str | None = None,
) -> str:
    """The command that follows from how dev differs from train-dev.

    Args:
        found: What was found, with its action.
        project: The project, if any.
        subject: Run or predictions file that was spoken of.
        run: Name of the run that can be trained on; None where the model was trained elsewhere.
        predictions: Its predictions, all splits.
        label: The label that was asked for.
    """
    labelled = ["--label", label] if label else []
    if found.action.name == "grow" and project is not None and run and (sizes := _grown(found, project, predictions)):
        return commands.redraw(project, **sizes)
    if found.action.name in ("nothing", "grow"):  # the ladder says which set has to grow, and what else there is
        return commands.join(project, "diagnose", "bias-variance", subject, *labelled)
    if found.action.name == "reweight" and project is not None and run and (weights := _class_weights(predictions)):
        return commands.train(project, run, {"training.class_weight": weights}, f"{run}-reweighted")
    return commands.join(project, "errors", "export", subject, *labelled, "--out", "errors.xlsx")


def next_after_new(project: Project | None, run: str | None, file: str) -> str:
    """The command that follows from how new data differ from dev: answers for them, or the diagnosis of what there is.

    Args:
        project: The project, if any.
        run: Name of a run whose model can answer; None where there is none.
        file: The new data.
    """
    if run is not None:
        return commands.join(project, "predict", run, file, "--out", "answers.csv")
    return commands.join(project, "train") if project is not None else commands.join(None, "init", "--data", file)


def _grown(found: Mismatch, project: Project, predictions: Predictions) -> dict[str, int]:
    """Sizes of train-dev and dev that would bring the interval clear of the limit; none where they do not fit."""
    gap, splits = found.gap, project.splits
    if gap is None or splits.column is not None or isinstance(splits.dev, str) or isinstance(splits.test, str):
        return {}
    reach, away = (gap.high - gap.low) / 2, max(abs(gap.size - gap.min_gap), gap.min_gap / 2)
    factor = min(max((reach / away) ** 2 if away > 0 else _MOST_GROWTH, 1.5), _MOST_GROWTH)
    sizes = {name: (predictions.split == name).sum() for name in ("train_dev", "dev")}
    grown = {name: round_up(ceil(factor * int(n))) for name, n in sizes.items()}
    further = sum(grown[name] - int(n) for name, n in sizes.items())
    return grown if further <= int((predictions.split == "train").sum()) // 3 else {}


def _class_weights(predictions: Predictions) -> str:
    """Weights that give training the class mix of dev, as a YAML mapping; empty where classes do not allow it."""
    if len(predictions.labels) != 1 or not predictions.answers.is_classification:
        return ""
    counts = {}
    for split in ("train", "dev"):
        answers = predictions.part(split).answers
        counts[split] = np.bincount(answers.y_true[answers.known], minlength=len(answers.classes)).astype(np.float64)
    train, dev = counts["train"], counts["dev"]
    if not train.sum() or not dev.sum() or np.any(train == 0):
        return ""
    weights = np.clip((dev / dev.sum()) / (train / train.sum()), _LIGHTEST, _HEAVIEST)
    return json.dumps({name: round(float(w), 3) for name, w in zip(predictions.answers.classes, weights, strict=True)},
                      ensure_ascii=False)  # fmt: skip
