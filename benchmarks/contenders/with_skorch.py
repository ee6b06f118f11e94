"""The same training by skorch: a NeuralNetClassifier with dev as its validation set."""

from typing import Any

import torch
from skorch import NeuralNetClassifier
from skorch.dataset import Dataset
from skorch.helper import predefined_split
from task import BATCH, Setting

from contenders.plain import network


def prepare(arrays: dict[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    """The arrays as they are."""
    return arrays


def train(parts: dict[str, tuple[Any, Any]], setting: Setting, seed: int = 0) -> float:
    """Trains, and returns the lowest error on dev after any epoch."""
    torch.manual_seed(seed)
    model = NeuralNetClassifier(
        network(setting),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        optimizer__weight_decay=setting.weight_decay,
        lr=setting.learning_rate,
        batch_size=BATCH,
        max_epochs=setting.epochs,
        iterator_train__shuffle=True,
        train_split=predefined_split(Dataset(*parts["dev"])),
        verbose=0,
    )
    model.fit(*parts["train"])
    return 1 - max(model.history[:, "valid_acc"])
