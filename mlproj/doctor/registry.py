"""What a check is, and how it gets onto the list: a module in `mlproj.doctor.checks` that decorates a function.

    @check(3, "overfit-batch", "learns a batch by heart", needs="steps")
    def overfit_batch(patient: Patient) -> Seen: ...

Checks of other packages register through the entry points `mlproj.checks`.
"""

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Literal

from mlproj.doctor.patient import Patient

Verdict = Literal["ok", "warn", "fail", "skipped", "error"]
Needs = Literal["data", "model", "steps", "run"]
"""What a check cannot do without: data alone, a model (an estimator too), updates by gradients, a run."""


class NotApplicable(Exception):
    """A check has nothing to say here; its text is the reason."""


@dataclass(frozen=True)
class Seen:
    """What a check saw.

    Attributes:
        verdict: ok, warn (look at it) or fail (figures cannot be believed before it is mended).
        text: What was seen, with the numbers that matter, in a sentence.
        n: Examples (or epochs, coordinates) that it was seen on.
        method: How it was measured, in a few words.
        advice: What to do about it; empty when all is well.
        numbers: Everything that was measured, by name.
        command: A command that follows from it, as it stands; empty where there is none.
    """

    verdict: Literal["ok", "warn", "fail"]
    text: str
    n: int
    method: str
    advice: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        place: Where it stands in the list.
        code: Its stable name, for --ignore, --only, JSON and the documentation.
        title: What holds when all is well.
        needs: What it cannot do without.
        trains: Whether it trains, so that it is left out when time runs short.
        look: The check itself.
    """

    place: int
    code: str
    title: str
    needs: Needs
    trains: bool
    look: Callable[[Patient], Seen] = field(repr=False)


_CHECKS: dict[str, Check] = {}


def check(
    place: int, code: str, title: str, *, needs: Needs, trains: bool = False
) -> Callable[[Callable[[Patient], Seen]], Callable[[Patient], Seen]]:
    """Puts a function on the list of checks.

    Args:
        place: Where it stands in the list.
        code: Its stable name.
        title: What holds when all is well.
        needs: What it cannot do without.
        trains: Whether it trains.
    """

    def register(look: Callable[[Patient], Seen]) -> Callable[[Patient], Seen]:
        _CHECKS[code] = Check(place, code, title, needs, trains, look)
        return look

    return register


def all_checks() -> tuple[Check, ...]:
    """Every check that is installed, in the order of the list.

    Example:
        >>> [each.code for each in all_checks()][:3]
        ['initial-loss', 'uses-inputs', 'overfit-batch']
    """
    package = import_module("mlproj.doctor.checks")
    for module in pkgutil.iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
    for entry in entry_points(group="mlproj.checks"):
        entry.load()
    return tuple(sorted(_CHECKS.values(), key=lambda each: (each.place, each.code)))
