"""Activations and gradients layer by layer: neither dying nor growing without bound. B examples, H units of a layer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mlproj.doctor.patient import Patient
from mlproj.doctor.registry import NotApplicable, Seen, check
from mlproj.training.batches import Examples
from mlproj.zoo import StackedModel

_ROWS = 512
_MUCH, _VERY_MUCH = 1e3, 1e6
"""Times by which the root mean square may differ between the layers: worth a look, and hopeless."""
_DEAD, _MOSTLY_DEAD = 0.5, 0.9
_RECTIFIERS = ("ReLU", "ReLU6", "LeakyReLU", "Threshold", "Hardtanh")
_SATURATED = {"Tanh": (-0.99, 0.99), "Sigmoid": (0.01, 0.99)}


@dataclass(frozen=True)
class _Layer:
    """What one layer puts out, and the gradient that comes back to it; root mean squares."""

    name: str
    kind: str
    has_weights: bool
    activation: float
    gradient: float | None
    dead: float
    saturated: float

    def document(self) -> dict[str, Any]:
        return {
            "layer": self.name, "kind": self.kind, "activation_rms": self.activation, "gradient_rms": self.gradient,
            "dead_share": self.dead, "saturated_share": self.saturated,
        }  # fmt: skip


@check(11, "signal", "activations and gradients keep their size", needs="steps")
def signal(patient: Patient) -> Seen:
    """Sends a batch through a new model and its gradients back, and through the model of the run where there is one."""
    batch = patient.batch(_ROWS)
    new = _layers(patient, patient.build(), batch)
    trained = _layers(patient, patient.stored, batch) if patient.stored is not None else []
    # a layer that the loss does not reach is a matter of the check `updates`
    deep = [layer for layer in new if layer.has_weights and layer.gradient is not None]
    if not deep:
        raise NotApplicable("no layer with weights shows its outputs")
    forward = _spread([layer.activation for layer in deep[:-1]])
    backward = _spread([layer.gradient or 0.0 for layer in deep])
    dead = max((layer for layer in new + trained), key=lambda layer: layer.dead)
    stuck = max((layer for layer in new + trained), key=lambda layer: layer.saturated)
    numbers: dict[str, Any] = {
        "activation_ratio": forward, "gradient_ratio": backward, "largest_dead_share": dead.dead,
        "largest_saturated_share": stuck.saturated, "new": [layer.document() for layer in new],
        "trained": [layer.document() for layer in trained],
    }  # fmt: skip
    said, verdicts = [], ["ok"]
    for what, ratio, values in (
        ("activations", forward, [layer.activation for layer in deep[:-1]]),
        ("gradients", backward, [layer.gradient or 0.0 for layer in deep]),
    ):
        if not ratio <= _MUCH:
            said.append(_direction(what, values, [layer.name for layer in deep]))
            verdicts.append("warn" if ratio <= _VERY_MUCH else "fail")
    if dead.dead > _DEAD:
        whose = "trained" if dead in trained else "new"
        said.append(f"{100 * dead.dead:.0f} % of the units of {dead.name} are 0 for every example ({whose} model)")
        verdicts.append("fail" if dead.dead > _MOSTLY_DEAD else "warn")
    if stuck.saturated > _DEAD:
        said.append(f"{100 * stuck.saturated:.0f} % of the answers of {stuck.name} are saturated")
        verdicts.append("warn")
    how = f"root mean square per layer over {batch.x.shape[1]} examples, before training and in the stored model"
    if said:
        verdict: Any = "fail" if "fail" in verdicts else "warn"
        return Seen(verdict, "; ".join(said), batch.x.shape[1], how, _advice(said), numbers)
    text = f"{len(deep)} layers: gradients within a factor of {backward:.3g}"
    text += f", activations within {forward:.3g}" if len(deep) > 2 else ""
    text += f", at most {100 * dead.dead:.0f} % dead units" if any(layer.kind in _RECTIFIERS for layer in new) else ""
    return Seen("ok", text, batch.x.shape[1], how, numbers=numbers)


def _advice(said: list[str]) -> str:
    text = " ".join(said)
    if "units of" in text:
        return "Lower the learning rate or start with smaller weights and biases of 0; leaky_relu keeps a slope."
    if "saturated" in text:
        return "Start with smaller weights (init: xavier), or use relu."
    return "Use init: he for relu and xavier for tanh, batch_norm: true, or fewer layers; clip_norm against bursts."


def _spread(sizes: list[float]) -> float:
    """Largest over smallest of some root mean squares; infinite where one is 0 or no number.

    Example:
        >>> _spread([0.5, 2.0]), _spread([0.0, 1.0]), _spread([])
        (4.0, inf, 1.0)
    """
    if not sizes:
        return 1.0
    low, high = min(sizes), max(sizes)
    finite = all(torch.isfinite(torch.tensor(size)) for size in sizes)
    return high / low if finite and low > 0 else float("inf")


def _direction(what: str, values: list[float], names: list[str]) -> str:
    """Which way a size goes; gradients travel from the last layer to the first."""
    first, last = values[0], values[-1]
    start, end = (names[0], names[len(values) - 1]) if what == "activations" else (names[len(values) - 1], names[0])
    begin, stop = (first, last) if what == "activations" else (last, first)
    word = "vanish" if stop < begin else "explode"
    return f"{what} {word}: root mean square {begin:.2g} at {start}, {stop:.2g} at {end}"


def _layers(patient: Patient, model: StackedModel, batch: Examples) -> list[_Layer]:
    """What every layer puts out for a batch, in the order in which it is reached."""
    with _watched(model.train()) as seen, torch.enable_grad():
        outputs = model(batch.x)
        loss = patient.objective(outputs, batch.y, batch.weight).sum()
        tensors = [made for _, _, made in seen if made.requires_grad]
        slopes = torch.autograd.grad(loss, tensors, allow_unused=True) if tensors and loss.requires_grad else ()
    by_id = {id(made): slope for made, slope in zip(tensors, slopes, strict=True)}
    return [_layer(name, module, made.detach(), by_id.get(id(made))) for name, module, made in seen]


@contextmanager
def _watched(model: nn.Module) -> Iterator[list[tuple[str, nn.Module, Tensor]]]:
    """Notes what each part without parts of its own puts out."""
    seen: list[tuple[str, nn.Module, Tensor]] = []

    def watch(name: str) -> Any:
        def hook(module: nn.Module, _args: Any, made: Any) -> None:
            if isinstance(made, Tensor) and made.is_floating_point() and made.ndim >= 2 and made.numel():
                seen.append((name, module, made))

        return hook

    parts = [(name, each) for name, each in model.named_modules() if name and not list(each.children())]
    hooks = [each.register_forward_hook(watch(name.removeprefix("net."))) for name, each in parts]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _layer(name: str, module: nn.Module, made: Tensor, slope: Tensor | None) -> _Layer:
    kind = type(module).__name__
    least = 3 if kind == "Dense" else 2  # our own layers have an axis of models in front
    has_weights = any(each.ndim >= least for each in module.parameters(recurse=False))
    flat = made.reshape(-1, made.shape[-1])
    dead = float((flat == 0).all(0).float().mean()) if kind in _RECTIFIERS and kind != "LeakyReLU" else 0.0
    low, high = _SATURATED.get(kind, (-float("inf"), float("inf")))
    saturated = float(((flat < low) | (flat > high)).float().mean())
    gradient = None if slope is None else float(slope.double().square().mean().sqrt()) * len(flat)
    return _Layer(name, kind, has_weights, float(made.double().square().mean().sqrt()), gradient, dead, saturated)
