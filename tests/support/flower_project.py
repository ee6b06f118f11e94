"""A small project of two distributions with planted properties: three kinds of flowers, one Gaussian each."""

from pathlib import Path

import numpy as np
import pandas as pd

SPEC = """\
name: flowers
task: classification
data: {source: app.csv, extra: [web.csv], label: kind, id: uid}
splits: {dev: 150, test: 150, train_dev: 150}
human_level: {error: 0.02, n: 400, on: training}
metric: {optimize: f1_macro, satisfy: {accuracy: ">= 0.5", latency_ms: "<= 1000"}}
model: {kind: mlp, hidden: [16]}
training: {epochs: 6}
"""


def flowers(n: int, *, shift: float = 0.0, start: int = 0, seed: int = 0) -> pd.DataFrame:
    """Three kinds of flowers, one Gaussian each; `shift` moves the inputs away from what training sees."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    x = rng.normal(size=(n, 5)) + np.eye(3, 5)[y] * 3 + shift
    columns = {f"x{i}": x[:, i] for i in range(5)}
    kinds = np.array(["iris", "rose", "lily"])[y]
    return pd.DataFrame(
        {**columns, "colour": rng.choice(["red", "blue"], n), "uid": np.arange(start, start + n), "kind": kinds}
    )


def write_flowers(folder: Path, spec: str = SPEC) -> Path:
    """A project of two distributions in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    flowers(600, shift=0.6, start=10**6, seed=1).to_csv(folder / "app.csv", index=False)
    flowers(1200, seed=2).to_csv(folder / "web.csv", index=False)
    (folder / "project.yaml").write_text(spec, encoding="utf-8")
    return folder
