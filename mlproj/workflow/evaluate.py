"""`mlproj evaluate`: opens the sealed test set for one model, with a reason; every look is counted and recorded."""

import fcntl
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from mlproj.errors import InputError, InvalidInput, Problem, TrackingError
from mlproj.records import SPLITS, Predictions, Promise, Run
from mlproj.workflow.contract import hold
from mlproj.workflow.subject import Subject, Subjects, as_run, is_file, limits_of, metric_of, nearby

if TYPE_CHECKING:
    from mlproj.data.sealed import Sealed
    from mlproj.diagnose import GivenRung
    from mlproj.spec.project import Project
    from mlproj.track import AbstractTracker, Store
    from mlproj.workflow.search import Searched
    from mlproj.workflow.train import Trained

KIND = "evaluation"
OF, SPLIT, DEAL, LOOKS, REASON = "mlproj.of", "mlproj.split", "mlproj.deal", "mlproj.looks", "mlproj.reason"
"""Tags of an evaluation: the run it is of, its split, the digest of the deal, which look it was, and why it was taken."""
_FILE = "evaluation.json"
_LONGEST_REASON = 1000


@dataclass(frozen=True)
class Figure:
    """A metric on one split, as people read it: in the metric's own direction.

    Attributes:
        metric: Its name.
        value: Its value; NaN where it is undefined.
        low: Lower 95 % limit; None where nothing bounds it.
        high: Upper limit.
        n: Examples behind it.
        n_effective: For rates, equally weighted and independent examples that would tell as much.
    """

    metric: str
    value: float
    low: float | None
    high: float | None
    n: int
    n_effective: float | None = None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        value = self.value if isfinite(self.value) else None
        return {
            "metric": self.metric, "value": value, "low": self.low, "high": self.high, "n": self.n,
            "n_effective": self.n_effective,
        }  # fmt: skip


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
    run: "Trained | Searched | Run | str | Path | None" = None,
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
    reason = _check_options(split, reason)
    run, project = as_run(run, project)
    with Subjects() as subjects:
        subject, home = _subject(subjects, run, project)
        store, tracker = _store_of(home), subjects.open(home)
        part, sealed = _part(tracker, subject, home, store, split, run)
        figures = _figures(part, _metrics(subject, home), split)
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
    head = f"{_spoken(subject)} · {split.replace('_', '-')} {figures[0].n:,}{note}"
    return Evaluated(
        head, subject, recorded, split, reason, figures, contract, looks, before, optimism, dev, difference,
        tuple(_notes(figures[0], looks, before, optimism)), _next(subject, home),
    )  # fmt: skip


def opened_test(tracker: "AbstractTracker", run: Run) -> "dict[str, GivenRung]":
    """Test rungs of a run, by metric, from its newest evaluation; none while its test set is sealed."""
    from mlproj.diagnose import GivenRung
    from mlproj.metrics import as_loss
    from mlproj.spec.goal import LOSSES

    looks = [
        other
        for other in tracker.runs(kinds=(KIND,), statuses=("FINISHED",))
        if other.tags.get(OF) == run.id and other.tags.get(SPLIT) == "test"
    ]
    if not looks:
        return {}
    try:
        document = json.loads(tracker.fetch(looks[0].id, _FILE).read_text(encoding="utf-8"))
    except (TrackingError, OSError, ValueError):
        return {}
    found = {}
    for row in document["figures"]:
        metric, value, low, high = (row[key] for key in ("metric", "value", "low", "high"))
        if value is None:
            continue
        limits = (float("-inf") if low is None else low, float("inf") if high is None else high)
        if metric not in LOSSES:
            limits = 1 - limits[1], 1 - limits[0]
        text = f"look {looks[0].tags.get(LOOKS, '?')} at this test set"
        found[metric] = GivenRung(
            "test", as_loss(metric, value), row["n"], text=text, limits=limits, n_effective=row.get("n_effective")
        )
    return found


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
    return subjects.find(run, home), home


def _store_of(home: "Project") -> "Store":
    from mlproj.track import store_for

    return store_for(home)


def _part(
    tracker: "AbstractTracker",
    subject: Subject,
    home: "Project",
    store: "Store",
    split: str,
    run: "Run | str | Path | None",
) -> "tuple[Predictions, Sealed | None]":
    """A model's answers to a split; for test with the sealed set that was opened."""
    assert subject.predictions is not None
    if split != "test":
        part = subject.predictions.part(split)
        if not any(answers.known.any() for answers in part.labels.values()):
            held = ", ".join(subject.predictions.splits) or "no row"
            message = f"{subject.selector} holds no labelled {split} predictions ({held})"
            raise InvalidInput([Problem("--split", message, "Name another split.")])
        return part, None
    from mlproj.data.sealed import open_test

    spec = subject.project or home
    sealed = open_test(spec, store=store.splits)
    if subject.run is not None:
        _require_same_deal(subject, sealed)
        return _answer(tracker, subject, sealed), sealed
    return _look_up(Path(str(run)), home, sealed), sealed


def _require_same_deal(subject: Subject, sealed: "Sealed") -> None:
    """A model may only be judged on a test set that was dealt when it was trained.

    Raises:
        InputError: When the data or the splits changed since.
    """
    from mlproj.advise.commands import join

    dealt = (subject.splits or {}).get("digest")
    if dealt == sealed.digest:
        return
    again = join(subject.project, "train", "--like", subject.selector)
    raise InputError(
        f"{_spoken(subject)} was trained on other splits than those that lie there now (deal {str(dealt)[:8]}, now "
        f"{sealed.digest[:8]}): rows were added or the splits were dealt anew, and test rows of today may have been "
        f"trained on.\nTrain it again on the splits of today, then evaluate that: {again}"
    )


def _answer(tracker: "AbstractTracker", subject: Subject, sealed: "Sealed") -> Predictions:
    """The stored model's answers to the test rows, with their truth."""
    import numpy as np

    from mlproj.data.target import Target
    from mlproj.pyfunc import ProjectModel
    from mlproj.track import read_model_data

    run = subject.run
    assert run is not None
    try:
        data = read_model_data(tracker.fetch(run.id, "model") / "data")
    except (TrackingError, OSError):
        hint = "Name a training, or give a predictions file with the test rows: mlproj evaluate FILE"
        raise InputError(f"{_spoken(subject)} holds no model that could answer for the test set. {hint}") from None
    target = _with_new_classes(Target.from_json(data.target), sealed)
    truth = target.decode(np.zeros((len(sealed), target.n_outputs)), target.encode(sealed.labels))
    answers = ProjectModel(data).predict(sealed.frame)
    labels = {}
    for name, of in truth.items():
        suffix = f":{name}" if name else ""
        said = answers[f"y_pred{suffix}"]
        if not of.is_classification:
            labels[name] = replace(of, y_pred=said.to_numpy(dtype=np.float64))
            continue
        place = {known: k for k, known in enumerate(of.classes)}
        y_pred = np.array([place[str(each)] for each in said], dtype=np.int64)
        labels[name] = replace(of, y_pred=y_pred, p=_probabilities(answers, suffix, of.classes))
    return Predictions(sealed.ids, np.full(len(sealed), "test"), labels, sealed.weight, sealed.group)


def _probabilities(answers: Any, suffix: str, classes: Sequence[str]) -> Any:
    """Probabilities (N, K) from the columns of an answer; a class that the model never saw gets 0."""
    import numpy as np

    if suffix:
        return np.column_stack([1 - answers[f"p{suffix}"], answers[f"p{suffix}"]])
    if not any(f"p_{name}" in answers for name in classes):
        return None
    return np.column_stack([answers.get(f"p_{name}", np.zeros(len(answers))) for name in classes])


def _with_new_classes(target: Any, sealed: "Sealed") -> Any:
    """The target with the classes that occur in test only: whatever the model answers there is wrong.

    Raises:
        InputError: When the label had two classes, and metrics of a third would be others.
    """
    from mlproj.data.cells import read_texts
    from mlproj.data.task import read_known

    if target.kind == "regression" or target.several:
        return target
    cells = sealed.labels[target.labels[0]]
    seen = {str(text) for text in read_texts(cells[read_known(cells)]).to_pylist()}
    new = sorted(seen - set(target.classes[0]))
    if new and target.kind == "binary":
        raise InputError(
            f"The test set holds {len(new):,} further class{'es' * (len(new) > 1)} of {target.labels[0]} that no other "
            "split has: two classes were trained.\nDeal anew, so that every split has every class: mlproj split --redraw"
        )
    return replace(target, classes=((*target.classes[0], *new),)) if new else target


def _look_up(path: Path, home: "Project", sealed: "Sealed") -> Predictions:
    """The test rows of a predictions file, with the project's truth.

    Raises:
        InvalidInput: When some test row is not answered, as a figure on a chosen part would say nothing.
    """
    import numpy as np

    from mlproj.data import load_dataset
    from mlproj.records.files import read_predictions
    from mlproj.workflow.lookup import coded_truth

    positive = str(home.data.positive) if home.data.positive is not None else None
    said = read_predictions(path, task=home.task, positive=positive)
    row = {name: at for at, name in enumerate(said.ids.tolist())}
    absent = [name for name in sealed.ids.tolist() if name not in row]
    if len(row) < len(said):
        hint = "Give every example one row with the project's id."
        raise InvalidInput([Problem("id", "some ids stand there more than once", hint, str(path))])
    if absent:
        missing = "all" if len(absent) == len(sealed) else f"{len(absent):,}"
        message = f"answers for {missing} of the {len(sealed):,} test examples are missing, first {absent[0]!r}"
        hint = "Answer every test id that `mlproj split --out FILE` lists: a figure on a part of them says little."
        raise InvalidInput([Problem("id", message, hint, str(path))])
    part = said.select(np.array([row[name] for name in sealed.ids.tolist()]))
    dataset = load_dataset(home, store=_store_of(home).splits, save=False)
    target = _with_new_classes(dataset.target, sealed)
    labels = coded_truth(part, target, target.encode(sealed.labels), path)
    return Predictions(sealed.ids, np.full(len(sealed), "test"), labels, sealed.weight, sealed.group)


def _metrics(subject: Subject, home: "Project") -> list[str]:
    """The optimised metric first, then the plain error, the limited ones and that of the human level."""
    from mlproj.spec.goal import Resource

    assert subject.predictions is not None
    plain = "error" if next(iter(subject.predictions.labels.values())).is_classification else "rmse"
    human = home.human.metric if home.human else None
    limited = [name for name in limits_of(subject, home) if name not in get_args(Resource)]
    return list(dict.fromkeys([metric_of(subject, home), plain, *limited, human or plain]))


def _figures(part: Predictions, metrics: Sequence[str], split: str) -> tuple[Figure, ...]:
    return tuple(_figure(part, metric, split) for metric in metrics)


def _figure(part: Predictions, metric: str, split: str) -> Figure:
    """A metric as the ladder measures it, in its own direction."""
    from mlproj.diagnose.samples import measure
    from mlproj.metrics import as_loss
    from mlproj.metrics import measure as values
    from mlproj.spec.goal import LOSSES

    n = int(_labelled(part).sum())
    if not isfinite(values([metric], part.labels, part.weight)[metric]):
        return Figure(metric, float("nan"), None, None, n)
    sample = measure(split, part, metric)
    low, high = sample.rung.low, sample.rung.high
    if metric not in LOSSES:
        low, high = (None if high is None else 1 - high), (None if low is None else 1 - low)
    kept = [None if limit is None or not isfinite(limit) else limit for limit in (low, high)]
    return Figure(metric, as_loss(metric, sample.value), kept[0], kept[1], n, sample.n_effective)


def _labelled(part: Predictions) -> Any:
    import numpy as np

    return np.logical_or.reduce([answers.known for answers in part.labels.values()])


def _against_dev(
    subject: Subject, figure: Figure, split: str
) -> tuple[Figure | None, tuple[float, float, float] | None]:
    """The same metric on dev, and how far the two are apart; they are different examples."""
    from mlproj.metrics.intervals import mover

    assert subject.predictions is not None
    dev = subject.predictions.part("dev")
    if split == "dev" or not any(answers.known.any() for answers in dev.labels.values()):
        return None, None
    measured = _figure(dev, figure.metric, "dev")
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
        (Path(folder) / _FILE).write_text(text, encoding="utf-8")
        run_id = tracker.start(kind=KIND, name=name, params={}, tags=tags)
        tracker.log(run_id, {f"{split}/{figure.metric}": figure.value for figure in figures}, step=0)
        tracker.artifacts(run_id, Path(folder))
        tracker.finish(run_id, status="FINISHED", tags={"mlproj.outcome": "completed"})
    return tracker.run(run_id)


def _optimism(figure: Figure, looks: int) -> float | None:
    from mlproj.metrics.intervals import Estimate
    from mlproj.metrics.planning import optimism

    if figure.low is None or figure.high is None:
        return None
    share = figure.metric in ("error", "accuracy") and figure.n_effective is not None
    found = Estimate(figure.value, figure.low, figure.high, figure.n_effective or 0.0, "")
    return optimism(looks, found, is_share=share)


def _notes(figure: Figure, looks: int | None, before: int, optimism: float | None) -> Iterator[str]:
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


def _spoken(subject: Subject) -> str:
    from mlproj.workflow.runs import speak

    return speak(subject.run) if subject.run else subject.selector
