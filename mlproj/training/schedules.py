"""Courses of the learning rate, as factors of α₀ = `training.learning_rate`, per update.

>>> from mlproj.spec.training import InverseTime
>>> (0.2 * factors(InverseTime(kind="inverse_time", decay=1), n_epochs=5, steps_per_epoch=1)).round(decimals=3)
tensor([0.2000, 0.1000, 0.0670, 0.0500, 0.0400], dtype=torch.float64)
"""

import math
from functools import singledispatch

import torch
from torch import Tensor

from mlproj.shapes import Steps
from mlproj.spec.base import Spec
from mlproj.spec.training import (
    Constant,
    Cosine,
    Exponential,
    InverseSqrt,
    InverseTime,
    OneCycle,
    Staircase,
)


def factors(schedule: Spec, *, n_epochs: int, steps_per_epoch: int) -> Steps:
    """Learning-rate factors of all updates of a training.

    Args:
        schedule: The `training.schedule` section.
        n_epochs: Epochs of the whole training.
        steps_per_epoch: Updates T per epoch.

    Returns:
        One factor per update, in float64.
    """
    step = torch.arange(n_epochs * steps_per_epoch, dtype=torch.float64)
    return factor(schedule, step, torch.floor(step / steps_per_epoch), n_epochs * steps_per_epoch)


@singledispatch
def factor(schedule: Spec, step: Steps, epoch: Steps, n_steps: int) -> Steps:
    """Learning-rate factors at some updates.

    Args:
        schedule: The `training.schedule` section.
        step: Updates, counted from 0.
        epoch: Epoch of each update, counted from 0.
        n_steps: Updates of the whole training.
    """
    raise TypeError(f"no schedule {type(schedule).__name__} for {len(step)} of {n_steps} updates in epochs {epoch}")


@factor.register
def constant(_schedule: Constant, step: Steps, _epoch: Steps, _n_steps: int) -> Steps:
    """1 throughout."""
    return torch.ones_like(step)


@factor.register
def inverse_time(schedule: InverseTime, _step: Steps, epoch: Steps, _n_steps: int) -> Steps:
    """1 / (1 + decay · epoch)."""
    return 1 / (1 + schedule.decay * epoch)


@factor.register
def exponential(schedule: Exponential, _step: Steps, epoch: Steps, _n_steps: int) -> Steps:
    """rate^epoch."""
    return schedule.rate**epoch


@factor.register
def inverse_sqrt(schedule: InverseSqrt, step: Steps, epoch: Steps, _n_steps: int) -> Steps:
    """Factor k / √t, with t the epoch or the update counted from 1."""
    return schedule.k / torch.sqrt(1 + (epoch if schedule.per == "epoch" else step))


@factor.register
def staircase(schedule: Staircase, _step: Steps, epoch: Steps, _n_steps: int) -> Steps:
    """`factor` to the power of the drops so far."""
    return schedule.factor ** torch.floor(epoch / schedule.every)


@factor.register
def cosine(schedule: Cosine, step: Steps, _epoch: Steps, n_steps: int) -> Steps:
    """A linear climb, then half a cosine down to `final` (Loshchilov & Hutter 2017, eq. 5, without restarts)."""
    n_warmup = round(schedule.warmup * n_steps)
    share = (step - n_warmup) / max(1, n_steps - n_warmup)
    fall = schedule.final + (1 - schedule.final) * (1 + torch.cos(math.pi * share)) / 2
    return torch.where(step < n_warmup, (step + 1) / max(1, n_warmup), fall)


@factor.register
def one_cycle(schedule: OneCycle, step: Steps, _epoch: Steps, n_steps: int) -> Steps:
    """From 1/25 up to 1 and down to 1/250,000, in two cosine arcs (Smith & Topin 2018; torch's OneCycleLR)."""
    top, end = schedule.warmup * n_steps - 1, n_steps - 1
    up = _arc(1 / 25, 1.0, (step / max(top, 1e-9)).clamp(0, 1))
    down = _arc(1.0, 1 / 250_000, ((step - top) / max(end - top, 1e-9)).clamp(0, 1))
    return torch.where(step <= top, up, down)


def _arc(start: float, end: float, share: Tensor) -> Tensor:
    """Half a cosine from start to end."""
    return end + (start - end) * (1 + torch.cos(math.pi * share)) / 2
