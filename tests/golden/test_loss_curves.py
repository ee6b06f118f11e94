"""Loss curves of every model family: 20 steps on a fixed problem, in float64, on the CPU.

They change only when the mathematics or the order of the random numbers does. If that is meant, write them anew with
`python tests/golden/test_loss_curves.py` and show both curves with the change.
"""

import json
from pathlib import Path

import pytest
import torch

from mlproj.spec.base import Spec
from mlproj.spec.model import MLP, Linear
from mlproj.spec.training import Training
from mlproj.training.batches import Examples, batch_ends, batches, make_orders, shuffle
from mlproj.training.objective import Objective
from mlproj.training.step import make_learner, step
from mlproj.zoo import build

CURVES = Path(__file__).with_name("loss_curves.json")
SPECS: dict[str, Spec] = {
    "linear": Linear(),
    "mlp": MLP(hidden=(8, 6)),
    "mlp, batch norm, tanh": MLP(hidden=(8, 6), batch_norm=True, activation="tanh", init="glorot"),
}


def curve(spec: Spec) -> list[float]:
    """Losses of 20 steps of Adam over batches of 16 from 80 examples of three classes."""
    numbers = torch.linspace(0, 40, 80 * 4, dtype=torch.float64).reshape(80, 4)
    x = torch.sin(numbers)
    y = (x[:, 0] > 0).long() + (x[:, 1] > 0.5).long()
    model = build(spec, n_features=4, n_outputs=3, seeds=[7]).double()
    learner = make_learner(model, Objective("cross_entropy"), [Training()])
    rate, orders = torch.tensor([0.02], dtype=torch.float64), make_orders([7])
    epochs = (batches(Examples(x, y), shuffle(80, orders), batch_ends(80, 16)) for _ in range(4))
    return [float(step(learner, batch, rate)) for epoch in epochs for batch in epoch]


@pytest.mark.parametrize("name", list(SPECS))
def test_the_loss_curve_is_the_one_on_record(name: str) -> None:
    # Initial weights are drawn in float32, whose last digit depends on the processor.
    assert curve(SPECS[name]) == pytest.approx(json.loads(CURVES.read_text(encoding="utf-8"))[name], rel=1e-4)


if __name__ == "__main__":
    curves = {name: [round(loss, 8) for loss in curve(spec)] for name, spec in SPECS.items()}
    CURVES.write_text(json.dumps(curves, indent=1) + "\n", encoding="utf-8")
