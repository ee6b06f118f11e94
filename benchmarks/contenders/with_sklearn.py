"""The same network as scikit-learn's MLPClassifier, which has no dropout and looks at dev at the end only."""

import warnings
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from task import BATCH, Setting

warnings.filterwarnings("ignore", category=ConvergenceWarning)


def prepare(arrays: dict[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    """The arrays as they are."""
    return arrays


def train(parts: dict[str, tuple[Any, Any]], setting: Setting, seed: int = 0) -> float:
    """Trains, and returns the error on dev after the last epoch."""
    model = MLPClassifier(
        (setting.width, setting.width),
        alpha=setting.weight_decay,
        batch_size=BATCH,
        learning_rate_init=setting.learning_rate,
        max_iter=setting.epochs,
        early_stopping=False,
        tol=0.0,
        n_iter_no_change=setting.epochs,
        random_state=seed,
    )
    model.fit(*parts["train"])
    return 1 - float(model.score(*parts["dev"]))
