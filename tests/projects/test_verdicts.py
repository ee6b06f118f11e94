"""Every worked project trains in seconds and gets the verdict that its README promises."""

from collections.abc import Callable
from pathlib import Path

import pytest

import mlproj
from mlproj.data import load_dataset
from mlproj.diagnose import ladder_of
from mlproj.metrics import promises
from mlproj.records import Fit, Ladder
from mlproj.spec.load import load_project
from mlproj.training import fit, resolve

Prepare = Callable[[str], Path]


def train(home: Path, *changes: str) -> tuple[Fit, Ladder]:
    """Trains a project and draws its ladder, without a store."""
    project = load_project(home, overrides=changes)
    dataset = load_dataset(project)
    resolved = resolve(project, dataset)
    result = fit(resolved, dataset)
    ladder = ladder_of(
        result.predictions,
        metric=resolved.metric.optimize or "error",
        human=resolved.human,
        distributions_differ=dataset.deal.distributions_differ,
        sealed_test_n=dataset.deal.sizes["test"],
    )
    return result, ladder


@pytest.mark.parametrize("dealt_by", [0, 1, 2])
def test_blurry_digits_suffer_from_data_mismatch(prepare: Prepare, dealt_by: int) -> None:
    result, ladder = train(prepare("blurry-digits"), f"seed={dealt_by}")
    assert ladder.verdict.named == "data_mismatch"
    assert result.metrics["train"]["error"] < 0.01
    assert 0.05 < result.metrics["train_dev"]["error"] < 0.25
    assert result.metrics["dev"]["error"] > 0.25


def test_training_data_like_the_photographs_close_the_mismatch(prepare: Prepare) -> None:
    home = prepare("blurry-digits")
    before, _ = train(home)
    after, ladder = train(home, "data.extra=[synthetic.csv]")
    assert after.metrics["dev"]["error"] < before.metrics["dev"]["error"] - 0.15
    assert ladder.verdict.named == "variance"


def test_digits_are_learned_and_have_no_mismatch_rung(prepare: Prepare) -> None:
    result, ladder = train(prepare("digits"))
    assert result.metrics["dev"]["error"] < 0.06
    assert [rung.name for rung in ladder.rungs] == ["human", "train", "dev", "test"]
    assert {gap.name for gap in ladder.gaps} == {"avoidable_bias", "variance"}


def test_breast_cancer_keeps_its_promise_of_recall(prepare: Prepare) -> None:
    home = prepare("breast-cancer")
    result, _ = train(home)
    dev = result.predictions.part("dev")
    satisfy = load_project(home).metric.satisfy
    (promise,) = promises(satisfy, dev.labels, weight=dev.weight, resources=result.resources)
    assert promise.value >= 0.95
    assert promise.status == "unknown"
    assert result.metrics["dev"]["f1"] > 0.93


def test_breast_cancer_is_what_init_writes_with_a_few_edits(prepare: Prepare) -> None:
    home = prepare("breast-cancer")
    made = mlproj.init(home / "new", data=str(home / "breast_cancer.csv"), label="diagnosis")
    written, edited = load_project(made.path), load_project(home)
    assert written.data.label == edited.data.label
    assert written.data.id == edited.data.id
    assert written.task == edited.task
    assert edited.data.source == "breast_cancer.csv"
