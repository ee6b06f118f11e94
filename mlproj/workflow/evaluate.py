"""`mlproj evaluate`: opens the sealed test set for one model, with a reason; every look is counted and recorded."""

import fcntl
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from mlproj.errors import InvalidInput, Problem
from mlproj.records import SPLITS, Promise, Run
from mlproj.workflow.contract import hold
from mlproj.workflow.figures import DEAL, FILE, KIND, LOOKS, OF, REASON, SPLIT, Figure, measure_figure
from mlproj.workflow.opening import answers_to
from mlproj.workflow.subject import Subject, Subjects, as_run, is_file, limits_of, metric_of, nearby

if TYPE_CHECKING:
    from mlproj.spec.project import Project
    from mlproj.track import AbstractTracker, Store
    from mlproj.workflow.search import Searched
    from mlproj.workflow.train import Trained
    from mlproj.workflow.trained_seeds import TrainedSeeds

_LONGEST_REASON = 1000


@dataclass(frozen=True)
class Evaluated:
    """What a look showed.

    Attributes:
        head: First line.
        subject: Whose model it was.
        run: The run of the evaluation itself.
        split: The split.
        reason: Why.
        figures: Metrics on the split, the optimised one first.
        contract: Each limit held on the split.
        looks: Which look at this test set it was; None for a split that may be seen.
        before: Looks at earlier deals of the same project.
        optimism: By how much the best of so many looks flatters at most on average; None without looks.
        dev: The optimised metric on dev; None where there is no dev.
        difference: Split minus dev in that metric, with limits.
        notes: What else a reader should know.
        next: The next command.
    """

    head: str
    subject: Subject
    run: Run
    split: str
    reason: str
    figures: tuple[Figure, ...]
    contract: tuple[Promise, ...]
    looks: int | None
    before: int
    optimism: float | None
    dev: Figure | None
    difference: tuple[float, float, float] | None
    notes: tuple[str, ...]
    next: str

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj evaluate`."""
        from mlproj.workflow.runs import finite
        from mlproj.workflow.train import promise_document

        of = self.subject.run
        difference = dict(zip(("value", "low", "high"), self.difference, strict=True)) if self.difference else None
        return {
            "run_id": self.run.id, "of": of.id if of else self.subject.selector, "split": self.split,
            "reason": self.reason, "metrics": finite({f.metric: f.value for f in self.figures}),
            "contract": [promise_document(promise) for promise in self.contract], "looks": self.looks,
            "interval": self.figures[0].document(), "dev": self.dev.document() if self.dev else None,
            "difference": None if difference is None else finite(difference), "optimism": self.optimism,
            "figures": [figure.document() for figure in self.figures], "notes": list(self.notes), "next": self.next,
        }  # fmt: skip


def evaluate(
    run: "Trained | TrainedSeeds | Searched | Run | str | Path | None" = None,
    *,
    project: "Project | str | Path | None" = None,
    split: str = "test",
    reason: str | None = None,
) -> Evaluated:
    """Open the sealed test set for one model, count and record the look.

    Args:
        run: Run id, unique prefix, name, `latest`, `best`, a predictions file with test rows, a `Run`, or what `train`
            or `search` returned. Without it the newest finished training.
        project: Project, project.yaml or folder; by default the one that was trained, or the current folder's.
        split: test; or dev, train, train_dev, which need no reason and count as no look.
        reason: Why the test set is opened now; kept with the look.

    Raises:
        InvalidInput: When the reason is missing, or the model cannot answer for the test set; nothing was looked at.
        RunNotFound: When no run answers to `run`.
    """
    from mlproj.track import store_for

    reason = _check_options(split, reason)
    run, project = as_run(run, project)
    with Subjects() as subjects:
        subject, home = _subject(subjects, run, project)
        tracker = subjects.open(home, must_exist=False)
        store = store_for(home)
        part, sealed = answers_to(split, tracker, subject, home, store)
        figures = tuple(measure_figure(part, metric, split) for metric in _metrics(subject, home))
        limits = limits_of(subject, home)
        contract = hold(limits, part, subject.run, where="metric.satisfy")
        dev, difference = _against_dev(subject, figures[0], split)
        digest = sealed.digest if sealed else ""
        with _one_at_a_time(store):
            looks, before = _count_looks(tracker, digest) if sealed else (None, 0)
            document = {"figures": [figure.document() for figure in figures], "split": split, "reason": reason}
            recorded = _record(tracker, subject, document, figures, looks, digest, split, reason)
        note = subjects.note
    optimism = _optimism(figures[0], looks) if looks else None
    head = f"{subject.spoken} · {split.replace('_', '-')} {figures[0].n:,}{note}"
    return Evaluated(
        head, subject, recorded, split, reason, figures, contract, looks, before, optimism, dev, difference,
        tuple(_notes(looks, before)), _next(subject, home),
    )  # fmt: skip


def _check_options(split: str, reason: str | None) -> str:
    """The reason, trimmed, once split and reason are what they may be."""
    from difflib import get_close_matches

    problems = []
    if split not in SPLITS:
        near = get_close_matches(split.replace("-", "_"), SPLITS, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else f"Use {', '.join(SPLITS[:-1])} or {SPLITS[-1]}."
        problems.append(Problem("--split", f"{split!r} is no split", hint))
    text = " ".join((reason or "").split())
    if split == "test" and not text:
        said = "is missing" if reason is None else "is empty"
        message = f"{said}: the test set is sealed, and every look at it is recorded with its reason"
        hint = 'Say why now, for example --reason "final check before release". To choose between models use dev.'
        problems.append(Problem("--reason", message, hint))
    elif len(text) > _LONGEST_REASON:
        message = f"is {len(text):,} characters long"
        problems.append(Problem("--reason", message, f"Say it in at most {_LONGEST_REASON:,}."))
    if problems:
        raise InvalidInput(problems)
    return text


def _subject(
    subjects: Subjects, run: "Run | str | Path | None", project: "Project | str | Path | None"
) -> "tuple[Subject, Project]":
    """The model that is meant, and the project whose test set it is."""
    from mlproj.workflow.runs import load

    if not is_file(run):
        subject = subjects.find(run, project)
        return subject, load(project if project is not None else ".")
    home = nearby(project)
    if home is None:
        hint = "Run it where project.yaml lies, or name the project: mlproj --project PATH evaluate FILE"
        message = "a look at a test set is counted in the store of its project, and there is no project here"
        raise InvalidInput([Problem("", message, hint, str(run))])
    return subjects.find(run, home, only_test=True), home


def _metrics(subject: Subject, home: "Project") -> list[str]:
    """The optimised metric first, then the plain error, the limited ones and that of the human level."""
    from mlproj.spec.goal import Resource

    assert subject.predictions is not None
    plain = "error" if next(iter(subject.predictions.labels.values())).is_classification else "rmse"
    human = home.human.metric if home.human else None
    limited = [name for name in limits_of(subject, home) if name not in get_args(Resource)]
    return list(dict.fromkeys([metric_of(subject, home), plain, *limited, human or plain]))


def _against_dev(
    subject: Subject, figure: Figure, split: str
) -> tuple[Figure | None, tuple[float, float, float] | None]:
    """The same metric on dev, and how far the two are apart; they are different examples."""
    from mlproj.metrics.intervals import mover

    assert subject.predictions is not None
    dev = subject.predictions.part("dev")
    if split == "dev" or not any(answers.known.any() for answers in dev.labels.values()):
        return None, None
    measured = measure_figure(dev, figure.metric, "dev")
    limits = [
        (f.value, -float("inf") if f.low is None else f.low, float("inf") if f.high is None else f.high)
        for f in (figure, measured)
    ]
    if not all(isfinite(value) for value, _, _ in limits):
        return measured, None
    low, high = mover(limits[0], limits[1])
    return measured, (figure.value - measured.value, low, high)


@contextmanager
def _one_at_a_time(store: "Store") -> Iterator[None]:
    """Lets looks at the test set be recorded one after the other, so that two at once are counted as two."""
    store.root.mkdir(parents=True, exist_ok=True)
    with (store.root / "looks.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _count_looks(tracker: "AbstractTracker", digest: str) -> tuple[int, int]:
    """Looks at this test set with the one that is about to be recorded, and those at other deals of the project."""
    looks = [run.tags.get(DEAL, "") for run in tracker.runs(kinds=(KIND,)) if run.tags.get(SPLIT) == "test"]
    return looks.count(digest) + 1, len(looks) - looks.count(digest)


def _record(
    tracker: "AbstractTracker",
    subject: Subject,
    document: Mapping[str, Any],
    figures: Sequence[Figure],
    looks: int | None,
    digest: str,
    split: str,
    reason: str,
) -> Run:
    """Stores the figures as a run of its own; answers to test examples are stored nowhere."""
    of = subject.run.id if subject.run else subject.selector
    tags = {OF: of, SPLIT: split, REASON: reason}
    tags |= {DEAL: digest, LOOKS: str(looks)} if looks else {}
    name = f"{split} of {subject.run.name if subject.run else Path(subject.selector).name}"
    with tempfile.TemporaryDirectory(prefix="mlproj-") as folder:
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
        (Path(folder) / FILE).write_text(text, encoding="utf-8")
        run_id = tracker.start(kind=KIND, name=name, params={}, tags=tags)
        tracker.log(run_id, {f"{split}/{figure.metric}": figure.value for figure in figures}, step=0)
        tracker.artifacts(run_id, Path(folder))
        tracker.finish(run_id, status="FINISHED", tags={"mlproj.outcome": "completed", "mlproj.message": reason})
    return tracker.run(run_id)


def _optimism(figure: Figure, looks: int) -> float | None:
    from mlproj.metrics.intervals import Estimate
    from mlproj.metrics.planning import optimism

    if figure.low is None or figure.high is None:
        return None
    share = figure.metric in ("error", "accuracy") and figure.n_effective is not None
    found = Estimate(figure.value, figure.low, figure.high, figure.n_effective or 0.0, "")
    return optimism(looks, found, is_share=share)


def _notes(looks: int | None, before: int) -> Iterator[str]:
    from mlproj.metrics.planning import MANY_LOOKS

    if looks is None:
        yield "Not the test set: nothing was opened, and no look is counted."
        return
    if before:
        one = before == 1
        yield (
            f"{before:,} earlier look{'' if one else 's'} at other deals of this project {'is' if one else 'are'} not "
            "counted; rows that were test then and are now were seen."
        )
    if looks >= MANY_LOOKS:
        yield (
            f"After {looks:,} looks choosing by them may flatter as much as chance: take fresh test examples "
            "(new data; `mlproj split --redraw` deals them) before you believe another figure."
        )


def _next(subject: Subject, home: "Project") -> str:
    from mlproj.advise.commands import join

    return join(home, "diagnose", "bias-variance", *([subject.selector] if subject.selector else []))
