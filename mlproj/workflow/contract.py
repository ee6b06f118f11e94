"""`mlproj check-metric`: does a model keep what `metric.satisfy` promises, judged by the bad end of the interval?"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from mlproj.errors import InputError, InvalidInput, Problem
from mlproj.records import Answers, Predictions, Promise, Run
from mlproj.workflow.subject import Subject, Subjects, as_run, limits_of, nearby

if TYPE_CHECKING:
    from mlproj.spec.project import Project
    from mlproj.workflow.search import Searched
    from mlproj.workflow.train import Trained
    from mlproj.workflow.trained_seeds import TrainedSeeds

Status = Literal["met", "violated", "unknown"]
_ORDER: tuple[Status, ...] = ("violated", "unknown", "met")
_LIMIT = re.compile(r"\s*([A-Za-z_0-9]+)\s*([<>]=?.*)", re.DOTALL)


@dataclass(frozen=True)
class Needed:
    """What would prove a limit that is not proved yet.

    Attributes:
        by: Further examples, if the value stays what it is; None where no number proves it.
        of: What they are called.
    """

    by: int | None
    of: str


@dataclass(frozen=True)
class Kept:
    """A model held to its contract.

    Attributes:
        subject: The model.
        contract: One promise per limit.
        needed: What would prove each limit that is unknown, by metric.
        notes: What else a reader should know.
        next: The next command.
    """

    subject: Subject
    contract: tuple[Promise, ...]
    needed: Mapping[str, Needed]
    notes: tuple[str, ...]
    next: str

    @property
    def head(self) -> str:
        """First line: what this speaks of."""
        return self.subject.head

    @property
    def status(self) -> Status:
        """The worst of the promises: one violated limit breaks the contract, one unknown leaves it open."""
        return status_of(self.contract)

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj check-metric`."""
        from mlproj.workflow.train import promise_document

        rows = []
        for promise in self.contract:
            needed = self.needed.get(promise.metric)
            resolve = None if needed is None else {"grow": "dev", "by": needed.by, "of": needed.of}
            rows.append(promise_document(promise) | {"resolve": resolve})
        return {
            "run": named(self.subject), "contract": rows, "status": self.status, "notes": list(self.notes),
            "next": self.next,
        }  # fmt: skip


def check_metric(
    run: "Trained | TrainedSeeds | Searched | Run | str | Path | None" = None,
    *,
    project: "Project | str | Path | None" = None,
    satisfy: Sequence[str] = (),
) -> Kept:
    """Hold a model to its contract on dev, judged by the bad end of each interval.

    Args:
        run: Run id, unique prefix, name, `latest`, `best`, a predictions file, a `Run`, or what `train` or `search`
            returned. Without it the newest finished training.
        project: Project, project.yaml or folder; by default the one that was trained, or the current folder's.
        satisfy: Limits such as ``recall>=0.95`` in place of the project's; a predictions file needs no project then.

    Raises:
        InvalidInput: When there is no limit, or one that cannot be judged.
        RunNotFound: When no run answers to `run`.
    """
    from mlproj.advise.commands import join

    asked = parse_limits(satisfy)
    run, project = as_run(run, project)
    with Subjects() as subjects:
        subject = subjects.find(run, project, metric=next(iter(asked), None))
    home = nearby(project)
    limits = asked or limits_of(subject, home)
    if not limits:
        raise _no_limit(subject, home)
    dev = _dev_of(subject)
    contract = hold(limits, dev, subject.run, where="--satisfy" if asked else "metric.satisfy")
    notes = _notes(subject, limits, asked=bool(asked))
    words = ("diagnose", "bias-variance", *([subject.selector] if subject.selector else []))
    return Kept(subject, contract, _needs(contract, dev), notes, join(subject.project, *words))


def parse_limits(texts: Sequence[str]) -> dict[str, str]:
    """Limits given on the command line, by metric.

    Raises:
        InvalidInput: With every one that cannot be understood.

    Example:
        >>> parse_limits(["recall>=0.95", "latency_ms <= 20"])
        {'recall': '>=0.95', 'latency_ms': '<= 20'}
    """
    from difflib import get_close_matches

    from mlproj.spec.goal import Promised, parse_limit

    known: tuple[str, ...] = get_args(Promised)
    found: dict[str, str] = {}
    problems = []
    for text in texts:
        parts = _LIMIT.fullmatch(text)
        name, limit = (parts[1], parts[2].strip()) if parts else ("", "")
        try:
            parse_limit(limit)
        except ValueError:
            hint = 'Write a metric, an operator and a number, for example "recall>=0.95".'
            problems.append(Problem("--satisfy", f"{text!r} is no limit", hint))
            continue
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"Did you mean `{near[0]}`?" if near else f"Metrics are {', '.join(known)}."
            problems.append(Problem("--satisfy", f"{name!r} in {text!r} is no metric", hint))
        elif name in found:
            problems.append(Problem("--satisfy", f"{name} is limited twice: {found[name]} and {limit}", "Keep one."))
        found[name] = limit
    if problems:
        raise InvalidInput(problems)
    return found


def hold(limits: Mapping[str, str], part: Predictions, run: Run | None, *, where: str) -> tuple[Promise, ...]:
    """Each limit held against the predictions of one split, with its weights and groups.

    Args:
        limits: Limits by metric.
        part: Predictions of one split.
        run: The run, which knows what was measured on the machine; None for a file.
        where: Where the limits were written, for messages.

    Raises:
        InvalidInput: When a metric does not suit the answers.
    """
    from mlproj.metrics import promises
    from mlproj.metrics.evidence import RESOURCES, metric_problem

    problems = []
    for name in (name for name in limits if name not in RESOURCES):
        for answers in part.labels.values():
            found = metric_problem(name, answers.classes, has_p=answers.p is not None)
            if found is not None:
                problems.append(Problem(f"{where}: {name}", found.message, found.hint))
                break
    if problems:
        raise InvalidInput(problems)
    measured = {name: run.metrics[f"dev/{name}"] for name in RESOURCES if run and f"dev/{name}" in run.metrics}
    return promises(limits, part.labels, part.weight, part.group, resources=measured)


def status_of(contract: Sequence[Promise]) -> Status:
    """The worst status among promises; met when there is none.

    Example:
        >>> status_of([])
        'met'
    """
    return min((promise.status for promise in contract), key=_ORDER.index, default="met")


def named(subject: Subject) -> dict[str, Any]:
    """A subject as JSON documents name it."""
    run = subject.run
    return {"id": run.id if run else None, "name": run.name if run else subject.selector, "chosen": subject.chosen}


def _needs(contract: Sequence[Promise], dev: Predictions) -> dict[str, Needed]:
    """What would prove each limit that is unknown and was computed from answers."""
    return {p.metric: _need(p, dev) for p in contract if p.status == "unknown" and p.n is not None}


def _need(promise: Promise, dev: Predictions) -> Needed:
    from mlproj.metrics import estimate
    from mlproj.metrics.planning import examples_to_prove

    single = dev.answers if len(dev.labels) == 1 else None
    effective = None
    if single is not None and promise.n:
        effective = estimate(promise.metric, single, dev.weight, dev.group).n_effective
    total = examples_to_prove(promise.metric, promise.limit, promise, effective)
    by = None if total is None else max(total - (promise.n or 0), 1)
    return Needed(by, kind_of_examples(promise.metric, single))


def kind_of_examples(metric: str, answers: Answers | None) -> str:
    """What the examples are called that a metric is read on.

    Example:
        >>> import numpy as np
        >>> kind_of_examples("recall", Answers(np.array([1]), np.array([1]), ("no", "yes")))
        "examples of 'yes'"
    """
    if answers is None or len(answers.classes) != 2:
        return "examples"
    negative, positive = answers.classes
    return {
        "recall": f"examples of {positive!r}",
        "specificity": f"examples of {negative!r}",
        "precision": f"answers {positive!r}",
    }.get(metric, "examples")


def _dev_of(subject: Subject) -> Predictions:
    assert subject.predictions is not None
    dev = subject.predictions.part("dev")
    if not len(dev):
        held = ", ".join(subject.predictions.splits) or "no rows"
        raise InputError(
            f"{subject.selector} has no dev predictions ({held}), and a contract is held on dev.\n"
            "Give `splits.dev` in project.yaml and train, or a file with dev rows."
        )
    if not any(answers.known.any() for answers in dev.labels.values()):
        message = "its dev rows have no y_true, so there is nothing to compare the answers with"
        raise InvalidInput([Problem("y_true", message, "Add the column y_true.", subject.selector)])
    return dev


def _no_limit(subject: Subject, home: "Project | None") -> InputError:
    hint = 'Name one, such as `satisfy: {recall: ">= 0.95"}`, or ask once: --satisfy "recall>=0.95"'
    message = "names no limit, so there is no contract to check"
    if home is not None:
        return InvalidInput([home.problem("metric.satisfy", message, hint)])
    hint = 'Give one: --satisfy "recall>=0.95"'
    return InvalidInput([Problem("--satisfy", f"{subject.selector} stands alone, and no limit is given", hint)])


def _notes(subject: Subject, limits: Mapping[str, str], *, asked: bool) -> tuple[str, ...]:
    """When a run is held to other limits than those it was trained for."""
    if subject.run is None or subject.project is None:
        return ()
    own = {str(name): limit for name, limit in subject.project.metric.satisfy.items()}
    if own == dict(limits) or asked:
        return ()
    trained = ", ".join(f"{name} {limit}" for name, limit in own.items()) or "no limit"
    return (f"Held to project.yaml as it is now; the run was trained for {trained}.",)
