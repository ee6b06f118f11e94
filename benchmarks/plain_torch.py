"""The digits project as a plain PyTorch script: the yardstick for `mlproj train`.

The same data, network, optimiser, epochs and batch as in projects/digits; batches by index, which is faster than a
DataLoader; dev is measured after every epoch. With --mlflow parameters and metrics
go to MLflow, in one batch at the end.

    python benchmarks/plain_torch.py [--epochs 40] [--batch 64] [--mlflow FOLDER]
"""

import argparse
import os
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


def load() -> dict[str, tuple[Tensor, Tensor]]:
    """Train and dev (60 % and 20 % of the digits), standardised by train; the remaining fifth is the test set."""
    x, y = load_digits(return_X_y=True)
    x_train, x_rest, y_train, y_rest = train_test_split(x, y, train_size=0.6, stratify=y, random_state=0)
    x_dev, _, y_dev, _ = train_test_split(x_rest, y_rest, train_size=0.5, stratify=y_rest, random_state=0)
    mean, scale = x_train.mean(0), x_train.std(0)
    scale[scale == 0] = 1
    return {
        name: (torch.tensor((x - mean) / scale, dtype=torch.float32), torch.tensor(y))
        for name, x, y in (("train", x_train, y_train), ("dev", x_dev, y_dev))
    }


@torch.no_grad()
def error(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of wrong answers."""
    return (model(x).argmax(1) != y).float().mean().item()


def train(epochs: int, batch: int) -> tuple[nn.Module, list[dict[str, float]]]:
    """The usual loop."""
    torch.manual_seed(0)
    data = load()
    x, y = data["train"]
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    history = []
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(batch):
            loss = cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        history.append({f"{name}/error": error(model, *part) for name, part in data.items()})
    return model, history


def log(folder: Path, epochs: int, batch: int, history: list[dict[str, float]], model: nn.Module) -> None:
    """Writes the run to MLflow: one batch of metrics, and the weights."""
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "ERROR"}
    import mlflow
    from mlflow.entities import Metric, Param

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    client = mlflow.MlflowClient()
    found = client.get_experiment_by_name("digits")
    experiment = found.experiment_id if found else client.create_experiment("digits", (folder / "artifacts").as_uri())
    run = client.create_run(experiment).info.run_id
    metrics = [Metric(key, value, 0, at) for at, row in enumerate(history) for key, value in row.items()]
    client.log_batch(run, metrics, [Param("epochs", str(epochs)), Param("batch_size", str(batch))])
    torch.save(model.state_dict(), folder / "weights.pt")
    client.log_artifact(run, str(folder / "weights.pt"))
    client.set_terminated(run)


def main() -> None:
    """Trains, logs where asked, and prints the errors."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--mlflow", type=Path)
    options = parser.parse_args()
    model, history = train(options.epochs, options.batch)
    if options.mlflow:
        log(options.mlflow.resolve(), options.epochs, options.batch, history, model)
    print(history[-1])


if __name__ == "__main__":
    main()
