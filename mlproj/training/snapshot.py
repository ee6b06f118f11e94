"""Trainings cut off and gone on with: everything that the coming epochs of a member depend on, as a file.

A file holds one member, without padding to the widths of others, so that it goes on in whatever stack there is then.
It is read without pickle: safetensors, with the figures as JSON in its header.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from mlproj.records.whole import whole_file
from mlproj.training.examine import Examination
from mlproj.training.loop import Best, Course, Loop
from mlproj.training.snapshot_head import CHECKSUM, FORM, seal
from mlproj.zoo.layers import Dropout

_COMMON = "random/"
"""Begins the names of the streams of random numbers that all code shares."""


@dataclass(frozen=True)
class Snapshot:
    """How far one member is.

    Attributes:
        course: Its course.
        tensors: Weights and buffers, those to keep, the optimiser's memory, and states of random numbers, by name.
        places: Where each dropout layer's stream of masks is.
        counts: What the optimiser counts.
    """

    course: Course
    tensors: Mapping[str, Tensor]
    places: Mapping[str, tuple[int, int]]
    counts: Mapping[str, int]


class Keeper(Protocol):
    """Who keeps snapshots of a stack."""

    def found(self) -> Sequence[Snapshot] | None:
        """Snapshots to go on from, one per member, all after the same epoch; None to begin."""
        ...

    def offer(self, loop: Loop) -> None:
        """Called after each epoch that some members go on from."""
        ...


def take(loop: Loop) -> dict[int, Snapshot]:
    """Snapshots of the members that still train, by number.

    Args:
        loop: Their training, between two epochs.
    """
    stacked, places = _stacked(loop), _places(loop)
    counts = {name: value for name, value in loop.learner.optimizer.memory().items() if isinstance(value, int)}
    # A module of the user's own may draw from the streams that all code shares.
    common = _common_streams() if loop.learner.model.leading_axes == 0 else {}
    found = {}
    for at, m in enumerate(loop.active):
        loop.courses[m].updates = loop.updates
        own = {name: value[at] for name, value in stacked.items()}
        tensors = own | {"order": loop.orders[at].get_state()} | common
        found[m] = Snapshot(loop.courses[m], tensors, places, counts)
    return found


def put_back(loop: Loop, snapshots: Sequence[Snapshot]) -> None:
    """Goes on from snapshots.

    Args:
        loop: A training that has not begun, of the same members.
        snapshots: One per member, all after the same epoch; where they are of models with other parts, such as modules
            whose code was changed meanwhile, the training begins anew.
    """
    stacked, first = _stacked(loop), snapshots[0]
    if not all(_is_of(snapshot, stacked, has_padding=loop.learner.model.leading_axes > 0) for snapshot in snapshots):
        return
    for at, snapshot in enumerate(snapshots):
        for name, value in stacked.items():
            _fill(value[at], snapshot.tensors[name])
        loop.orders[at].set_state(snapshot.tensors["order"])
        untrained, loop.courses[at] = loop.courses[at].untrained, snapshot.course
        snapshot.course.untrained = untrained
        if snapshot.course.best.epoch == 0:
            snapshot.course.best = untrained
    for name, count in first.counts.items():
        setattr(loop.learner.optimizer, name, count)
    for name, layer in loop.learner.model.named_modules():
        if isinstance(layer, Dropout) and name in first.places:
            layer.place = first.places[name]
    if loop.learner.model.leading_axes == 0:
        _set_common_streams(first.tensors)
    loop.updates = first.course.updates


def _is_of(snapshot: Snapshot, stacked: Mapping[str, Tensor], *, has_padding: bool) -> bool:
    """Whether a snapshot holds the parts of a model, of the same sizes where none of it can be padding."""
    own = {name: value for name, value in snapshot.tensors.items() if name != "order" and not name.startswith(_COMMON)}
    if own.keys() != stacked.keys():
        return False
    sizes = [(value.shape[1:], own[name].shape) for name, value in stacked.items()]
    return all(len(a) == len(b) and (has_padding or a == b) for a, b in sizes)


def _stacked(loop: Loop) -> dict[str, Tensor]:
    """Everything of a stack that training changes, by name, as tensors [M, …] that can be written to."""
    model, weights = loop.learner.model, loop.learner.weights
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    stacked = {f"model/{name}": value.detach() for name, value in model.state_dict().items()}
    stacked |= {f"kept/{name}": value for name, value in loop.kept.items()}
    for kind, flat in loop.learner.optimizer.memory().items():
        if isinstance(flat, Tensor):
            for parameter, view in zip(weights.parameters, weights.views(flat), strict=True):
                alone = view.unsqueeze(0) if model.leading_axes == 0 else view
                stacked[f"{kind}/{names[id(parameter)]}"] = alone
    return stacked


def write_snapshot(snapshot: Snapshot, path: Path) -> None:
    """Writes a snapshot; the file is whole or not there.

    Args:
        snapshot: What to write.
        path: Where.
    """
    course = asdict(snapshot.course)
    del course["untrained"]  # follows from the seed
    figures = {"course": course, "places": snapshot.places, "counts": snapshot.counts}
    tensors = {name: value.cpu().contiguous().clone() for name, value in snapshot.tensors.items()}
    with whole_file(path) as place:
        head = {"form": FORM, "checksum": CHECKSUM, "epochs": str(snapshot.course.epochs)}
        save_file(tensors, place, head | {"figures": json.dumps(figures)})
        seal(place)


def read_snapshot(path: Path) -> Snapshot:
    """A snapshot that `epochs_of` knows."""
    with safe_open(path, "pt") as file:
        figures: dict[str, Any] = json.loads(file.metadata()["figures"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
    course = figures["course"]
    best = course.pop("best")
    seen = best["examination"]
    seen["key"] = None if seen["key"] is None else tuple(seen["key"])
    kept = Best(best["epoch"], Examination(**seen))
    places = {name: (place[0], place[1]) for name, place in figures["places"].items()}
    return Snapshot(Course(kept, kept, **course), tensors, places, figures["counts"])


def _places(loop: Loop) -> dict[str, tuple[int, int]]:
    modules = loop.learner.model.named_modules()
    return {name: layer.place for name, layer in modules if isinstance(layer, Dropout)}


def _fill(value: Tensor, own: Tensor) -> None:
    """Writes what was taken from a stack of perhaps other widths: beyond the narrower of the two all is padding."""
    corner = tuple(slice(0, min(sizes)) for sizes in zip(value.shape, own.shape, strict=True))
    with torch.no_grad():
        value[corner] = own[corner].to(value)


def _common_streams() -> dict[str, Tensor]:
    _, keys, *places = np.random.get_state()  # noqa: NPY002  # what code of the user's own may draw from
    return {
        f"{_COMMON}torch": torch.get_rng_state(),
        f"{_COMMON}numpy": torch.from_numpy(np.asarray(keys).astype(np.int64)),
        # position, whether a second Gaussian number is at hand, and which: floats hold all three exactly
        f"{_COMMON}numpy_places": torch.tensor([float(place) for place in places], dtype=torch.float64),
    }


def _set_common_streams(tensors: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(tensors[f"{_COMMON}torch"])
    keys = tensors[f"{_COMMON}numpy"].numpy().astype(np.uint32)
    position, has_gauss, gauss = tensors[f"{_COMMON}numpy_places"].tolist()
    np.random.set_state(("MT19937", keys, int(position), int(has_gauss), gauss))  # noqa: NPY002
