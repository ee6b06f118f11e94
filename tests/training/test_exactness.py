"""Whole trainings of a stack against plain torch: what the loop reports of each member, and the weights it keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from exactness import batches_of
from torch import Tensor
from torch_oracle import Network, updates

from mlproj.data import Dataset
from mlproj.records import OutcomeKind
from mlproj.spec.model import MLP
from mlproj.spec.project import Project
from mlproj.spec.vary import vary
from mlproj.training import fit, resolve
from mlproj.training.batches import Examples, batch_ends
from mlproj.training.examine import Examiner
from mlproj.training.fitting import fit_stack
from mlproj.training.loop import Course, Loop, Member
from mlproj.training.step import make_learner
from mlproj.training.targets import make_examples, make_objective
from mlproj.zoo import build
from tests.training.conftest import MakeProject

CPU = torch.device("cpu")
MODEL = {"kind": "mlp", "hidden": [6, 5], "activation": "tanh"}
TRAINING = {"epochs": 10, "batch_size": 16, "early_stopping": None, "learning_rate": 0.01}
VARIED: tuple[dict[str, Any], ...] = (
    {},
    {"training.schedule": {"kind": "inverse_time"}, "training.l2": 0.02},
    {"training.schedule": {"kind": "exponential", "rate": 0.8}, "training.l1": 0.002},
    {"training.schedule": {"kind": "inverse_sqrt", "per": "step"}, "training.beta1": 0.7},
    {"training.schedule": {"kind": "staircase", "every": 3}, "training.clip_norm": 0.3},
    {"training.schedule": {"kind": "cosine", "warmup": 0.2}, "training.learning_rate": 0.1},
    {"training.schedule": {"kind": "one_cycle"}, "training.beta2": 0.9},
    {"training.early_stopping": {"patience": 1}, "training.learning_rate": 0.05},
)


def members_of(project: Project, dataset: Dataset) -> list[Member]:
    return [Member(resolve(vary(project, each), dataset), seed) for seed, each in enumerate(VARIED)]


def double(examples: Examples) -> Examples:
    y = examples.y.double() if examples.y.is_floating_point() else examples.y
    return Examples(examples.x.double(), y, None if examples.weight is None else examples.weight.double())


def witness(member: Member, own: Examples, initial: Mapping[str, Tensor], loss: str, n_epochs: int) -> Any:
    """Of plain torch: the mean loss of each epoch, and the model after each."""
    training, spec = member.project.training, member.project.model
    assert isinstance(spec, MLP)
    n_outputs = initial["output.bias"].shape[-1]
    shape = {"n_features": own.x.shape[1], "n_outputs": n_outputs}
    network = Network(initial, spec.sizes, spec.activation, batch_norm=spec.batch_norm, **shape)
    batches = list(batches_of(own, member.seed, spec.sizes, spec.dropout, size=16, n_epochs=10))
    ends = batch_ends(len(own), 16)
    sizes, losses, kept = np.diff([0, *ends]), [], [clone(network)]
    for at, value in enumerate(updates(network, training, loss, batches, len(ends)), start=1):
        losses.append(float(value))
        if at % len(ends) == 0:
            kept.append(clone(network))
    means = [float(np.average(losses[at : at + len(ends)], weights=sizes)) for at in range(0, len(losses), len(ends))]
    return means[:n_epochs], kept


def clone(network: Network) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def farthest(kept: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> float:
    names = {"hidden.0": "dense_1", "hidden.1": "dense_2", "output": "output"}
    return max(float((kept[f"{one}.weight"] - state[f"{other}.weight"].T).abs().max()) for one, other in names.items())


def test_the_loop_trains_every_member_as_torch_does(make_project: MakeProject, blobs: pd.DataFrame) -> None:
    project, dataset = make_project(blobs, model=MODEL, training=TRAINING)
    members = members_of(project, dataset)
    examples = double(make_examples(dataset.parts["train"], dataset.target, CPU))
    objective = make_objective(members[0].project, dataset)
    examiner = Examiner(members[0].project, dataset, objective, CPU)
    examiner.examples = {name: double(each) for name, each in examiner.examples.items()}
    seeds = [member.seed for member in members]
    model = build(members[0].project.model, n_features=2, n_outputs=3, seeds=seeds).double()
    initial = {name: value.detach().clone() for name, value in model.state_dict().items()}
    learner = make_learner(model, objective, [member.project.training for member in members])

    def ask(epoch: int, _: int, __: Mapping[int, Mapping[str, float]]) -> Mapping[int, OutcomeKind]:
        return {1: "pruned"} if epoch == 4 else {}

    courses: dict[int, Course] = {}
    states: dict[int, dict[str, Tensor]] = {}
    for ended in Loop(members, learner, examples, examiner).run(ask):
        for at, m in enumerate(ended.members):
            courses[m] = ended.courses[at]
            states[m] = {name: value[at] for name, value in ended.state.items()}
    assert courses[1].epochs == 4
    assert courses[7].end == "early_stopped"
    for m, member in enumerate(members):
        course = courses[m]
        own = {name: value[m] for name, value in initial.items()}
        means, kept = witness(member, examples, own, "cross_entropy", course.epochs)
        assert course.history["train/loss"] == pytest.approx(means, rel=1e-9)
        assert farthest(kept[course.best.epoch], states[m]) < 1e-9


@pytest.mark.parametrize("class_weight", [None, "balanced", {"yes": 5.0}])
def test_weights_of_classes_and_examples_of_ones_own_are_torchs(
    make_project: MakeProject, pairs: pd.DataFrame, class_weight: Any
) -> None:
    project, dataset = make_project(pairs, model=MODEL, training=TRAINING | {"class_weight": class_weight})
    project, train = resolve(project, dataset), dataset.parts["train"]
    yes = np.flatnonzero(train.y[:, 0] == 1)
    no = np.flatnonzero(train.y[:, 0] == 0)
    rows = [np.sort(np.concatenate([yes[:many], no[: 50 - many]])) for many in (5, 15)]  # other shares of yes
    members = [Member(project, seed, each) for seed, each in enumerate(rows)]
    found = dict(fit_stack(members, dataset))
    every = make_examples(train, dataset.target, CPU)
    for m, member in enumerate(members):
        own = every.take(torch.from_numpy(rows[m]))
        own = replace(own, weight=class_weights(own.y, class_weight))
        model = build(project.model, n_features=2, n_outputs=1, seeds=[m])
        initial = {name: value.detach()[0] for name, value in model.state_dict().items()}
        means, _ = witness(member, own, initial, "binary_cross_entropy", 10)
        assert found[m].history.metrics["train/loss"] == pytest.approx(means, rel=1e-5)
        alone = fit(project, dataset, seed=m, rows=rows[m])
        assert alone.history.metrics["train/loss"] == pytest.approx(means, rel=1e-5)


def class_weights(y: Tensor, rule: Any) -> Tensor | None:
    """n / (K · n_k) or as given, and 1 on average."""
    if rule is None:
        return None
    shares = [float((y == code).float().mean()) for code in (0, 1)]
    each: Sequence[float] = [0.5 / share for share in shares] if rule == "balanced" else [1.0, rule["yes"]]
    weight = torch.where(y == 1, each[1], each[0])
    return weight / weight.mean()
