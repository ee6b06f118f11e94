"""What the checks look at: a project with its data, and what a run left behind. M = 1 model, N examples, B of a batch.

Models are built, stepped and trained by the functions that `mlproj train` uses, on at most `ROWS` examples per split,
so that a check speaks of the training itself and ends within seconds.
"""

import math
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlproj.data import Dataset
from mlproj.data.hygiene import Finding
from mlproj.records import Fit, History
from mlproj.spec.project import Project
from mlproj.spec.training import Training
from mlproj.training.batches import Examples
from mlproj.training.device import choose_device
from mlproj.training.fitting import fit
from mlproj.training.looks import take_rows
from mlproj.training.objective import Objective
from mlproj.training.once import labels_of
from mlproj.training.step import Learner, make_learner, step
from mlproj.training.targets import loss_weights, make_examples, make_objective
from mlproj.zoo import OwnEstimator, OwnModel, StackedModel, build_model, generator, restore_model, seeded
from mlproj.zoo.stacked import Weights

ROWS = 2_000
"""Most examples of a split that checks train on or measure."""
UPDATES = 400
"""Updates of a short training; fewer where they would take longer than `SECONDS`."""
SECONDS, _FEWEST = 2.0, 8


@dataclass(frozen=True)
class Course:
    """How the training of a run went.

    Attributes:
        history: Values by ``SPLIT/METRIC``, one per epoch.
        outcome: Why it ended: completed, early_stopped, pruned, diverged or interrupted.
        last: Final values by ``SPLIT/METRIC``: those of the weights that were kept.
    """

    history: History
    outcome: str | None
    last: Mapping[str, float]


@dataclass(frozen=True)
class Patient:
    """A project, its data, and a run of it where there is one.

    Attributes:
        project: The resolved project.
        dataset: Its data, without the test set.
        findings: What `mlproj check` found in the data.
        run: Name of the run; empty without one.
        course: How its training went; None without a run.
        weights: Weights of the model that the run stored; None where there is none.
        threshold: Probability from which its answer is the positive class; None unless the label is binary.
        search: What the search found that the run is the best trial of; None for other runs.
        missing: Why there is no model to look at, for a model that was trained elsewhere; empty otherwise.
        changed: Why what the run stored cannot be held against the data; empty where it can.
    """

    project: Project
    dataset: Dataset
    findings: tuple[Finding, ...] = ()
    run: str = ""
    course: Course | None = None
    weights: Weights | None = field(default=None, repr=False)
    threshold: float | None = None
    search: Mapping[str, Any] | None = field(default=None, repr=False)
    missing: str = ""
    changed: str = ""

    @cached_property
    def device(self) -> torch.device:
        """Where to compute."""
        return choose_device(self.project.training.device)

    @cached_property
    def objective(self) -> Objective:
        """What training minimises."""
        return make_objective(self.project, self.dataset)

    @cached_property
    def small(self) -> Dataset:
        """The data with at most `ROWS` examples per split, drawn once."""
        numbers = np.random.default_rng(self.project.seed)
        parts = {
            name: part
            if len(part) <= ROWS
            else take_rows(part, np.sort(numbers.choice(len(part), ROWS, replace=False)))
            for name, part in self.dataset.parts.items()
        }
        return replace(self.dataset, parts=parts)

    @cached_property
    def examples(self) -> Examples:
        """Training examples in an order that depends on the seed alone, with the weights of the loss."""
        part = self.small.parts["train"]
        order = torch.randperm(len(part), generator=generator(self.project.seed, "sample")).numpy()
        part = take_rows(part, order)
        target = self.dataset.target
        return make_examples(part, target, self.device, loss_weights(self.project, part, target))

    def batch(self, n: int, start: int = 0) -> Examples:
        """Some training examples as a batch [1, B, …].

        Args:
            n: Examples wanted; fewer where there are no more.
            start: Where to begin; past the end it goes on at the beginning.
        """
        rows = (torch.arange(min(n, len(self.examples)), device=self.device) + start) % len(self.examples)
        return self.examples.take(rows.unsqueeze(0))

    @cached_property
    def batch_size(self) -> int:
        """Examples per update, of those that checks look at."""
        size = self.project.training.batch_size
        return min(size, len(self.examples)) if isinstance(size, int) else len(self.examples)

    def build(self) -> StackedModel:
        """A new model on the training device, as `mlproj train` begins with."""
        model = build_model(
            self.project, n_features=self.n_features, n_outputs=self.n_outputs, seed=self.project.seed,
            columns=self.dataset.encoder.sizes,
        )  # fmt: skip
        return model.to(self.device)

    def learner(self, **changes: Any) -> Learner:
        """A new model with its optimiser.

        Args:
            changes: Keys of `training` that are to differ.
        """
        return make_learner(self.build(), self.objective, [self.training(**changes)])

    def training(self, **changes: Any) -> Training:
        """The `training` section with other values of some keys."""
        return self.project.training.model_copy(update=changes)

    @cached_property
    def is_estimator(self) -> bool:
        """Whether the model is trained by its own `fit`."""
        return isinstance(self.build(), OwnEstimator)

    @cached_property
    def is_own(self) -> bool:
        """Whether the model is a module of the user's own."""
        return isinstance(self.build(), OwnModel)

    @cached_property
    def stored(self) -> StackedModel | None:
        """The model of the run on the training device; None where there is none, or it does not fit the data."""
        if self.weights is None or self.changed:
            return None
        model = restore_model(
            self.project, self.weights, n_features=self.n_features, n_outputs=self.n_outputs,
            columns=self.dataset.encoder.sizes,
        )  # fmt: skip
        return model.to(self.device)

    def fitted_estimator(self) -> OwnEstimator:
        """A new estimator, fitted on the examples that checks train on."""
        model, part, target = self.build(), self.small.parts["train"], self.dataset.target
        assert isinstance(model, OwnEstimator)
        scale = (target.mean, target.std) if target.kind == "regression" else (0.0, 1.0)
        with seeded(self.project.seed, "dropout"), warnings.catch_warnings(action="ignore"):
            model.learn(target.kind, part.x, labels_of(target, part.y), None, scale)
        return model

    @property
    def n_features(self) -> int:
        """Inputs F."""
        return self.dataset.parts["train"].x.shape[1]

    @property
    def n_outputs(self) -> int:
        """Outputs K."""
        return self.dataset.target.n_outputs

    @property
    def is_regression(self) -> bool:
        """Whether the label is a number."""
        return self.dataset.target.kind == "regression"

    def train_briefly(
        self, *, blind: bool = False, y: NDArray[Any] | None = None, dev: bool = True, seed: int = 0, times: float = 1
    ) -> Fit:
        """A short training on other inputs or labels, by `training.fit`, with the settings of the project.

        Early stopping is off: the checks compare trainings of equal length.

        Args:
            blind: Whether every input is 0.
            y: Labels in the place of those of train.
            dev: Whether held-out splits are there: they choose the epoch whose weights are kept.
            seed: Added to the project's seed.
            times: How many times as long as a short training.
        """
        parts = {name: part for name, part in self.small.parts.items() if dev or name == "train"}
        updates = min(times * UPDATES, max(_FEWEST, times * SECONDS / self.step_seconds))
        rows = max(2 * self.batch_size, int(updates / 2) * self.batch_size)  # at least two epochs of a slow model
        parts["train"] = take_rows(parts["train"], np.arange(min(rows, len(parts["train"]))))
        if blind:
            parts = {name: replace(part, x=np.zeros_like(part.x)) for name, part in parts.items()}
        if y is not None:
            parts["train"] = replace(parts["train"], y=y[: len(parts["train"])])
        per_epoch = math.ceil(len(parts["train"]) / self.batch_size)
        training = self.training(epochs=max(2, math.ceil(updates / per_epoch)), early_stopping=None)
        brief = replace(self.small, parts=parts)
        found = fit(self.project.changed(training=training), brief, seed=self.project.seed + seed)
        if found.outcome.kind == "interrupted":  # training keeps Ctrl-C to itself
            raise KeyboardInterrupt
        return found

    @cached_property
    def step_seconds(self) -> float:
        """How long an update takes, with a look at the model; 0 would be an estimator's, which takes none."""
        if self.is_estimator:
            return 1e-9
        learner, batch = self.learner(), self.batch(self.batch_size)
        rate = torch.zeros(1, device=self.device)
        learner.model.train()
        step(learner, batch, rate)  # the first one also prepares
        begin = time.perf_counter()
        step(learner, batch, rate)
        return time.perf_counter() - begin

    @cached_property
    def work(self) -> int:
        """Products per update, by which the number of threads is chosen."""
        return self.batch_size * sum(each.numel() for each in self.build().parameters())

    def zero_loss(self, batch: Examples) -> float:
        """The loss of outputs that are 0: of all classes equally likely, or of the mean of a number."""
        n = batch.x.shape[1]
        outputs = torch.zeros(1, n, self.n_outputs, device=self.device)
        return float(self.objective(outputs, batch.y, batch.weight))

    def losses(self, outputs: Tensor, batch: Examples) -> float:
        """The mean loss of outputs [1, B, K]."""
        with torch.no_grad():
            return float(self.objective(outputs, batch.y, batch.weight))
