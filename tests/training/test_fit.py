"""Whole trainings on small data: what is kept, why they end, and closed forms as witnesses."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import mlproj
from mlproj.metrics import measure
from mlproj.records import OutcomeKind
from mlproj.training import fit, predict, resolve
from mlproj.training.step import step

MakeProject = Callable[..., Any]
ALL_TRAIN = {"dev": 0, "test": 0}
EXACT = {"optimizer": "nesterov", "batch_size": "full", "early_stopping": None}


def test_linear_regression_reaches_the_normal_equations(make_project: MakeProject, line: pd.DataFrame) -> None:
    training = EXACT | {"learning_rate": 0.05, "epochs": 300}
    project, dataset = make_project(line, model={"kind": "linear"}, training=training, splits=ALL_TRAIN)
    predicted = fit(project, dataset).predictions.answers.y_pred
    x = np.column_stack([dataset.parts["train"].x, np.ones(len(line))])
    y = dataset.parts["train"].y[:, 0]
    np.testing.assert_allclose(predicted, x @ np.linalg.lstsq(x, y)[0], rtol=1e-4)


def test_logistic_regression_equals_scikit_learns(make_project: MakeProject, pairs: pd.DataFrame) -> None:
    penalty = 0.01
    training = EXACT | {"learning_rate": 1.0, "epochs": 300, "l2": penalty}
    project, dataset = make_project(pairs, model={"kind": "linear"}, training=training, splits=ALL_TRAIN)
    result = fit(project, dataset)
    part = dataset.parts["train"]
    theirs = LogisticRegression(C=1 / (len(pairs) * penalty), tol=1e-8).fit(part.x, part.y[:, 0])
    assert result.predictions.answers.p is not None
    np.testing.assert_allclose(result.predictions.answers.p, theirs.predict_proba(part.x), atol=1e-4)
    np.testing.assert_allclose(result.weights["output.weight"][:, 0], theirs.coef_[0], rtol=1e-3)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(
    make_project: MakeProject, blobs: pd.DataFrame
) -> None:
    project, dataset = make_project(
        blobs, model={"kind": "mlp", "dropout": 0.2, "batch_norm": True}, training={"epochs": 4}
    )
    one, two, other = fit(project, dataset), fit(project, dataset), fit(project, dataset, seed=1)
    assert one.history == two.history
    assert all(np.array_equal(one.weights[name], two.weights[name]) for name in one.weights)
    assert not np.array_equal(one.weights["output.weight"], other.weights["output.weight"])


def test_a_fit_holds_predictions_metrics_history_and_resources(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    metric = {"optimize": "f1_macro", "satisfy": {"balanced_accuracy": ">= 0.5", "size_mb": "<= 5"}}
    project, dataset = make_project(blobs, metric=metric, training={"epochs": 3})
    result = fit(project, dataset)
    names = ["error", "f1_macro", "balanced_accuracy"]
    assert result.predictions.splits == ("train", "dev")
    assert len(result.predictions) == sum(len(part.ids) for part in dataset.parts.values())
    for split in ("train", "dev"):
        assert result.metrics[split] == measure(names, result.predictions.part(split).labels)
    assert set(result.history.metrics) == {"train/loss", "dev/loss"} | {
        f"{s}/{n}" for s in ("train", "dev") for n in names
    }
    assert result.history.epochs == 3
    assert result.resources["size_mb"] == sum(w.nbytes for w in result.weights.values()) / 1e6
    assert 0 < result.resources["latency_ms"] < 1000
    assert result.threshold is None
    assert result.seconds > 0


def test_the_weights_kept_are_those_of_the_best_epoch_on_dev(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, dataset = make_project(blobs, training={"epochs": 30, "learning_rate": 0.01, "early_stopping": None})
    result = fit(project, dataset)
    errors, losses = (np.array(result.history.metrics[f"dev/{name}"]) for name in ("error", "loss"))
    best = np.lexsort((losses, errors))[0]
    assert result.best_epoch == best + 1
    assert result.metrics["dev"]["error"] == errors[best]
    assert result.metrics["train"]["error"] == result.history.metrics["train/error"][best]


def test_stored_weights_give_the_stored_predictions(make_project: MakeProject, line: pd.DataFrame) -> None:
    project, dataset = make_project(line, model={"kind": "mlp", "batch_norm": True}, training={"epochs": 3})
    project = resolve(project, dataset)
    result = fit(project, dataset)
    for split, part in dataset.parts.items():
        outputs = predict(project, result.weights, part.x, n_outputs=1)
        answers = dataset.target.decode(outputs, part.y)[""]
        np.testing.assert_allclose(answers.y_pred, result.predictions.part(split).answers.y_pred, rtol=1e-6)


def test_labels_far_from_zero_are_standardised_and_answered_in_their_own_unit(
    make_project: MakeProject, line: pd.DataFrame
) -> None:
    project, dataset = make_project(line.assign(y=line.y * 1e6), training={"epochs": 40, "learning_rate": 0.01})
    result = fit(project, dataset)
    assert result.metrics["dev"]["rmse"] < 0.4 * line.y.std() * 1e6


def test_several_yes_no_labels_with_missing_ones(make_project: MakeProject) -> None:
    numbers = np.random.default_rng(3)
    x = numbers.normal(size=(200, 2))
    labels = (x @ np.array([[3.0, 0.0], [0.0, -3.0]]) > 0).astype(object)
    labels[numbers.random(labels.shape) < 0.3] = None
    frame = pd.DataFrame(x, columns=["u", "v"]).assign(car=labels[:, 0], bike=labels[:, 1])
    training = {"epochs": 40, "learning_rate": 0.02}
    project, dataset = make_project(frame, data={"label": ["car", "bike"]}, training=training)
    result = fit(project, dataset)
    assert set(result.predictions.labels) == {"car", "bike"}
    assert result.metrics["dev"]["error"] < 0.1
    assert result.threshold == 0.5


def test_the_threshold_is_chosen_on_dev_so_that_the_limit_holds(make_project: MakeProject, pairs: pd.DataFrame) -> None:
    metric = {"optimize": "precision", "satisfy": {"recall": ">= 0.9"}}
    project, dataset = make_project(pairs, metric=metric, training={"epochs": 10, "learning_rate": 0.01})
    result = fit(project, dataset)
    assert result.metrics["dev"]["recall"] >= 0.9
    assert result.threshold not in (None, 0.5)
    answers = result.predictions.answers
    assert answers.p is not None
    assert np.array_equal(answers.y_pred == 1, answers.p[:, 1] >= result.threshold)


def test_a_given_threshold_is_used(make_project: MakeProject, pairs: pd.DataFrame) -> None:
    project, dataset = make_project(pairs, metric={"optimize": "f1", "threshold": 0.2}, training={"epochs": 1})
    assert fit(project, dataset).threshold == 0.2


def test_class_weights_move_the_answers_towards_the_heavy_class(make_project: MakeProject, pairs: pd.DataFrame) -> None:
    recalls = []
    for class_weight in (None, {"yes": 8.0}):
        training = {"epochs": 60, "learning_rate": 0.02, "early_stopping": None, "class_weight": class_weight}
        project, dataset = make_project(
            pairs, metric={"optimize": "error", "satisfy": {"recall": ">= 0", "size_mb": "<= 1"}, "threshold": 0.5},
            model={"kind": "linear"}, training=training,
        )  # fmt: skip
        recalls.append(fit(project, dataset).metrics["train"]["recall"])
    assert recalls[1] > recalls[0]


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "rmsprop", "adamw"])
def test_every_optimiser_learns(make_project: MakeProject, blobs: pd.DataFrame, optimizer: str) -> None:
    rate = {"sgd": 0.1, "momentum": 0.02, "nesterov": 0.02}.get(optimizer, 0.003)
    project, dataset = make_project(blobs, training={"optimizer": optimizer, "learning_rate": rate, "epochs": 40})
    assert fit(project, dataset).metrics["train"]["error"] < 0.2


def test_a_log_scale_learns_ratios_and_answers_in_the_original_unit(
    make_project: MakeProject, line: pd.DataFrame
) -> None:
    frame, training = line.assign(y=np.exp(line.y / 10)), {"epochs": 60, "learning_rate": 0.01}
    project, dataset = make_project(frame, data={"label_scale": "log"}, training=training, metric={"optimize": "mape"})
    result = fit(project, dataset)
    assert result.metrics["dev"]["mape"] < 0.4
    assert (result.predictions.answers.y_pred > 0).all()


# How trainings end


def test_training_to_the_end_says_whether_more_epochs_would_help(make_project: MakeProject, line: pd.DataFrame) -> None:
    project, dataset = make_project(line, training={"epochs": 20, "early_stopping": None})
    result = fit(project, dataset)
    assert result.outcome.kind == "completed"
    assert result.best_epoch == 20
    assert "The dev rmse was still improving: try more `training.epochs` (now 20)" in result.outcome.text


def test_training_stops_when_dev_no_longer_improves(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    training = {"epochs": 500, "learning_rate": 0.02, "early_stopping": {"patience": 4}}
    project, dataset = make_project(blobs, training=training)
    result = fit(project, dataset)
    assert result.outcome.kind == "early_stopped"
    assert result.history.epochs == result.best_epoch + 4
    assert "no better dev error for 4 epochs: stopped after epoch" in result.outcome.text


def test_without_a_held_out_split_the_last_epoch_is_kept(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, dataset = make_project(blobs, training={"epochs": 12}, splits=ALL_TRAIN)
    result = fit(project, dataset)
    assert (result.outcome.kind, result.best_epoch, result.predictions.splits) == ("completed", 12, ("train",))
    assert "set `splits.dev`" in result.outcome.text


def test_without_dev_the_train_dev_split_judges(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, dataset = make_project(blobs, training={"epochs": 8}, splits={"dev": 0, "test": 0, "train_dev": 0.3})
    result = fit(project, dataset)
    assert result.predictions.splits == ("train", "train_dev")
    assert "(train-dev error" in result.outcome.text
    assert min(result.history.metrics["train_dev/error"]) == result.metrics["train_dev"]["error"]


def test_a_metric_that_dev_cannot_tell_leaves_the_choice_to_the_loss(
    make_project: MakeProject, pairs: pd.DataFrame
) -> None:
    frame = pairs.assign(split=np.where((pairs.y == "no") & (pairs.left > 1), "dev", "train"))
    metric, training = {"optimize": "roc_auc"}, {"epochs": 5}
    project, dataset = make_project(frame, splits={"column": "split"}, metric=metric, training=training)
    result = fit(project, dataset)
    assert "(by the loss: dev roc_auc is undefined for the classes found there)" in result.outcome.text
    assert result.best_epoch == 1 + np.argmin(result.history.metrics["dev/loss"])


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("kind", ["mlp", "linear"])
def test_a_diverged_training_says_what_to_try_and_keeps_finite_weights(
    make_project: MakeProject, line: pd.DataFrame, optimizer: str, kind: str
) -> None:
    training = {"learning_rate": 1e8, "optimizer": optimizer}
    project, dataset = make_project(line, model={"kind": kind}, training=training)
    result = fit(project, dataset)
    assert result.outcome.kind == "diverged"
    assert (
        "Try a smaller `training.learning_rate` (now 100000000.0) or `training.clip_norm` (now null)"
        in result.outcome.text
    )
    assert all(np.isfinite(weight).all() for weight in result.weights.values())
    assert result.metrics["dev"]["rmse"] < 2 * line.y.std()  # the initial weights, where nothing was better


def test_a_non_finite_loss_names_its_step_and_keeps_the_initial_weights(
    make_project: MakeProject, line: pd.DataFrame
) -> None:
    project, dataset = make_project(line, training={"learning_rate": 1e30, "optimizer": "sgd", "batch_size": 10})
    result = fit(project, dataset)
    assert result.best_epoch == 0
    assert "the loss became non-finite at step 2 (epoch 1, learning rate 1e+30)" in result.outcome.text
    assert "the initial weights were kept" in result.outcome.text


def stop_at(epoch_to_stop: int) -> Callable[[int, int, Mapping[str, float]], None]:
    def on_epoch(epoch: int, _n_epochs: int, _values: Mapping[str, float]) -> None:
        if epoch == epoch_to_stop:
            raise KeyboardInterrupt

    return on_epoch


def test_ctrl_c_leaves_the_best_so_far(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, dataset = make_project(blobs, training={"epochs": 50})
    result = fit(project, dataset, on_epoch=stop_at(3))
    assert result.outcome.kind == "interrupted"
    assert result.history.epochs == 3
    assert 1 <= result.best_epoch <= 3
    assert "stopped by Ctrl-C after 3 of 50 epochs" in result.outcome.text
    assert len(result.predictions) == sum(len(part.ids) for part in dataset.parts.values())


def test_ctrl_c_in_the_first_epoch_keeps_what_was_learned_of_it(
    make_project: MakeProject, blobs: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, dataset = make_project(blobs, training={"batch_size": 8})
    steps = iter(range(5))

    def interrupt(*args: Any) -> Any:
        if next(steps) == 4:
            raise KeyboardInterrupt
        return step(*args)

    monkeypatch.setattr("mlproj.training.loop.step", interrupt)
    result = fit(project, dataset)
    assert (result.outcome.kind, result.best_epoch, result.history.epochs) == ("interrupted", 1, 0)
    assert "(4 updates)" in result.outcome.text


def test_on_epoch_hears_of_every_epoch(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, dataset = make_project(blobs, training={"epochs": 3})
    heard: list[tuple[int, int, float]] = []
    fit(project, dataset, on_epoch=lambda epoch, n, values: heard.append((epoch, n, values["dev/error"])))
    assert [(epoch, n) for epoch, n, _ in heard] == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("pruned", "dropped after epoch 3 of 20, where others did better; the weights of epoch"),
        ("interrupted", "stopped by its time budget after 3 of 20 epochs ("),
    ],
)
def test_on_epoch_may_end_the_training(
    make_project: MakeProject, blobs: pd.DataFrame, kind: OutcomeKind, text: str
) -> None:
    project, dataset = make_project(blobs, training={"epochs": 20, "early_stopping": None})
    whole = fit(project, dataset)
    result = fit(project, dataset, on_epoch=lambda epoch, _, __: kind if epoch == 3 else None)
    assert result.outcome.kind == kind
    assert text in result.outcome.text
    assert result.history.metrics == {name: values[:3] for name, values in whole.history.metrics.items()}
    assert 1 <= result.best_epoch <= 3


def test_a_training_that_is_over_is_not_ended_early(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, dataset = make_project(blobs, training={"epochs": 3})
    assert fit(project, dataset, on_epoch=lambda *_: "pruned" if _[0] == 3 else None).outcome.kind == "completed"
    project, dataset = make_project(blobs, training={"epochs": 9, "learning_rate": 1e30, "optimizer": "sgd"})
    assert fit(project, dataset, on_epoch=lambda *_: "pruned").outcome.kind == "diverged"


def test_what_was_dropped_is_pruned_though_its_training_loss_had_risen(
    make_project: MakeProject, blobs: pd.DataFrame
) -> None:
    """It has not failed: others did better, and in later epochs it might have come down again."""
    rising = {"epochs": 9, "learning_rate": 3.0, "optimizer": "sgd", "early_stopping": None}
    project, dataset = make_project(blobs, training=rising)
    result = fit(project, dataset)
    assert result.outcome.kind == "diverged"
    assert "the training loss rose from" in result.outcome.text
    assert fit(project, dataset, on_epoch=lambda *_: "pruned" if _[0] == 3 else None).outcome.kind == "pruned"


def test_rows_are_all_that_training_sees_of_train(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, dataset = make_project(blobs, data={"weight": {"where": "left > 0", "value": 2}}, training={"epochs": 3})
    rows = np.array([5, 3, 40, 41, 42, 7])
    result = fit(project, dataset, rows=rows)
    train = result.predictions.part("train")
    assert np.array_equal(train.ids, dataset.parts["train"].ids[rows])
    assert train.weight is not None
    assert len(result.predictions.part("dev")) == len(dataset.parts["dev"])
    everything = np.arange(len(dataset.parts["train"]))
    assert fit(project, dataset, rows=everything).history == fit(project, dataset).history


def test_a_training_imports_no_compiler() -> None:
    program = """
import sys
from mlproj.data import load_dataset
from mlproj.spec.project import Project
from mlproj.training import fit
project = Project.model_validate({"name": "iris", "data": {"source": "sklearn:iris"}, "training": {"epochs": 2}})
fit(project, load_dataset(project))
print([name for name in ("torch._dynamo", "sympy", "mlflow", "optuna", "matplotlib") if name in sys.modules])
"""
    root = Path(mlproj.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
