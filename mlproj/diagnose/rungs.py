"""Rungs given by hand, on the command line or in project.yaml.

`name=error`, `name=error:n` or `name=value±half_width`; errors are fractions or `8%`. With n a rung is a sample, with a
half-width an estimate, with neither a constant::

    parse_rung("train_dev=9%:2000")
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from mlproj.errors import InvalidInput, Problem
from mlproj.metrics import as_loss
from mlproj.spec.goal import LOSSES, HumanLevel

RELATIVE_LOSS = "relative_loss"
"""Mean over tasks of different kinds: each task's loss over the loss of its best constant answer."""
RUNGS: tuple[str, ...] = ("human", "train", "train_dev", "dev", "test")
"""Names of the rungs, from the top of the ladder to its foot."""
_FORMS = "Write name=error, name=error:n or name=value±half_width; for example dev=0.10, dev=10%:2000, dev=32100±900."
_OTHER_NAMES = {"validation": "dev", "valid": "dev", "val": "dev", "training": "train", "bayes": "human"}
_PLUS_MINUS = re.compile(r"±|\+/-|\+-")
_NUMBER = re.compile(r"([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(%?)")


@dataclass(frozen=True)
class GivenRung:
    """A rung that was measured elsewhere.

    Attributes:
        name: human, train, train_dev, dev or test.
        value: Its error, as a loss.
        n: Examples behind it, or None.
        half_width: Half the width of its 95 % interval, or None.
        on: Distribution on which human level was measured; None for both.
        text: As it was written.
        limits: Its 95 % interval as measured, where it was; with `n` then said and not reckoned with.
        n_effective: Of a measured share, the independent, equally weighted examples that tell as much.
        method: How `limits` were computed.
        source: Where the figure comes from, in a few words.
        floor: The other end, where the figure is only known to lie between two.
        on_target: Human level on the target distribution, where `value` is that on the training distribution.
    """

    name: str
    value: float
    n: int | None = None
    half_width: float | None = None
    on: str | None = None
    text: str = ""
    limits: tuple[float, float] | None = None
    n_effective: float | None = None
    method: str = "as evaluated"
    source: str = ""
    floor: "GivenRung | None" = None
    on_target: "GivenRung | None" = None

    def __str__(self) -> str:
        """The rung in the form that `parse_rung` reads.

        Example:
            >>> str(GivenRung("dev", 0.1, n=2000))
            'dev=0.1:2000'
        """
        tail = f":{self.n}" if self.n is not None else f"±{self.half_width:.12g}" if self.half_width else ""
        return f"{self.name}={self.value:.12g}{tail}"


def parse_rung(text: str) -> GivenRung:
    """Reads one rung.

    Args:
        text: Such as ``train=8%:100000``.

    Raises:
        InvalidInput: When it is no rung.

    Example:
        >>> str(parse_rung("train-dev=9%:2000"))
        'train_dev=0.09:2000'
    """
    return parse_rungs([text])[0]


def parse_rungs(texts: Sequence[str]) -> tuple[GivenRung, ...]:
    """Reads several rungs and reports everything that is wrong with them in one go.

    Raises:
        InvalidInput: With one problem per rung that cannot be read or stands there twice.
    """
    found: dict[str, GivenRung] = {}
    problems = []
    for text in texts:
        rung = _parse(text)
        if isinstance(rung, Problem):
            problems.append(rung)
        elif rung.name in found:
            problems.append(
                _problem(text, f"{rung.name} is given twice, first as {found[rung.name].text!r}", "Keep one.")
            )
        else:
            found[rung.name] = rung
    if problems:
        raise InvalidInput(problems)
    return tuple(sorted(found.values(), key=lambda rung: RUNGS.index(rung.name)))


def as_given(level: HumanLevel) -> GivenRung:
    """The human level of a project as a rung; a score becomes a loss.

    Example:
        >>> as_given(HumanLevel(metric="f1", value=0.95, n=400)).value
        0.05...
    """
    value = as_loss(level.metric, level.value) if level.metric and level.value is not None else level.error
    assert value is not None  # the spec demands one or the other
    return GivenRung("human", value, level.n, level.half_width, level.on, "human_level", source=level.by or "")


def check_scale(rungs: Sequence[GivenRung], metric: str) -> None:
    """Whether the values can be errors of a metric at all.

    Raises:
        InvalidInput: With every rung that cannot.
    """
    problems = []
    for rung in rungs:
        if is_rate(metric) and rung.value > 1:
            is_percent = rung.value <= 100 and not rung.text.rstrip().endswith("%")
            percent = f"write {rung.value:g}% if it is percent; " if is_percent else ""
            hint = f"{percent[:1].upper()}{percent[1:]}errors of numbers need their metric, such as --metric rmse."
            problems.append(_problem(rung.text, f"{rung.value:g} is no error rate, which lies between 0 and 1", hint))
        elif not is_rate(metric) and metric in LOSSES and rung.value < 0:
            problems.append(_problem(rung.text, f"{rung.value:g} is below 0, but {metric} is not", ""))
    if problems:
        raise InvalidInput(problems)


def is_rate(metric: str) -> bool:
    """Whether the losses of a metric are shares, shown in percent points.

    Example:
        >>> is_rate("error"), is_rate("f1"), is_rate("rmse"), is_rate("mcc")
        (True, True, False, False)
    """
    return metric == "error" or (metric not in LOSSES and metric not in ("mcc", "r2", RELATIVE_LOSS))


def _parse(text: str) -> GivenRung | Problem:
    name, equals, figure = text.partition("=")
    known = _name(name)
    if not equals or not figure.strip():
        return _problem(text, "is no rung", _FORMS)
    if known is None:
        given = name.strip().lower()
        near = _OTHER_NAMES.get(given) or next(iter(difflib.get_close_matches(given, RUNGS, n=1)), "")
        hint = f"Did you mean `{near}`? " if near else ""
        return _problem(text, f"{name.strip()!r} is no rung", f"{hint}Rungs are {', '.join(RUNGS)}.")
    parts = _PLUS_MINUS.split(figure.strip())
    value, half_width, n = parts[0].strip(), parts[1].strip() if len(parts) == 2 else None, None
    if len(parts) > 2 or (half_width and ":" in figure):
        return _problem(text, f"{figure.strip()!r} is neither error:n nor value±half_width", _FORMS)
    if half_width is None and ":" in value:
        value, _, n = value.partition(":")
    return _build(text, known, value.strip(), half_width, n)


def _build(text: str, name: str, value: str, half_width: str | None, n: str | None) -> GivenRung | Problem:
    error, width = _number(value), None if half_width is None else _number(half_width)
    if error is None:
        return _problem(text, f"{value!r} is no number", _FORMS)
    if error < 0:
        return _problem(text, f"the error {value} is below 0", "Errors are losses: fractions from 0, or percent.")
    if half_width is not None and (width is None or width < 0):
        return _problem(text, f"the half-width {half_width!r} is no number from 0", _FORMS)
    if n is None:
        return GivenRung(name, error, None, width, None, text)
    count = _number(n.strip())
    if count is None or count != int(count) or count < 1:
        return _problem(text, f"n is {n.strip()!r}; it must be a whole number from 1", _FORMS)
    return GivenRung(name, error, int(count), None, None, text)


def _name(text: str) -> str | None:
    name = text.strip().lower().replace("-", "_")
    return name if name in RUNGS else None


def _number(text: str) -> float | None:
    found = _NUMBER.fullmatch(text)
    if not found:
        return None
    value = float(found.group(1))
    if not isfinite(value):
        return None
    # dividing keeps 8% at the float nearest to 0.08
    return value / 100 if found.group(2) else value


def _problem(text: str, message: str, hint: str) -> Problem:
    where = "--human" if text.startswith("human=") else "--rung"
    return Problem(where, f"{text!r}: {message}", hint)
