"""Running the checks one after the other: what each saw, why one was skipped, and what it all comes to."""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlproj.doctor.patient import Patient
from mlproj.doctor.registry import Check, NotApplicable, Verdict, all_checks
from mlproj.errors import InvalidInput, MlprojError, Problem
from mlproj.spec.guess import closest
from mlproj.training.device import few_threads

BUDGET = 35.0
"""Seconds after which checks that train are left out, so that the whole command ends within a minute: none of them
takes much more than 20 seconds, however slow the model."""
PAGE = "docs/doctor.md"


@dataclass(frozen=True)
class Result:
    """One line of the table.

    Attributes:
        code: Stable name of the check.
        title: What holds when all is well.
        verdict: ok, warn, fail, skipped, or error where the check itself broke.
        text: What was seen, or why it was skipped.
        n: Examples (or epochs, coordinates) that it was seen on; None where nothing was measured.
        method: How it was measured.
        advice: What to do about it.
        numbers: What was measured.
        command: A command that follows from it.
        seconds: Time it took.
    """

    code: str
    title: str
    verdict: Verdict
    text: str
    n: int | None = None
    method: str = ""
    advice: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    seconds: float = 0.0

    @property
    def page(self) -> str:
        """Where the documentation speaks of it."""
        return f"{PAGE}#{self.code}"


@dataclass(frozen=True)
class Checkup:
    """All results, in the order of the list."""

    results: tuple[Result, ...]
    ignored: tuple[str, ...] = ()

    def of(self, *verdicts: Verdict) -> tuple[Result, ...]:
        """The results with one of these verdicts."""
        return tuple(each for each in self.results if each.verdict in verdicts)

    def __getitem__(self, code: str) -> Result:
        """The result of one check."""
        return next(each for each in self.results if each.code == code)

    @property
    def verdict(self) -> Verdict:
        """The worst of all: fail, error, warn or ok."""
        order: tuple[Verdict, ...] = ("fail", "error", "warn")
        return next((each for each in order if self.of(each)), "ok")


def select(ignore: Sequence[str] = (), only: Sequence[str] = ()) -> tuple[Check, ...]:
    """The checks to run.

    Args:
        ignore: Codes to leave out.
        only: Codes to run alone; all when empty.

    Raises:
        InvalidInput: When a code is not known.
    """
    checks = all_checks()
    codes = [each.code for each in checks]
    problems = []
    for option, given in (("--ignore", ignore), ("--only", only)):
        for code in given:
            if code not in codes:
                near = closest(code, codes)
                hint = f"Did you mean `{near}`?" if near else f"The checks are {', '.join(codes)}."
                problems.append(Problem(option, f"there is no check {code!r}", hint))
    if not problems and only and not set(only) - set(ignore):
        problems.append(Problem("--ignore", "leaves out every check of --only", "Name others."))
    if problems:
        raise InvalidInput(problems)
    return tuple(each for each in checks if each.code not in ignore and (not only or each.code in only))


def examine(
    patient: Patient, checks: Sequence[Check], *, on_check: Callable[[int, int, str], None] | None = None
) -> Checkup:
    """Runs checks on a patient; what one of them raises ends that check alone.

    Args:
        patient: What to look at.
        checks: Which ones, from `select`.
        on_check: Called before each with (number from 1, how many, code).
    """
    begin = time.perf_counter()
    results = []
    with few_threads(0 if patient.missing else patient.work):
        for number, each in enumerate(checks, start=1):
            if on_check:
                on_check(number, len(checks), each.code)
            late = each.trains and len(checks) > 1 and time.perf_counter() - begin > BUDGET
            results.append(
                _skip(each, f"no time left within a minute: --only {each.code}") if late else _run(each, patient)
            )
    return Checkup(tuple(results))


def _run(check: Check, patient: Patient) -> Result:
    begin = time.perf_counter()
    reason = _obstacle(check, patient)
    if reason:
        return _skip(check, reason)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the user's code; what matters is in the verdict
            seen = check.look(patient)
    except NotApplicable as because:
        return _skip(check, str(because))
    except MlprojError as error:  # the user's code, which says where
        return Result(check.code, check.title, "error", str(error), seconds=time.perf_counter() - begin)
    except Exception as error:  # noqa: BLE001  # one broken check says nothing about the others
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        text = f"the check itself broke ({said})"
        return Result(check.code, check.title, "error", text, seconds=time.perf_counter() - begin)
    return Result(
        check.code, check.title, seen.verdict, seen.text, seen.n, seen.method, seen.advice, seen.numbers, seen.command,
        time.perf_counter() - begin,
    )  # fmt: skip


def _obstacle(check: Check, patient: Patient) -> str:
    """Why a check cannot be run on this patient; empty when it can."""
    if check.needs == "run" and patient.course is None:
        return "needs a run" if not patient.missing else patient.missing
    if check.needs in ("model", "steps") and patient.missing:
        return patient.missing
    if check.needs == "steps" and patient.is_estimator:
        return "the model has a `fit` of its own: mlproj takes no steps with it"
    return ""


def _skip(check: Check, reason: str) -> Result:
    return Result(check.code, check.title, "skipped", reason)
