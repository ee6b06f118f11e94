"""What a user's own loop hands in beside its answers: parameters, further figures and the network's weights."""

import math
import numbers
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlproj.errors import InvalidInput, Problem
from mlproj.metrics.evidence import RESOURCES
from mlproj.records import SEEN_SPLITS
from mlproj.spec.goal import CLASSIFICATION_METRICS, REGRESSION_METRICS
from mlproj.spec.project import Project
from mlproj.spec.render import flatten

PARAMETERS = "model.parameters"
"""Parameter of a run: how many numbers its network has learned."""
_FREE = ("model.", "training.", "seed")
"""Keys of project.yaml that speak of the model, and so may say of another one what it is."""


@dataclass(frozen=True)
class Baggage:
    """What is kept with recorded answers.

    Attributes:
        params: Parameters as text.
        metrics: Figures by ``SPLIT/METRIC``.
        weights: The network's tensors by name; None without one.
    """

    params: Mapping[str, str]
    metrics: Mapping[str, float]
    weights: Mapping[str, Any] | None = None

    @property
    def resources(self) -> dict[str, float]:
        """What it costs to use the model, as far as that is known: latency_ms, size_mb."""
        return {name: self.metrics[f"dev/{name}"] for name in RESOURCES if f"dev/{name}" in self.metrics}

    def save(self, folder: Path) -> None:
        """Writes the weights as checkpoint.safetensors, where there are any."""
        if self.weights is not None:
            from safetensors.torch import save_file

            save_file(dict(self.weights), folder / "checkpoint.safetensors")


def pack(project: Project, params: Mapping[str, Any], metrics: Mapping[str, float], model: Any) -> Baggage:
    """Checks what was handed in beside the answers.

    Args:
        project: The project, whose own keys keep their meaning.
        params: What the model was trained with; may be nested.
        metrics: Further figures, of dev where they name no split.
        model: The network, or its state dict.

    Raises:
        InvalidInput: With everything that cannot be kept.
    """
    problems: list[Problem] = []
    told = dict(_flat(params))
    problems += _check_params(told, project)
    figures = {key if "/" in str(key) else f"dev/{key}": value for key, value in metrics.items()}
    problems += _check_metrics(figures)
    weights = None
    if model is not None:
        weights = _weights_of(model)
        problems += _check_weights(weights, model)
    if problems:
        raise InvalidInput(problems)
    kept = {key: str(value) for key, value in told.items()}
    if weights is not None:
        kept.setdefault(PARAMETERS, str(_count(model, weights)))
        figures.setdefault("dev/size_mb", sum(t.numel() * t.element_size() for t in weights.values()) / 1e6)
    return Baggage(kept, {key: float(value) for key, value in figures.items()}, weights)


def _flat(params: Mapping[Any, Any], above: str = "") -> Iterator[tuple[Any, Any]]:
    """Nested parameters by dotted path."""
    for key, value in params.items():
        path = f"{above}{key}" if isinstance(key, str) else key
        if isinstance(value, Mapping) and value and isinstance(key, str):
            yield from _flat(value, f"{path}.")
        else:
            yield path, value


def _check_params(told: Mapping[Any, Any], project: Project) -> Iterator[Problem]:
    own = flatten(project)
    sections = {key.partition(".")[0] for key in own}
    for key, value in told.items():
        if not isinstance(key, str) or not key.strip() or not key.isprintable():
            yield Problem("params", f"{key!r} cannot be the name of a parameter", "Names are words, such as depth.")
        elif key in own and not key.startswith(_FREE) and str(value) != own[key]:
            hint = f"Name it otherwise, such as own.{key}; or change project.yaml."
            yield Problem(
                "params", f"{key!r} is a key of project.yaml, which says {own[key]!r}, not {str(value)!r}", hint
            )
        elif key not in own and "." in key and not key.startswith(_FREE) and key.partition(".")[0] in sections:
            section = key.partition(".")[0]
            hint = f"Name it otherwise, such as own.{key}."
            yield Problem("params", f"{key!r} reads like a key of project.yaml's section {section}", hint)


def _check_metrics(figures: Mapping[str, Any]) -> Iterator[Problem]:
    computed = CLASSIFICATION_METRICS + REGRESSION_METRICS
    for key, value in figures.items():
        split, _, metric = str(key).partition("/")
        if split == "test":
            hint = "Only `mlproj evaluate` measures on test."
            yield Problem("metrics", f"{key!r} speaks of the sealed test set", hint)
        elif split not in SEEN_SPLITS or not metric.strip():
            hint = "Write METRIC, or SPLIT/METRIC with train, train_dev or dev."
            yield Problem("metrics", f"{key!r} names no split", hint)
        elif metric in computed:
            yield Problem("metrics", f"{key!r} is computed from the predictions", "Leave it out, or name it otherwise.")
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or math.isinf(float(value)):
            yield Problem("metrics", f"{key!r} is {value!r}, which is no number", "Give one finite number.")


def _weights_of(model: Any) -> Mapping[str, Any] | None:
    """The tensors of a network or of its state dict, copied to main memory; None for anything else."""
    torch = sys.modules.get("torch")  # whoever hands in a network has imported it
    if torch is None:
        return None
    if isinstance(model, torch.nn.Module):
        model = model.state_dict()
    if not isinstance(model, Mapping) or not model or not all(isinstance(v, torch.Tensor) for v in model.values()):
        return None
    if any(value.is_meta or isinstance(value, torch.nn.parameter.UninitializedTensorMixin) for value in model.values()):
        return {}
    # copies: tied weights share memory, which the format refuses
    return {str(name): value.detach().cpu().contiguous().clone() for name, value in model.items()}


def _check_weights(weights: Mapping[str, Any] | None, model: Any) -> Iterator[Problem]:
    if weights is None:
        message = f"a {type(model).__name__} cannot be kept without pickle; an nn.Module or its state dict can"
        yield Problem("model", message, "Leave it out: its answers are all that a diagnosis reads.")
    elif not weights:
        yield Problem("model", "its weights hold no values yet", "Run it once on a batch, or hand in the trained one.")


def _count(model: Any, weights: Mapping[str, Any]) -> int:
    """How many numbers were learned; of a state dict, all that are no counters."""
    if hasattr(model, "parameters"):
        return sum(parameter.numel() for parameter in model.parameters())
    return sum(tensor.numel() for tensor in weights.values() if tensor.is_floating_point())
