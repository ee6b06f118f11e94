"""A training that was cut off goes on from its snapshot as if nothing had happened."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlproj.data import Dataset
from mlproj.records import Fit
from mlproj.spec.project import Project
from mlproj.spec.vary import vary
from mlproj.training import fit, resolve
from mlproj.training.fitting import fit_stack
from mlproj.training.loop import Loop, Member
from mlproj.training.optimizers import OPTIMIZERS
from mlproj.training.snapshot import Snapshot, read_snapshot, take, write_snapshot
from mlproj.training.snapshot_head import epochs_of
from tests.training.conftest import MakeProject


class Folder:
    """Keeps the snapshots of one epoch as files, and hands out what it was given."""

    def __init__(self, folder: Path, epoch: int, files: Sequence[Path] = ()) -> None:
        self.folder, self.epoch, self.files = folder, epoch, files

    def found(self) -> list[Snapshot] | None:
        return [read_snapshot(file) for file in self.files] or None

    def offer(self, loop: Loop) -> None:
        if loop.courses[loop.active[0]].epochs == self.epoch:
            for m, snapshot in take(loop).items():
                write_snapshot(snapshot, self.folder / f"{m}.safetensors")


def assert_equal(one: Fit, other: Fit) -> None:
    assert one.history == other.history
    assert (one.outcome, one.best_epoch, one.threshold) == (other.outcome, other.best_epoch, other.threshold)
    for name, array in one.weights.items():
        assert np.array_equal(array, other.weights[name]), name


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_stack_goes_on_from_its_snapshots(
    make_project: MakeProject, blobs: pd.DataFrame, tmp_path: Path, optimizer: str, *, batch_norm: bool
) -> None:
    model = {"kind": "mlp", "layers": 2, "width": 8, "batch_norm": batch_norm, "dropout": 0.2}
    training = {"epochs": 6, "batch_size": 16, "optimizer": optimizer, "early_stopping": None}
    project, dataset = make_project(blobs, model=model, training=training)
    members = [
        Member(resolve(vary(project, {"model.dropout": rate}), dataset), seed) for seed, rate in ((0, 0.0), (1, 0.4))
    ]
    whole = dict(fit_stack(members, dataset, keeper=Folder(tmp_path, 3)))
    files = [tmp_path / "0.safetensors", tmp_path / "1.safetensors"]
    assert [epochs_of(file) for file in files] == [3, 3]
    for m, again in fit_stack(members, dataset, keeper=Folder(tmp_path, 0, files)):
        assert_equal(again, whole[m])


def test_members_go_on_in_other_company_than_they_had(
    make_project: MakeProject, blobs: pd.DataFrame, tmp_path: Path
) -> None:
    training = {"epochs": 6, "batch_size": 16, "early_stopping": None}
    project, dataset = make_project(
        blobs, model={"kind": "mlp", "layers": 2, "width": 4, "dropout": 0.3}, training=training
    )
    members = [Member(resolve(vary(project, {"model.width": width}), dataset), 0) for width in (4, 9, 7)]
    whole = dict(fit_stack(members, dataset, keeper=Folder(tmp_path, 2)))
    files = [tmp_path / f"{m}.safetensors" for m in (0, 2)]  # the widest has left
    for m, again in fit_stack([members[0], members[2]], dataset, keeper=Folder(tmp_path, 0, files)):
        expected = whole[(0, 2)[m]]
        for name, values in again.history.metrics.items():
            assert values == pytest.approx(expected.history.metrics[name], rel=1e-4, abs=1e-6)
        for name, array in again.weights.items():
            assert np.allclose(array, expected.weights[name], rtol=1e-4, atol=1e-5), name


def test_what_was_heard_before_the_cut_is_heard_again(
    make_project: MakeProject, blobs: pd.DataFrame, tmp_path: Path
) -> None:
    project, dataset = make_project(blobs, training={"epochs": 4, "batch_size": 16, "early_stopping": None})
    members = [Member(resolve(project, dataset), 0)]
    list(fit_stack(members, dataset, keeper=Folder(tmp_path, 2)))
    heard: dict[int, float] = {}

    def hear(epoch: int, _epochs: int, values: Any) -> dict[int, Any]:
        heard[epoch] = values[0]["dev/error"]
        return {}

    ((_, fitted),) = fit_stack(
        members, dataset, on_epoch=hear, keeper=Folder(tmp_path, 0, [tmp_path / "0.safetensors"])
    )
    assert tuple(heard.values()) == fitted.history.metrics["dev/error"]
    assert list(heard) == [1, 2, 3, 4]


def test_a_module_of_ones_own_goes_on_with_its_random_numbers(tmp_path: Path) -> None:
    project, dataset = _own_project(tmp_path)
    whole = fit(project, dataset, keeper=Folder(tmp_path, 2))
    again = fit(project, dataset, keeper=Folder(tmp_path, 0, [tmp_path / "0.safetensors"]))
    assert_equal(again, whole)


def test_what_draws_from_numpy_goes_on_with_half_a_pair_of_gaussian_numbers(
    tmp_path: Path,
) -> None:
    project, dataset = _own_project(tmp_path, noise=True)
    for epoch in (1, 2, 3, 4):  # after some of them the second number of a pair is still to come
        whole = fit(project, dataset, keeper=Folder(tmp_path, epoch))
        assert_equal(fit(project, dataset, keeper=Folder(tmp_path, 0, [tmp_path / "0.safetensors"])), whole)


@pytest.mark.parametrize("content", [b"", b"not a snapshot", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_what_is_no_snapshot_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0.safetensors").write_bytes(content)
    assert epochs_of(tmp_path / "0.safetensors") == 0
    assert epochs_of(tmp_path / "missing.safetensors") == 0


def _own_project(folder: Path, *, noise: bool = False) -> tuple[Project, Dataset]:
    from mlproj.data import load_dataset
    from mlproj.spec.load import load_project

    drawn = "nn.Linear(8, n_outputs), Noise()" if noise else "nn.Linear(8, n_outputs)"
    (folder / "nets.py").write_text(
        "import numpy as np\nfrom torch import nn\n\n\n"
        "class Noise(nn.Module):\n"
        "    def forward(self, x):\n"
        "        if self.training and np.random.rand() < 0.5:\n"
        "            x = x + 0.1 * np.random.normal()\n"
        "        return x\n\n\n"
        "def make(n_inputs: int, n_outputs: int) -> nn.Module:\n"
        "    layers = nn.Linear(n_inputs, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3)\n"
        f"    return nn.Sequential(*layers, {drawn})\n"
    )
    (folder / "project.yaml").write_text(
        "name: own\ndata: {source: 'sklearn:iris'}\nmodel: {kind: python, factory: 'nets:make'}\n"
        "training: {epochs: 5, batch_size: 16, early_stopping: null}\n"
    )
    project = load_project(folder)
    return project, load_dataset(project, store=None)
