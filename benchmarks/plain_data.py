"""The usual script: pandas reads, a per-row DataLoader feeds, one epoch of a 64-64 perceptron at batch 1024.

python benchmarks/plain_data.py FILE.csv
"""

import sys
import time

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def main() -> None:
    """Reads, splits, standardises, trains one epoch, and prints the seconds after the imports and the accuracy."""
    began = time.perf_counter()
    torch.manual_seed(0)
    frame = pd.read_csv(sys.argv[1])
    x = frame.drop(columns=["y", "uid"]).to_numpy(np.float32)
    y = frame["y"].to_numpy(np.int64)
    order = np.random.default_rng(0).permutation(len(x))
    train, dev = order[: len(x) * 6 // 10], order[len(x) * 6 // 10 : len(x) * 8 // 10]
    mean, std = x[train].mean(axis=0), x[train].std(axis=0)
    x = (x - mean) / std
    model = nn.Sequential(nn.Linear(x.shape[1], 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters())
    data = TensorDataset(torch.from_numpy(x[train]), torch.from_numpy(y[train]))
    for inputs, labels in DataLoader(data, batch_size=1024, shuffle=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
    with torch.no_grad():
        right = (model(torch.from_numpy(x[dev])).argmax(dim=1).numpy() == y[dev]).mean()
    print(f"{time.perf_counter() - began:.3f} s after the imports, accuracy on dev {right:.3f}", file=sys.stderr)


if __name__ == "__main__":
    main()
