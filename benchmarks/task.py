"""The task of all comparisons: perceptrons on the digits, 64-64-64-10, Adam, batch 64, 20 epochs, dev after each.

As arrays for those who bring a loop of their own, and as project.yaml for mlproj; 1,437 examples to train on, and 360
as dev.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

EPOCHS, BATCH, N_TRAIN, N_DEV = 20, 64, 1437, 360
N_INPUTS, N_CLASSES = 64, 10
RATES, DECAYS, DROPOUTS, WIDTHS = (1e-4, 1.0), (1e-6, 1e-2), (0.0, 0.5), (32, 64, 96, 128)


@dataclass(frozen=True)
class Setting:
    """What one training is made with."""

    learning_rate: float = 0.001
    weight_decay: float = 0.0
    dropout: float = 0.0
    width: int = 64
    epochs: int = EPOCHS


def digits() -> dict[str, tuple[Any, Any]]:
    """Inputs (float32, standardised by train) and classes of train and dev, as arrays."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x_train, x_dev, y_train, y_dev = train_test_split(x, y, test_size=N_DEV, stratify=y, random_state=0)
    mean, scale = x_train.mean(0), x_train.std(0)
    scale[scale == 0] = 1
    parts = {"train": (x_train, y_train), "dev": (x_dev, y_dev)}
    return {name: (((x - mean) / scale).astype("float32"), y) for name, (x, y) in parts.items()}


def write_project(folder: Path, *, epochs: int = EPOCHS, **changes: Any) -> Path:
    """Writes project.yaml (JSON is YAML) of the task with the search of the comparisons, and returns its folder.

    Args:
        folder: Where to.
        epochs: Epochs of each training.
        changes: Sections that take the place of the task's.
    """
    training = {"optimizer": "adam", "learning_rate": 0.001, "batch_size": BATCH, "epochs": epochs}
    document = {
        "name": "digits",
        "task": "classification",
        "seed": 0,
        "data": {"source": "sklearn:digits"},
        "splits": {"dev": N_DEV, "test": 0},
        "model": {"kind": "mlp", "layers": 2, "width": 64},
        "training": training | {"early_stopping": None},
        "search": {
            "trials": 64,
            "space": {
                "training.learning_rate": {"log": list(RATES)},
                "training.l2": {"log": list(DECAYS)},
                "model.dropout": {"uniform": list(DROPOUTS)},
                "model.width": {"choice": list(WIDTHS)},
            },
        },
    } | changes
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "project.yaml").write_text(json.dumps(document, indent=1), encoding="utf-8")
    return folder


def flops_per_epoch(*sizes: int, n: int = N_TRAIN) -> int:
    """Multiplications and additions that one epoch of a perceptron needs: forward and backward of its matrix products.

    Forward costs 2 per weight and example, the gradient of the weights as much, that of the inputs as much for every
    layer but the first, whose inputs need none. Biases, activations, the optimiser and the looks at dev are left out.

    Args:
        sizes: Inputs, hidden layers, outputs.
        n: Examples.

    Example:
        >>> flops_per_epoch(3, 2, n=1), flops_per_epoch(3, 2, 1, n=1)
        (24, 36)
    """
    weights = [before * after for before, after in pairwise(sizes)]
    return n * (6 * sum(weights) - 2 * weights[0])


def gflop(trainings: Iterable[tuple[int, int]]) -> float:
    """Multiplications and additions in billions that trainings of the task's perceptron need, looks at dev left out.

    Args:
        trainings: Width and epochs of each.

    Example:
        >>> round(gflop([(64, 20)]), 2), round(gflop([(32, 1), (128, 20)]), 2)
        (1.29, 4.01)
    """
    return sum(epochs * flops_per_epoch(*perceptron(width)) for width, epochs in trainings) / 1e9


def perceptron(width: int) -> tuple[int, ...]:
    """Layer sizes of the task's perceptron of some width."""
    return N_INPUTS, width, width, N_CLASSES


def figures(document: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of what a contender printed: mlproj's own JSON documents, or a flat mapping of numbers.

    Example:
        >>> figures({"cold": 1.5}), figures({"best": {"value": 0.02}, "seconds": 3.0})
        ({'cold': 1.5}, {'error': 0.02})
        >>> figures({"metrics": {"dev": {"error": 0.03}}, "seconds": 3.0})
        {'error': 0.03}
    """
    if isinstance(document.get("best"), Mapping):
        return {"error": float(document["best"]["value"])}
    if isinstance(document.get("metrics"), Mapping):
        return {"error": float(document["metrics"]["dev"]["error"])}
    return {name: float(value) for name, value in document.items() if isinstance(value, int | float)}
