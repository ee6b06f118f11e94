"""The loop that everybody writes: torch, tensors by index, dev after every epoch."""

from itertools import pairwise
from typing import Any

import torch
from task import BATCH, N_CLASSES, N_INPUTS, Setting
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

Parts = dict[str, tuple[Tensor, Tensor]]


def prepare(arrays: dict[str, tuple[Any, Any]]) -> Parts:
    """The arrays as tensors."""
    return {name: (torch.from_numpy(x), torch.from_numpy(y)) for name, (x, y) in arrays.items()}


def network(setting: Setting, n_inputs: int = N_INPUTS, n_outputs: int = N_CLASSES) -> nn.Sequential:
    """Two hidden layers of one width with ReLU; dropout after each where it is asked for."""
    layers: list[nn.Module] = []
    sizes = (n_inputs, setting.width, setting.width)
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
        layers += [nn.Dropout(setting.dropout)] if setting.dropout else []
    return nn.Sequential(*layers, nn.Linear(setting.width, n_outputs))


def train(parts: Parts, setting: Setting, seed: int = 0, batch: int = BATCH) -> float:
    """Trains, and returns the lowest error on dev after any epoch."""
    torch.manual_seed(seed)
    (x, y), dev = parts["train"], parts["dev"]
    model = network(setting, x.shape[1], int(y.max()) + 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=setting.learning_rate, weight_decay=setting.weight_decay)
    best = 1.0
    for _ in range(setting.epochs):
        model.train()
        for rows in torch.split(torch.randperm(len(x)), batch):
            loss = cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        best = min(best, error(model, *dev))
    return best


@torch.no_grad()
def error(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of wrong answers."""
    model.eval()
    return (model(x).argmax(1) != y).float().mean().item()
