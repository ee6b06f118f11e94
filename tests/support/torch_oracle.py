"""A model trained by plain torch, as a user of torch would write it: the witness of what a member of a stack has to be.

Nothing of mlproj is used in here: layers are `torch.nn`, updates `torch.optim`, courses of the learning rate
`torch.optim.lr_scheduler`. Only the initial weights, the batches and the masks of dropout are handed in.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import lr_scheduler

OPTIMIZERS: dict[str, Callable[[Any, Any], torch.optim.Optimizer]] = {
    "sgd": lambda groups, t: torch.optim.SGD(groups, lr=t.learning_rate),
    "momentum": lambda groups, t: torch.optim.SGD(groups, lr=t.learning_rate, momentum=t.momentum),
    "nesterov": lambda groups, t: torch.optim.SGD(groups, lr=t.learning_rate, momentum=t.momentum, nesterov=True),
    "rmsprop": lambda groups, t: torch.optim.RMSprop(groups, lr=t.learning_rate, alpha=t.beta2, eps=t.eps),
    "adam": lambda groups, t: torch.optim.Adam(groups, lr=t.learning_rate, betas=(t.beta1, t.beta2), eps=t.eps),
    "adamw": lambda groups, t: torch.optim.AdamW(groups, lr=t.learning_rate, betas=(t.beta1, t.beta2), eps=t.eps),
}
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


@dataclass(frozen=True)
class Course:
    """How long a training is: `n_steps` updates, `per_epoch` of them in each epoch."""

    n_steps: int
    per_epoch: int


def _each_epoch(make: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Course], list[float]]:
    return lambda optimizer, s, course: _rates(optimizer, make(optimizer, s), course, course.per_epoch)


def _each_step(make: Callable[[Any, Any, Course], Any]) -> Callable[[Any, Any, Course], list[float]]:
    return lambda optimizer, s, course: _rates(optimizer, make(optimizer, s, course), course, 1)


def _rates(optimizer: Any, scheduler: Any, course: Course, every: int) -> list[float]:
    rates = []
    for at in range(course.n_steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if (at + 1) % every == 0 and at + 1 < course.n_steps:
            scheduler.step()
    return rates


def _inverse_sqrt(optimizer: Any, s: Any, course: Course) -> list[float]:
    made = lr_scheduler.LambdaLR(optimizer, lambda t: s.k / math.sqrt(t + 1))
    return _rates(optimizer, made, course, 1 if s.per == "step" else course.per_epoch)


def _cosine(optimizer: Any, s: Any, course: Course) -> list[float]:
    """A climb written out, then torch's cosine over what is left."""
    n_warmup, top = round(s.warmup * course.n_steps), optimizer.param_groups[0]["lr"]
    left = course.n_steps - n_warmup
    made = lr_scheduler.CosineAnnealingLR(optimizer, T_max=left, eta_min=s.final * top)
    climb = [top * (at + 1) / n_warmup for at in range(n_warmup)]
    return climb + _rates(optimizer, made, Course(left, course.per_epoch), 1)


SCHEDULES: dict[str, Callable[[Any, Any, Course], list[float]]] = {
    "constant": _each_epoch(lambda o, _: lr_scheduler.ConstantLR(o, factor=1.0)),
    "inverse_time": _each_epoch(lambda o, s: lr_scheduler.LambdaLR(o, lambda epoch: 1 / (1 + s.decay * epoch))),
    "exponential": _each_epoch(lambda o, s: lr_scheduler.ExponentialLR(o, gamma=s.rate)),
    "inverse_sqrt": _inverse_sqrt,
    "staircase": _each_epoch(lambda o, s: lr_scheduler.StepLR(o, step_size=s.every, gamma=s.factor)),
    "cosine": _cosine,
    "one_cycle": _each_step(
        lambda o, s, course: lr_scheduler.OneCycleLR(
            o, max_lr=o.param_groups[0]["lr"], total_steps=course.n_steps, pct_start=s.warmup, cycle_momentum=False
        )
    ),
}


def rates_of(training: Any, course: Course) -> list[float]:
    """The learning rate of every update, from torch's own scheduler on an optimiser that moves nothing."""
    idle = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    idle.grad = torch.zeros_like(idle)
    optimizer = torch.optim.SGD([idle], lr=training.learning_rate)
    return SCHEDULES[training.schedule.kind](optimizer, training.schedule, course)


class Network(nn.Module):
    """A perceptron: linear layers, batch norm before the activation, and masks of dropout after it.

    Args:
        weights: Initial weights of a member by mlproj's names, each matrix with inputs first.
        sizes: Units per hidden layer; none for a linear model.
        activation: Name of the activation.
        batch_norm: Whether there is batch norm.
        n_features: Inputs.
        n_outputs: Outputs.
    """

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        sizes: Sequence[int],
        activation: str,
        *,
        batch_norm: bool,
        n_features: int,
        n_outputs: int,
    ) -> None:
        super().__init__()
        widths = [n_features, *sizes]
        pairs = list(pairwise(widths))
        self.hidden = nn.ModuleList(nn.Linear(one, other, bias=not batch_norm) for one, other in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm1d(size) if batch_norm else nn.Identity() for size in sizes)
        self.activation = ACTIVATIONS[activation]()
        self.output = nn.Linear(widths[-1], n_outputs)
        self.to(weights["output.weight"].dtype)
        self.load(weights)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Takes over the weights of a member; what is beyond the sizes of the layers is padding."""
        with torch.no_grad():
            for own, theirs in self._pairs(weights):
                own.copy_(theirs)

    def distance(self, weights: Mapping[str, Tensor]) -> float:
        """Largest difference from the weights of a member, in units of the largest weight."""
        with torch.no_grad():
            pairs = list(self._pairs(weights))
            scale = max(float(theirs.abs().max()) for _, theirs in pairs)
            return max(float((own - theirs).abs().max()) for own, theirs in pairs) / scale

    def _pairs(self, weights: Mapping[str, Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        names = [*(f"dense_{at}" for at in range(1, len(self.hidden) + 1)), "output"]
        for name, layer in zip(names, (*self.hidden, self.output), strict=True):
            n_out, n_in = layer.weight.shape
            yield layer.weight, weights[f"{name}.weight"][:n_in, :n_out].T
            if layer.bias is not None:
                yield layer.bias, weights[f"{name}.bias"][:n_out]
        for at, norm in enumerate(self.norms, start=1):
            if isinstance(norm, nn.BatchNorm1d) and norm.running_mean is not None and norm.running_var is not None:
                n = norm.num_features
                yield norm.weight, weights[f"norm_{at}.scale"][:n]
                yield norm.bias, weights[f"norm_{at}.shift"][:n]
                yield norm.running_mean, weights[f"norm_{at}.mean"][:n]
                yield norm.running_var, weights[f"norm_{at}.variance"][:n]

    @property
    def matrices(self) -> list[nn.Parameter]:
        """What penalties apply to."""
        return [layer.weight for layer in (*self.hidden, self.output)]

    def forward(self, x: Tensor, masks: Sequence[Tensor] = ()) -> Tensor:
        """Outputs for a batch; `masks` holds the factors of dropout of each hidden layer, or nothing."""
        for at, (linear, norm) in enumerate(zip(self.hidden, self.norms, strict=True)):
            x = self.activation(norm(linear(x)))
            x = x * masks[at] if masks else x
        return self.output(x)


def loss_of(kind: str, outputs: Tensor, y: Tensor, weight: Tensor | None, smoothing: float) -> Tensor:
    """The mean of a loss over the labels that are present, each term times its weight."""
    if kind == "cross_entropy":
        terms = nn.CrossEntropyLoss(label_smoothing=smoothing, reduction="none")(outputs, y)
        return terms.mean() if weight is None else (terms * weight).mean()
    present = ~torch.isnan(y)
    own = None if weight is None else weight[present]
    outputs, y = outputs[present], y[present]
    if kind == "binary_cross_entropy":
        two = torch.stack([1 - y, y], dim=-1) * (1 - smoothing) + smoothing / 2
        return functional.binary_cross_entropy_with_logits(outputs, two[:, 1], weight=own)
    terms = {"mse": nn.MSELoss, "mae": nn.L1Loss, "huber": nn.HuberLoss}[kind](reduction="none")(outputs, y)
    return terms.mean() if own is None else (terms * own).mean()


@dataclass(frozen=True)
class Batch:
    """What one update sees: examples [B, F], labels, weights of the terms, and a mask [B, H] per hidden layer."""

    x: Tensor
    y: Tensor
    weight: Tensor | None
    masks: Sequence[Tensor]


def updates(network: Network, training: Any, loss: str, batches: Sequence[Batch], per_epoch: int) -> Iterator[Tensor]:
    """Trains a model alone, update by update.

    Args:
        network: The model; it is trained.
        training: Anything with the fields of a `training:` section.
        loss: Name of the loss.
        batches: One per update.
        per_epoch: Updates per epoch.

    Yields:
        The loss before each update, when that has been made.
    """
    matrices = network.matrices
    others = [each for each in network.parameters() if all(each is not matrix for matrix in matrices)]
    groups = [{"params": matrices, "weight_decay": training.l2}, {"params": others, "weight_decay": 0.0}]
    optimizer = OPTIMIZERS[training.optimizer](groups, training)
    for batch, rate in zip(batches, rates_of(training, Course(len(batches), per_epoch)), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        value = loss_of(loss, network(batch.x, batch.masks), batch.y, batch.weight, training.label_smoothing)
        penalty = sum((matrix.abs().sum() for matrix in matrices), torch.zeros((), dtype=value.dtype))
        torch.autograd.backward(value + training.l1 * penalty)
        if training.clip_norm is not None:
            nn.utils.clip_grad_norm_(network.parameters(), training.clip_norm)
        optimizer.step()
        yield value.detach()
