"""What is `auto` becomes explicit, and what spec and data get wrong together is said before training."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlproj.errors import InvalidInput
from mlproj.training import choice_problems, resolve

MakeProject = Callable[..., Any]


def test_every_auto_becomes_explicit(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, dataset = make_project(blobs)
    resolved = resolve(project, dataset)
    training = resolved.training
    assert (resolved.task, resolved.metric.optimize, training.loss) == ("classification", "error", "cross_entropy")
    assert (training.batch_size, training.epochs) == (64, 1000)  # 80 rows: two updates a pass
    assert resolve(resolved, dataset) == resolved


@pytest.mark.parametrize(
    ("optimize", "loss"), [(None, "mse"), ("rmse", "mse"), ("r2", "mse"), ("mae", "mae"), ("mape", "mae")]
)
def test_the_loss_follows_the_metric(
    make_project: MakeProject, line: pd.DataFrame, optimize: str | None, loss: str
) -> None:
    project, dataset = make_project(line, metric={"optimize": optimize})
    resolved = resolve(project, dataset)
    assert (resolved.training.loss, resolved.metric.optimize) == (loss, optimize or "rmse")


def test_full_batches_stay_full_and_get_two_thousand_epochs(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, dataset = make_project(blobs, training={"batch_size": "full"})
    assert resolve(project, dataset).training.epochs == 2000
    assert resolve(project, dataset).training.batch_size == "full"


def test_what_was_written_is_kept(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    training = {"batch_size": 7, "epochs": 3, "loss": "cross_entropy"}
    project, dataset = make_project(blobs, training=training, metric={"optimize": "mcc"})
    resolved = resolve(project, dataset)
    assert resolved == project.changed(task="classification")
    assert resolved.root == project.root


def refuse(make_project: MakeProject, frame: pd.DataFrame, **sections: Any) -> str:
    project, dataset = make_project(frame, **sections)
    with pytest.raises(InvalidInput) as caught:
        resolve(project, dataset)
    return str(caught.value)


def test_a_loss_of_another_task_is_refused(make_project: MakeProject, blobs: pd.DataFrame, line: pd.DataFrame) -> None:
    said = refuse(make_project, blobs, training={"loss": "huber"})
    assert "training.loss: huber does not suit a classification task" in said
    assert "Use cross_entropy, or auto." in said
    said = refuse(make_project, line, training={"loss": "cross_entropy"})
    assert "training.loss: cross_entropy does not suit a regression task" in said


def test_a_misspelt_class_is_answered_with_the_one_meant(make_project: MakeProject, pairs: pd.DataFrame) -> None:
    said = refuse(make_project, pairs, training={"class_weight": {"yess": 8.0, "maybe": 2.0, "no": 1.0}})
    assert "training.class_weight.yess: 'yess' is no class of the label\n  Did you mean `yes`?" in said
    assert "training.class_weight.maybe: 'maybe' is no class of the label\n  The classes are no, yes." in said


def test_settings_for_classes_are_refused_for_numbers_all_in_one_go(
    make_project: MakeProject, line: pd.DataFrame
) -> None:
    training = {"class_weight": "balanced", "label_smoothing": 0.1, "weighted_loss": True}
    said = refuse(make_project, line, training=training)
    assert said.count("speaks of classes, but the label is a number") == 2
    assert "training.weighted_loss: true needs weights, but data.weight is not set" in said


def test_a_threshold_is_for_yes_no_labels(make_project: MakeProject, line: pd.DataFrame) -> None:
    said = refuse(make_project, line, metric={"threshold": 0.3})
    assert "metric.threshold: is for yes/no labels, but the label is a number" in said


def test_a_human_level_in_percent_is_refused_once_the_label_shows_classes(
    make_project: MakeProject, blobs: pd.DataFrame, line: pd.DataFrame
) -> None:
    said = refuse(make_project, blobs, human_level=5)
    assert "human_level: 5 is above 1, but an error rate is a fraction\n  Write 5 % as 0.05." in said
    project, dataset = make_project(line, human_level=5)
    assert resolve(project, dataset).human_level == 5


def test_batch_norm_needs_a_batch(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    model = {"kind": "mlp", "batch_norm": True}
    assert "training.batch_size: batch norm needs at least 2 examples per batch" in refuse(
        make_project, blobs, model=model, training={"batch_size": 1}
    )


def test_a_device_that_is_not_there_is_named(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    said = refuse(make_project, blobs, training={"device": "cuda:99"})
    assert "training.device: cuda:99 is not available on this machine\n  Use `auto` or `cpu`." in said


def test_a_metric_of_another_task_is_refused_before_training(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    assert "f1 speaks of one positive class, but the label has 3" in refuse(
        make_project, blobs, metric={"optimize": "f1"}
    )


def test_a_metric_of_the_positive_class_needs_to_know_which_it_is(
    make_project: MakeProject, blobs: pd.DataFrame
) -> None:
    frame = blobs.assign(y=np.where(blobs.y == "a", "spam", "ham"))
    said = refuse(make_project, frame, metric={"satisfy": {"recall": ">= 0.9"}})
    assert "data.positive: recall speaks of the positive class, but the classes are 'ham' and 'spam'" in said
    project, dataset = make_project(frame, metric={"optimize": "f1"}, data={"positive": "ham"})
    assert resolve(project, dataset).metric.optimize == "f1"


SPACE_OF_LOSSES = {"training.loss": {"choice": ["auto", "mse"]}, "training.learning_rate": {"log": [1e-4, 0.1]}}


def test_each_choice_of_a_search_has_to_suit_the_data(
    make_project: MakeProject, blobs: pd.DataFrame, line: pd.DataFrame
) -> None:
    (problem,) = choice_problems(*make_project(blobs, search={"space": SPACE_OF_LOSSES}))
    assert problem.where == "search.space.training.loss"
    assert problem.message == "mse does not suit a classification task"
    assert choice_problems(*make_project(line, search={"space": SPACE_OF_LOSSES})) == []
    assert choice_problems(*make_project(line)) == []


def test_the_searched_key_is_named_where_it_makes_another_one_impossible(
    make_project: MakeProject, blobs: pd.DataFrame
) -> None:
    space = {"model.batch_norm": {"choice": [False, True]}}
    (problem,) = choice_problems(*make_project(blobs, training={"batch_size": 1}, search={"space": space}))
    assert problem.where == "search.space.model.batch_norm"
    assert problem.message == "`training.batch_size` batch norm needs at least 2 examples per batch"
