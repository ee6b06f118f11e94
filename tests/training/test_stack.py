"""Models that train side by side come out as they would alone, whatever the others do."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mlproj.data import Dataset, load_dataset
from mlproj.records import Fit, OutcomeKind
from mlproj.spec.model import MLP
from mlproj.spec.project import Project
from mlproj.spec.training import Training
from mlproj.spec.vary import vary
from mlproj.training import examine, fit, resolve
from mlproj.training.examine import Examiner
from mlproj.training.fitting import fit_stack
from mlproj.training.loop import Member
from mlproj.training.objective import Objective
from mlproj.training.step import keep_members, make_learner, step
from mlproj.zoo import StackedModel, build
from tests.training.conftest import MakeProject

VARIED = (
    {"training.learning_rate": 0.003},
    {"training.learning_rate": 0.01, "model.dropout": 0.3, "training.l2": 0.01},
    {"training.l1": 0.001, "training.clip_norm": 0.5, "training.beta1": 0.8},
    {"training.label_smoothing": 0.1, "training.schedule": {"kind": "cosine", "warmup": 0.1}},
    {"training.early_stopping": {"patience": 2}, "training.learning_rate": 0.05},
)


def members_of(project: Project, dataset: Dataset) -> list[Member]:
    made = [resolve(vary(project, each), dataset) for each in VARIED]
    return [Member(each.changed(seed=seed), seed) for seed, each in enumerate(made)]


def together(members: list[Member], dataset: Dataset, **options: Any) -> dict[int, Fit]:
    return dict(fit_stack(members, dataset, **options))


def assert_same(one: Fit, other: Fit) -> None:
    assert (one.outcome, one.best_epoch, one.threshold) == (other.outcome, other.best_epoch, other.threshold)
    assert one.history.metrics.keys() == other.history.metrics.keys()
    for name, values in one.history.metrics.items():
        assert values == pytest.approx(other.history.metrics[name], rel=2e-4, abs=1e-5), name
    for name, array in one.weights.items():
        assert np.allclose(array, other.weights[name], rtol=1e-3, atol=1e-4), name


def test_members_with_many_rows_of_their_own_are_looked_at_on_a_sample_of_them() -> None:
    written = Project.model_validate({"name": "d", "data": {"source": "sklearn:digits"}, "training": {"epochs": 2}})
    dataset = load_dataset(written)
    n, n_dev = len(dataset.parts["train"]), len(dataset.parts["dev"])
    rows = [np.arange(n - 50), np.arange(50, n)]
    assert n - 50 > n_dev > 256
    project = resolve(written, dataset)
    fits = together([Member(project, 0, own) for own in rows], dataset)
    for at, own in enumerate(rows):
        assert_same(fits[at], fit(project, dataset, seed=0, rows=own))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_each_member_comes_out_as_it_would_alone(
    make_project: MakeProject, blobs: pd.DataFrame, *, batch_norm: bool
) -> None:
    model = {"kind": "mlp", "layers": 2, "width": 8, "batch_norm": batch_norm}
    project, dataset = make_project(blobs, model=model, training={"epochs": 12, "batch_size": 16})
    members = members_of(project, dataset)
    found = together(members, dataset)
    assert sorted(found) == [0, 1, 2, 3, 4]
    assert found[4].outcome.kind == "early_stopped"  # and left the stack
    for m, member in enumerate(members):
        assert_same(found[m], fit(member.project, dataset, seed=member.seed))


def test_members_train_on_examples_of_their_own(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, dataset = make_project(blobs, training={"epochs": 6, "batch_size": 16})
    project = resolve(project, dataset)
    rows = [np.arange(0, 40), np.arange(30, 70)]
    members = [Member(project, 0, each) for each in rows]
    found = together(members, dataset)
    for m, member in enumerate(members):
        alone = fit(project, dataset, seed=0, rows=rows[m])
        assert_same(found[m], alone)
        assert found[m].predictions.part("train").ids.tolist() == alone.predictions.part("train").ids.tolist()
        assert member.rows is not None


def test_one_that_explodes_leaves_the_others_alone(make_project: MakeProject, line: pd.DataFrame) -> None:
    project, dataset = make_project(line, training={"epochs": 8, "optimizer": "sgd", "batch_size": 16})
    wild = resolve(vary(project, {"training.learning_rate": 1e12}), dataset)
    tame = resolve(vary(project, {"training.learning_rate": 0.01}), dataset)
    found = together([Member(wild, 0), Member(tame, 0)], dataset)
    assert found[0].outcome.kind == "diverged"
    assert_same(found[1], fit(tame, dataset, seed=0))


def test_members_can_be_dropped_one_by_one(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, dataset = make_project(blobs, training={"epochs": 6, "batch_size": 16, "early_stopping": None})
    members = members_of(project, dataset)[:3]
    heard: list[list[int]] = []

    def ask(epoch: int, epochs: int, values: Mapping[int, Mapping[str, float]]) -> dict[int, OutcomeKind]:
        assert epochs == 6
        heard.append(sorted(values))
        return {{2: 0, 4: 2}[epoch]: "pruned"} if epoch in (2, 4) else {}

    order = [m for m, _ in fit_stack(members, dataset, on_epoch=ask)]
    assert order == [0, 2, 1]
    assert heard == [[0, 1, 2], [0, 1, 2], [1, 2], [1, 2], [1], [1]]


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"])
def test_a_smaller_stack_goes_on_as_if_the_others_had_never_been(optimizer: Any) -> None:
    spec = MLP(hidden=(6,), dropout=0.2, batch_norm=True)
    rng = torch.Generator().manual_seed(0)
    x, y = torch.randn(40, 5, generator=rng, dtype=torch.float64), torch.randint(0, 3, (40,), generator=rng)
    trainings = [Training(optimizer=optimizer, l2=0.01, clip_norm=c, momentum=0.8) for c in (1.0, None, 0.5)]

    def learn(seeds: list[int], drop: bool) -> torch.Tensor:
        model = build(spec, n_features=5, n_outputs=3, seeds=seeds).double()
        learner = make_learner(model, Objective("cross_entropy"), [trainings[seed] for seed in seeds])
        for at in range(30):
            if drop and at == 10:
                learner, seeds = keep_members(learner, [0, 2]), [seeds[0], seeds[2]]
            learner.model.train()
            batch = Batch(x[:20] if at % 2 else x[20:], y[:20] if at % 2 else y[20:], len(seeds))
            step(learner, batch.examples, torch.full((len(seeds),), 0.05, dtype=torch.float64))
        return learner.weights.theta.clone()

    whole = learn([0, 1, 2], drop=True)
    for row, seed in zip(whole, [0, 2], strict=True):
        torch.testing.assert_close(row, learn([seed], drop=False)[0], rtol=1e-9, atol=1e-10)


class Batch:
    """The same examples for each member."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor, n: int) -> None:
        from mlproj.training.batches import Examples

        self.examples = Examples(x.expand(n, *x.shape), y.expand(n, *y.shape))


def test_weights_that_were_best_before_another_left_are_still_those_of_their_member(
    make_project: MakeProject, blobs: pd.DataFrame
) -> None:
    training = {"epochs": 8, "batch_size": 16, "optimizer": "momentum", "early_stopping": None}
    project, dataset = make_project(blobs, training=training)
    rates = (0.01, 2.0, 4.0, 3.0)
    members = [Member(resolve(vary(project, {"training.learning_rate": rate}), dataset), 0) for rate in rates]

    def ask(epoch: int, _: int, values: Mapping[int, Mapping[str, float]]) -> dict[int, OutcomeKind]:
        return {0: "pruned"} if epoch == 6 and 0 in values else {}

    found = together(members, dataset, on_epoch=ask)
    early = [m for m in (1, 2, 3) if found[m].best_epoch <= 6]
    assert early
    for m in early:
        alone = fit(members[m].project, dataset, seed=0)
        assert found[m].best_epoch == alone.best_epoch
        for name, array in alone.weights.items():
            assert np.allclose(found[m].weights[name], array, rtol=1e-3, atol=1e-4), name


@pytest.mark.parametrize("values", [1, 500])
@pytest.mark.parametrize("has_rows", [False, True])
def test_members_looked_at_in_turn_are_seen_as_all_at_once(
    make_project: MakeProject, pairs: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, *, values: int, has_rows: bool
) -> None:
    metric = {"optimize": "f1", "satisfy": {"roc_auc": ">= 0.1"}}  # a threshold of its own for each, and probabilities
    project, dataset = make_project(pairs, metric=metric, training={"epochs": 5, "batch_size": 16})
    members = members_of(project, dataset)
    if has_rows:
        members = [replace(member, rows=np.arange(20) + 3 * at) for at, member in enumerate(members)]
    whole = together(members, dataset)
    looks = []
    monkeypatch.setattr(Examiner, "_examine", lambda self, model, look=Examiner._examine: look(self, noted(model)))

    def noted(model: StackedModel) -> StackedModel:
        looks.append(model.n_models)
        return model

    monkeypatch.setattr(examine, "VALUES_AT_ONCE", values)
    turned = together(members, dataset)
    assert max(looks) < len(members)
    for member, fitted in whole.items():
        other = turned[member]
        assert (other.metrics, other.outcome) == (fitted.metrics, fitted.outcome)
        # A product of one matrix may round otherwise than one of several: only probabilities and losses show it.
        assert other.threshold == pytest.approx(fitted.threshold, rel=1e-5)
        for name, found in fitted.history.metrics.items():
            assert other.history.metrics[name] == (pytest.approx(found, rel=1e-6) if name == "dev/loss" else found)
        for name, array in fitted.weights.items():
            np.testing.assert_array_equal(other.weights[name], array)
