"""The gradient check: are the derivatives of a module what its values say?

For each weight θ_i the centred difference (J(θ + εe_i) − J(θ − εe_i)) / 2ε is held against the derivative that autograd
gives, in float64 and with dropout off. J is the mean loss of one batch.

    >>> import torch
    >>> from torch import nn
    >>> torch.manual_seed(0)
    <torch._C.Generator object at ...>
    >>> found = gradient_check(nn.Linear(3, 2), nn.functional.mse_loss, torch.randn(5, 3), torch.randn(5, 2))
    >>> found.verdict, [each.name for each in found.parameters]
    ('good', ['weight', 'bias'])
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mlproj.diagnose.render import align, finite
from mlproj.errors import InvalidInput, Problem

Grade = Literal["good", "look again", "bug"]
GOOD, SUSPECT = 1e-7, 3e-5
"""Ratios up to which a gradient is good, and up to which it is about 1e-5 and worth another look; above it is wrong."""
_ROUNDING = 20.0
"""A difference so many times the rounding error of J says nothing against the gradient."""
_ATTEMPTS = 5
"""Steps that are tried, each a tenth of the one before, where the first says that a gradient is not good."""
_SAME, _OTHER = 1e-4, 1e-3
"""One-sided slopes closer than the first are one slope; farther apart than the second they enclose a kink."""
_GRADES: tuple[Grade, ...] = ("good", "look again", "bug")
Values = NDArray[np.float64]


@dataclass(frozen=True)
class ParameterCheck:
    """The gradient of one parameter.

    Attributes:
        name: As `named_parameters` calls it.
        shape: Its shape.
        checked: Coordinates that were looked at.
        kinks: How many of them lie at a kink (ReLU, max, abs), where there is no derivative to compare; left out of
            the ratio.
        ratio: ‖approx − grad‖₂ / (‖approx‖₂ + ‖grad‖₂) over the others; 0 where both are 0.
        grade: good, look again or bug.
        worst: Position of the coordinate with the largest difference.
        approx: Its slope by differences.
        grad: Its slope by autograd.
    """

    name: str
    shape: tuple[int, ...]
    checked: int
    kinks: int
    ratio: float
    grade: Grade
    worst: tuple[int, ...]
    approx: float
    grad: float


@dataclass(frozen=True)
class GradientCheck:
    """What a gradient check found.

    Attributes:
        parameters: One row per trainable parameter.
        ratio: The same ratio over all of them together.
        loss: The loss J at which it was checked.
        epsilon: Half the width of the differences.
        notes: What a reader should know, for example that something computes in float32.
    """

    parameters: tuple[ParameterCheck, ...]
    ratio: float
    loss: float
    epsilon: float
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Grade:
        """The worst grade of all parameters."""
        return max((each.grade for each in self.parameters), key=_GRADES.index)

    @property
    def checked(self) -> int:
        """Coordinates that were looked at."""
        return sum(each.checked for each in self.parameters)

    def text(self) -> str:
        """A table with one line per parameter, and the verdict."""
        rows = [
            (
                each.name,
                "×".join(map(str, each.shape)) or "1",
                f"{each.checked:,}",
                f"{each.kinks:,}",
                f"{each.ratio:.1e}",
                each.grade if each.grade == "good" else f"{each.grade}: {_worst(each)}",
            )
            for each in self.parameters
        ]
        body = align([("parameter", "shape", "checked", "kinks", "ratio", ""), *rows], "llrrrl")
        said = f"ratio over all {self.ratio:.1e}: {self.verdict} (loss {self.loss:.4g}, ε = {self.epsilon:g}, float64)"
        return "\n".join([body, "", said, *(f"note: {note}" for note in self.notes)])

    def document(self) -> dict[str, Any]:
        """The same as JSON knows it."""
        return {
            "verdict": self.verdict, "ratio": finite(self.ratio), "n": self.checked, "loss": finite(self.loss),
            "epsilon": self.epsilon, "method": "centred difference, float64, dropout off", "notes": list(self.notes),
            "parameters": [
                {
                    "name": each.name, "shape": list(each.shape), "n": each.checked, "kinks": each.kinks,
                    "ratio": finite(each.ratio), "grade": each.grade, "worst": list(each.worst),
                    "approx": finite(each.approx), "grad": finite(each.grad),
                }
                for each in self.parameters
            ],
        }  # fmt: skip

    def __str__(self) -> str:
        return self.text()


def gradient_check(
    module: nn.Module,
    loss: Callable[..., Tensor],
    inputs: Tensor | Sequence[Any],
    targets: Tensor | None = None,
    *,
    epsilon: float = 1e-5,
    coordinates: int = 200,
    seed: int = 0,
) -> GradientCheck:
    """Hold the gradient of a module against differences of its loss, parameter by parameter.

    A copy is checked, in float64 and evaluation mode: the module itself stays as it is. Of a parameter with more than
    `coordinates` numbers half of so many are drawn at random, and half are those with the largest gradients. The ratio
    is ‖approx − grad‖₂ / (‖approx‖₂ + ‖grad‖₂); up to 1e-7 the gradient is good, about 1e-5 deserves another look, more
    is a bug; before that is said, smaller steps are tried, as a steep loss may bend within ε. At a kink, such as that
    of a ReLU, there is no derivative: such coordinates are counted and left out.

    Args:
        module: What to check; its parameters that want no gradient are left alone.
        loss: Called with (outputs, targets), or with (outputs) alone without targets; the mean of what it returns is J.
        inputs: What the module takes: a tensor, or several arguments as a list or tuple.
        targets: What the outputs are held against.
        epsilon: Half the width of the differences; in float64 1e-5 balances rounding against curvature.
        coordinates: Most coordinates to look at in one parameter.
        seed: Seed of the sample.

    Raises:
        InvalidInput: When the loss depends on chance, is not a finite number, or does not depend on any parameter.

    Example:
        >>> class Scaled(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.a = nn.Parameter(torch.tensor(2.0))
        ...     def forward(self, x):
        ...         return self.a.detach() * x + self.a  # half of the derivative is cut off
        >>> print(gradient_check(Scaled(), torch.mean, torch.ones(4)).parameters[0].grade)
        bug
    """
    twin, args, wanted = _in_float64(module, inputs, targets)
    notes: list[str] = []

    def compute() -> Tensor:
        outputs = twin(*args)
        if isinstance(outputs, Tensor) and outputs.is_floating_point() and outputs.dtype != torch.float64:
            notes.append(f"The module gives {outputs.dtype} for float64: rounding there hides small errors.")
        value = loss(outputs) if wanted is None else loss(outputs, wanted)
        return value.double().mean()

    learned = {name: each for name, each in twin.named_parameters() if each.requires_grad}
    if not learned:
        raise _refuse("the module has no parameter that wants a gradient", "Leave `requires_grad` true for some.")
    value = compute()
    _check_loss(value, compute)
    slopes: Sequence[Tensor | None] = torch.autograd.grad(value, list(learned.values()), allow_unused=True)
    numbers = np.random.default_rng(seed)
    rows, parts = [], []
    for (name, parameter), slope in zip(learned.items(), slopes, strict=True):
        grad = np.zeros(parameter.numel()) if slope is None else slope.detach().double().cpu().numpy().reshape(-1)
        picked = _pick(grad, coordinates, numbers)
        row, kept = min(
            _attempts(name, parameter, picked, grad[picked], compute, float(value.detach()), epsilon),
            key=lambda attempt: (_GRADES.index(attempt[0].grade), attempt[0].ratio),
        )
        rows.append(row)
        parts.append(kept)
        if slope is None:
            notes.append(f"{name} takes no part in the loss as autograd sees it.")
    together = [np.concatenate([part[k] for part in parts]) for k in (0, 1)]
    if kinks := sum(row.kinks for row in rows):
        notes.append(f"{kinks:,} coordinates lie at a kink and are left out.")
    return GradientCheck(tuple(rows), _ratio(*together), float(value.detach()), epsilon, tuple(dict.fromkeys(notes)))


def _in_float64(
    module: nn.Module, inputs: Tensor | Sequence[Any], targets: Tensor | None
) -> tuple[nn.Module, list[Any], Tensor | None]:
    """A copy of the module in float64 and evaluation mode, with what it is called with."""

    def double(each: Any) -> Any:
        return each.detach().double() if isinstance(each, Tensor) and each.is_floating_point() else each

    try:
        twin = copy.deepcopy(module)
    except RuntimeError as error:  # a module that keeps a tensor with a history
        reason = str(error).split(".")[0]
        raise _refuse(f"the module cannot be copied ({reason})", "Keep no computed tensors in it.") from None
    twin = twin.double().eval()
    for parameter in twin.parameters():
        parameter.data = parameter.data.contiguous()
    args = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    return twin, [double(each) for each in args], double(targets)


def _check_loss(value: Tensor, compute: Callable[[], Tensor]) -> None:
    if not torch.isfinite(value):
        raise _refuse(f"the loss is {float(value.detach())}", "Check at ordinary inputs and weights.")
    if not value.requires_grad:
        raise _refuse("the loss does not depend on any parameter", "Look for detach(), item() or NumPy in forward.")
    with torch.no_grad():
        again = compute()
    if not torch.equal(value.detach(), again):
        message = "two evaluations give two losses: something draws random numbers even in evaluation mode"
        raise _refuse(message, "Switch it off, or seed it in forward, for the check.")


def _refuse(message: str, hint: str) -> InvalidInput:
    return InvalidInput([Problem("gradient_check", message, hint)])


def _pick(grad: Values, most: int, numbers: np.random.Generator) -> NDArray[np.int64]:
    """Coordinates to look at: all, or half by chance and half where the gradient is largest."""
    if len(grad) <= most:
        return np.arange(len(grad))
    largest = np.argsort(-np.abs(grad), kind="stable")[: most - most // 2]
    others = np.setdiff1d(np.arange(len(grad)), largest)
    return np.sort(np.concatenate([largest, numbers.choice(others, most // 2, replace=False)]))


def _slopes(
    parameter: nn.Parameter, picked: NDArray[np.int64], compute: Callable[[], Tensor], value: float, epsilon: float
) -> Values:
    """Slopes to the left and to the right (2, n) of each coordinate."""
    flat = parameter.data.view(-1)
    sides = np.empty((2, len(picked)))
    with torch.no_grad():
        for at, place in enumerate(picked.tolist()):
            before = float(flat[place])
            for side, sign in enumerate((-1.0, 1.0)):
                flat[place] = before + sign * epsilon
                sides[side, at] = sign * (float(compute()) - value) / epsilon
            flat[place] = before
    return sides


def _attempts(
    name: str,
    parameter: nn.Parameter,
    picked: NDArray[np.int64],
    grad: Values,
    compute: Callable[[], Tensor],
    value: float,
    epsilon: float,
) -> Iterator[tuple[ParameterCheck, tuple[Values, Values]]]:
    """One parameter's row, again with smaller steps where it is not good: a steep loss bends within ε."""
    before = np.inf
    for attempt in range(_ATTEMPTS):
        step = epsilon / 10**attempt
        sides = _slopes(parameter, picked, compute, value, step)
        found = _judge(name, parameter, picked, grad, sides, value, step, forgives=attempt == 0)
        yield found
        ratio = found[0].ratio
        if found[0].grade == "good" or (attempt > 1 and ratio > before / 3):  # a wrong slope stays wrong
            return
        before = ratio


def _judge(
    name: str,
    parameter: nn.Parameter,
    picked: NDArray[np.int64],
    grad: Values,
    sides: Values,
    value: float,
    epsilon: float,
    *,
    forgives: bool,
) -> tuple[ParameterCheck, tuple[Values, Values]]:
    """One parameter's row, and the slopes that count, by differences and by autograd.

    Differences within rounding are forgiven at the first step only: rounding grows as steps get smaller, until it would
    hide any error.
    """
    approx = sides.mean(axis=0)
    rounding = _ROUNDING * np.finfo(np.float64).eps * max(abs(value), 1.0) / epsilon
    size = np.maximum(np.abs(sides).max(axis=0), np.abs(grad))
    apart = np.abs(sides[1] - sides[0]) > _OTHER * size + rounding
    # Where a kink lies within ε on one side, the other side has the slope that autograd gives.
    fits = np.abs(sides - grad).min(axis=0) <= _SAME * size + rounding
    is_kink = apart & fits
    kept = (approx[~is_kink], grad[~is_kink])
    difference = float(np.linalg.norm(kept[0] - kept[1]))
    ratio = _ratio(*kept)
    is_noise = forgives and difference <= rounding * np.sqrt(max(len(kept[0]), 1))
    grade: Grade = "good" if ratio <= GOOD or is_noise else "look again" if ratio <= SUSPECT else "bug"
    worst = int(np.argmax(np.where(is_kink, -1.0, np.abs(approx - grad))))
    place = tuple(int(k) for k in np.unravel_index(int(picked[worst]), parameter.shape)) if parameter.ndim else ()
    row = ParameterCheck(
        name, tuple(parameter.shape), len(picked), int(is_kink.sum()), ratio, grade, place,
        float(approx[worst]), float(grad[worst]),
    )  # fmt: skip
    return row, kept


def _ratio(approx: Values, grad: Values) -> float:
    """‖approx − grad‖₂ / (‖approx‖₂ + ‖grad‖₂).

    Example:
        >>> _ratio(np.array([1.0, 0.0]), np.array([0.0, 0.0])), _ratio(np.zeros(2), np.zeros(2))
        (1.0, 0.0)
    """
    total = float(np.linalg.norm(approx) + np.linalg.norm(grad))
    return float(np.linalg.norm(approx - grad)) / total if total > 0 else 0.0


def _worst(each: ParameterCheck) -> str:
    where = f"[{', '.join(map(str, each.worst))}]" if each.worst else ""
    return f"at {where or each.name} differences say {each.approx:.6g}, autograd {each.grad:.6g}"
