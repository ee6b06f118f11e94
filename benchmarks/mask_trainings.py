"""What `mask_study.py` trains: data sets in train, dev and what no search sees, configurations, masks of one's own."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets

from mlproj.data import Dataset, load_dataset
from mlproj.metrics import measure
from mlproj.records import Fit
from mlproj.spec.model import MLP
from mlproj.spec.project import Project
from mlproj.training import fitting, resolve
from mlproj.training.loop import Member
from mlproj.training.predicting import predict
from mlproj.zoo.layers import Dropout

TRIALS, EPOCHS, BATCH = 64, 15, 32
RATES, DECAYS, DROPOUTS, WIDTHS = (1e-4, 1e-1), (1e-6, 1e-1), (0.0, 0.5), (16, 32, 64)
Made = tuple[Any, Any]


@dataclass(frozen=True)
class Source:
    """A data set and how many of its examples are train and dev; the others are never seen by a search."""

    make: Callable[[], Made]
    train: int
    dev: int
    task: str = "classification"


SOURCES = {
    "digits": Source(lambda: datasets.load_digits(return_X_y=True), 500, 150),
    "breast cancer": Source(lambda: datasets.load_breast_cancer(return_X_y=True), 200, 100),
    "wine": Source(lambda: datasets.load_wine(return_X_y=True), 60, 40),
    "noisy classes": Source(
        lambda: datasets.make_classification(
            2600, 20, n_informative=8, n_redundant=4, n_classes=4, flip_y=0.1, random_state=0
        ),
        450,
        150,
    ),
    "diabetes": Source(lambda: datasets.load_diabetes(return_X_y=True), 200, 100, "regression"),
    "Friedman 1": Source(lambda: datasets.make_friedman1(2500, noise=1.0, random_state=0), 350, 150, "regression"),
}


@dataclass(frozen=True)
class Masked(Member):
    """A member whose masks come from a seed of their own."""

    mask_seed: int = 0


@contextmanager
def own_masks() -> Iterator[None]:
    """Stacks that are built meanwhile take the masks of each `Masked` member from its mask seed."""
    build = fitting._build_stack

    def built(members: Sequence[Member], dataset: Dataset) -> Any:
        model = build(members, dataset)
        for layer in model:
            if isinstance(layer, Dropout):  # nothing is drawn yet
                layer.seeds = tuple(m.mask_seed if isinstance(m, Masked) else m.seed for m in members)
        return model

    fitting._build_stack = built
    try:
        yield
    finally:
        fitting._build_stack = build


@dataclass(frozen=True)
class Bench:
    """A data set, and the examples that no search sees: inputs encoded as for training, and labels."""

    name: str
    project: Project
    dataset: Dataset
    x: Any
    y: Any
    unit: float

    @property
    def metric(self) -> str:
        """What a search optimises."""
        return "rmse" if self.project.task == "regression" else "error"

    def hidden(self, fit: Fit, project: Project) -> float:
        """A model's value on the examples that no search sees."""
        target = self.dataset.target
        outputs = predict(project, fit.weights, self.x, n_outputs=target.n_outputs)
        return measure([self.metric], target.decode(outputs, self.y))[self.metric] * self.unit


def open_bench(name: str) -> Bench:
    """Cuts a data set into train, dev and the rest, at random but always alike."""
    source = SOURCES[name]
    x, y = source.make()
    order = np.random.default_rng(0).permutation(len(x))
    frame = pd.DataFrame(x[order], columns=[f"x{i}" for i in range(x.shape[1])]).assign(y=y[order])
    seen = source.train + source.dev
    split = ["train"] * source.train + ["dev"] * source.dev
    with tempfile.TemporaryDirectory(prefix="mlproj-masks-") as folder:
        file = Path(folder) / "data.csv"
        frame[:seen].assign(split=split).to_csv(file, index=False)
        spec = {
            "name": "masks",
            "task": source.task,
            "data": {"source": str(file), "label": "y"},
            "splits": {"column": "split", "test": 0},
            "model": {"kind": "mlp", "layers": 2, "width": 32},
            "training": {"epochs": EPOCHS, "batch_size": BATCH, "early_stopping": None},
        }
        project = Project.model_validate(spec)
        dataset = load_dataset(project)
    hidden = frame[seen:].reset_index(drop=True)
    y_hidden = dataset.target.encode(hidden)
    unit = 100 / float(np.std(hidden["y"])) if source.task == "regression" else 100.0
    return Bench(name, resolve(project, dataset), dataset, dataset.encoder.encode(hidden), y_hidden, unit)


def draw(bench: Bench, rng: np.random.Generator, n: int) -> list[Project]:
    """Configurations at random."""
    found = []
    for _ in range(n):
        rate, l2 = (float(np.exp(rng.uniform(*np.log(ends)))) for ends in (RATES, DECAYS))
        training = bench.project.training.model_copy(update={"learning_rate": rate, "l2": l2})
        model = bench.project.model.model_copy(
            update={"dropout": float(rng.uniform(*DROPOUTS)), "width": int(rng.choice(WIDTHS))}
        )
        found.append(bench.project.changed(training=training, model=model))
    return found


def train(bench: Bench, members: Sequence[Masked]) -> list[Fit]:
    """Trains side by side what is equally wide."""
    found: dict[int, Fit] = {}
    for width in WIDTHS:
        positions = [at for at, member in enumerate(members) if _width(member.project) == width]
        for start in range(0, len(positions), TRIALS):
            some = positions[start : start + TRIALS]
            for at, fit in fitting.fit_stack([members[p] for p in some], bench.dataset):
                found[some[at]] = fit
    return [found[at] for at in range(len(members))]


def dev_value(bench: Bench, fit: Fit) -> float:
    """The value on dev, in points."""
    return fit.metrics["dev"][bench.metric] * bench.unit


def dev_loss(fit: Fit) -> float:
    """The loss on dev of the weights that were kept, which breaks ties."""
    return fit.history.metrics["dev/loss"][fit.best_epoch - 1] if fit.best_epoch else inf


def _width(project: Project) -> int | None:
    return project.model.width if isinstance(project.model, MLP) else None
