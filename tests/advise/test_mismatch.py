"""The command after a comparison of two sets fits what was found, and can be run as it stands."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from shifted import Kind, as_side, plant

from mlproj.advise.mismatch import next_after_mismatch, next_after_new
from mlproj.diagnose.mismatch import Mismatch, judge_gap, judge_mismatch
from mlproj.diagnose.samples import measure
from mlproj.records import Answers, Predictions
from mlproj.spec.load import load_project
from mlproj.spec.project import Project

MORE = "splits: {dev: 200, test: 200, train_dev: 200}\n"


def project(more: str = "") -> Project:
    body = f"name: p\ndata: {{source: a.csv, extra: [b.csv], label: y}}\n{more}"
    Path("project.yaml").write_text(body, encoding="utf-8")
    return load_project(".")


def judge(kind: Kind, n: int) -> tuple[Mismatch, Predictions]:
    """A comparison without inputs, and the predictions behind it with a train set mixed like train-dev."""
    first, second = (as_side(name, made) for name, made in zip(("train-dev", "dev"), plant(kind, n, 1), strict=True))
    a, b = first.predictions, second.predictions
    assert a is not None
    assert b is not None
    gap = judge_gap(measure("train_dev", a, "error"), measure("dev", b, "error"), "error", "error")
    bare = [type(side)(side.name, side.ids, predictions=side.predictions) for side in (first, second)]
    parts = [a, b] + [Predictions(a.ids, np.full(n, "train"), a.labels)] * 60
    labels = {
        "": Answers(
            np.concatenate([part.answers.y_true for part in parts]),
            np.concatenate([part.answers.y_pred for part in parts]),
            ("no", "yes"),
        )
    }
    together = Predictions(
        np.concatenate([part.ids for part in parts]), np.concatenate([part.split for part in parts]), labels
    )
    return judge_mismatch(bare[0], bare[1], gap=gap), together


def test_class_mix_is_answered_by_a_training_with_weights_that_project_yaml_takes() -> None:
    found, predictions = judge("labels", 1200)
    assert found.action.name == "reweight"
    words = shlex.split(next_after_mismatch(found, project(), "base", "base", predictions))
    assert words[:4] == ["mlproj", "train", "--like", "base"]
    setting = words[words.index("--set") + 1]
    weights = json.loads(setting.partition("=")[2])
    assert weights == {"no": pytest.approx(0.2 / 0.7, abs=0.05), "yes": pytest.approx(0.8 / 0.3, abs=0.3)}
    assert load_project(".", overrides=[setting]).training.class_weight == weights


def test_a_model_trained_elsewhere_is_looked_at() -> None:
    found, predictions = judge("labels", 1200)
    command = next_after_mismatch(found, project(), "keras.csv", None, predictions, "dog")
    assert command == "mlproj errors export keras.csv --label dog --out errors.xlsx"


def test_what_cannot_be_told_is_dealt_anew_with_larger_sets_where_they_fit() -> None:
    found, predictions = judge("null", 200)
    assert found.action.name == "grow"
    command = next_after_mismatch(found, project(MORE), "base", "base", predictions)
    assert command.startswith("mlproj split --redraw --set splits.train_dev=")
    kept = predictions.select(predictions.split != "train")
    assert next_after_mismatch(found, project(MORE), "base", "base", kept) == ("mlproj diagnose bias-variance base")


def test_new_data_are_answered_for_or_trained_for() -> None:
    assert next_after_new(project(), "base", "new.csv") == "mlproj predict base new.csv --out answers.csv"
    assert next_after_new(project(), None, "new.csv") == "mlproj train"
