"""`mlproj diagnose learning-curve`: would more data help? Trains on nested parts of the training split and judges."""

import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlproj.errors import InputError, MlprojError
from mlproj.records import CurveFit, LearningCurve, Run
from mlproj.spec.project import Project
from mlproj.workflow.curve_making import CurveProgress, Making
from mlproj.workflow.curve_plan import Aim, Plan, Training, aim_of, check_curve_options, plan_curve
from mlproj.workflow.curve_store import CURVE, Shelf, recipe_hash
from mlproj.workflow.kept import goes_on_words, shelf_of
from mlproj.workflow.subject import Subject, Subjects, as_run, is_file

if TYPE_CHECKING:
    from mlproj.data import Dataset
    from mlproj.fleet.alone import OneByOne
    from mlproj.track import AbstractTracker
    from mlproj.workflow.search import Searched
    from mlproj.workflow.train import Trained

FILE = "learning-curve"


@dataclass(frozen=True)
class CurveBegun:
    """A learning curve that is about to be trained.

    Attributes:
        head: First line: the run, the splits and the store.
        plan: Second line: sizes, repeats, how many trainings are there already.
        notes: Which of them were cut off, and go on.
        warnings: What the data made mlproj wonder about.
        total: Trainings to make.
    """

    head: str
    plan: str
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    total: int


@dataclass(frozen=True)
class CurveDiagnosis:
    """The learning curve of a run, and the next command.

    Attributes:
        subject: The run.
        curve: The curve with its conclusion.
        fits: The trainings behind it.
        next: The command to run next.
        is_interrupted: Whether Ctrl-C ended the training, so that this is a partial answer.
        run: The diagnosis in the store.
        one_by_one: Which trainings ran alone, and why; None where none was made.
    """

    subject: Subject
    curve: LearningCurve
    fits: tuple[CurveFit, ...]
    next: str
    is_interrupted: bool
    run: str
    one_by_one: "OneByOne | None" = None

    @property
    def head(self) -> str:
        """First line: what this speaks of."""
        return self.subject.head

    def text(self) -> str:
        """The curve for people."""
        from mlproj.diagnose.curve.render import render_curve

        return render_curve(self.curve, self.next)

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj diagnose learning-curve`."""
        from mlproj.diagnose.curve.document import curve_document

        run = self.subject.run
        assert run is not None
        named = {"id": run.id, "name": run.name, "chosen": self.subject.chosen}
        return curve_document(self.curve, self.fits, self.next, run=named) | {
            "diagnosis": self.run,
            "interrupted": self.is_interrupted,
            "one_by_one": self.one_by_one.document() if self.one_by_one else [],
        }


def diagnose_learning_curve(
    run: "Trained | Searched | Run | str | None" = None,
    *,
    project: "Project | str | Path | None" = None,
    sizes: str | Sequence[float] | None = None,
    repeats: int = 3,
    target: str | float | None = None,
    metric: str | None = None,
    workers: int | None = None,
    picture: Path | None = None,
    on_start: Callable[[CurveBegun], None] | None = None,
    on_fit: Callable[[CurveProgress], None] | None = None,
) -> CurveDiagnosis:
    """Train on parts of the data and say whether more data would help.

    What was trained for an earlier answer is not trained again, so that more repeats or sizes cost only themselves, and
    what Ctrl-C or a crash cut off goes on where it was.

    Args:
        run: Run id, unique prefix, name, `latest`, `best`, a `Run`, or what `train` or `search` returned; the newest
            finished training when left out.
        project: Project, project.yaml or folder; by default the one that was trained, or the current folder's.
        sizes: Training sizes as numbers or shares, such as ``100,200,400`` or ``0.25,0.5``; the whole training split is
            always among them. Seven in steps of √2 when left out.
        repeats: Trainings per size, each with another subset and another seed.
        target: Error that is wanted, such as ``0.05`` or ``5%``; human level when left out, where it is given.
        metric: Metric of the curve; by default the one that the human level is given in, else the optimised one.
        workers: Trainings at the same time; one per core when left out.
        picture: Where to draw the curve (.png).
        on_start: Called once, before the first training.
        on_fit: Called after each training.

    Raises:
        InputError: When the options, the run or its data are wrong; nothing was started.
        MlprojError: When no training succeeds.
    """
    check_curve_options(repeats, workers, picture)
    from mlproj.data import load_dataset
    from mlproj.track import store_for

    meant, home = as_run(run, project)
    with ExitStack() as stack:
        subjects = stack.enter_context(Subjects())
        subject = _trained_here(subjects, meant, home)
        tracker, spec, trained = subjects.tracker, subject.project, subject.run
        assert tracker is not None
        assert spec is not None
        assert trained is not None
        aim = aim_of(subject, target, metric)
        store = store_for(spec)
        dataset = load_dataset(spec, store=store.splits, save=False)
        plan = plan_curve(spec, dataset, sizes, repeats)
        shelf = stack.enter_context(Shelf(tracker, recipe_hash(spec, dataset.data_hash)))
        known = shelf.find(plan.keys, aim.metrics)
        known |= _own(plan.trainings[0], subject, dataset, aim)
        made = Making(plan, known, aim, shelf_of(store, dataset), on_fit)
        if on_start:
            on_start(_begun(subject, plan, made, dataset))
        made.run_id = _begin(tracker, trained, spec, dataset)
        for fit in made.fits:
            shelf.keep(made.run_id, fit)
        is_interrupted = made.train(tracker, shelf, dataset, workers)
        diagnosis = _judge(subject, aim, plan, made, dataset, is_interrupted=is_interrupted)
        if picture is not None:
            _draw(diagnosis.curve, picture)
        _finish(tracker, diagnosis)
    return diagnosis


def _trained_here(
    subjects: Subjects, run: "Run | str | Path | None", project: "Project | str | Path | None"
) -> Subject:
    """The run that is asked for, which has to be one that can be trained again.

    Raises:
        InputError: When it was trained elsewhere, or without a dev set.
    """
    elsewhere = (
        " was trained elsewhere: a learning curve trains anew on parts of the data, and mlproj does not know how.\n"
        "Name a training: mlproj runs"
    )
    if is_file(run):
        raise InputError(f"{run}{elsewhere}")
    subject = subjects.find(run, project)
    if subject.is_foreign or subject.run is None:
        raise InputError(f"{subject.spoken}{elsewhere}")
    assert subject.predictions is not None
    if "dev" not in subject.predictions.splits:
        raise InputError(
            f"{subject.run.name} was trained without a dev set: there is nothing to measure a curve on.\n"
            "Give `splits.dev` in project.yaml, deal anew with `mlproj split --redraw`, and train."
        )
    return subject


def _own(first: Training, subject: Subject, dataset: "Dataset", aim: Aim) -> dict[str, CurveFit]:
    """The run itself: it is the first repeat on the whole training split, where the data are still the same."""
    run, predictions = subject.run, subject.predictions
    assert run is not None
    assert predictions is not None
    if run.tags.get("mlproj.data_hash") != dataset.data_hash or run.outcome not in ("completed", "early_stopped"):
        return {}
    from mlproj.diagnose.curve.measured import measure_answers

    values, moves = measure_answers(predictions, aim.metrics, aim.scales)
    return {first.key: CurveFit(first.size, first.n, 0, first.seed, first.key, values, moves, run.outcome)}


def _begin(tracker: "AbstractTracker", run: Run, spec: Project, dataset: "Dataset") -> str:
    from mlproj.workflow.record import data_tags

    tags = data_tags(dataset) | {"mlproj.of": run.id, CURVE: recipe_hash(spec, dataset.data_hash)}
    return tracker.start(kind="diagnosis", name=f"learning-curve of {run.name}", params={}, tags=tags)


def _begun(subject: Subject, plan: Plan, made: "Making", dataset: "Dataset") -> CurveBegun:
    sizes = ", ".join(f"{n:,}" for n in plan.sizes)
    there = f" · {len(made.fits)} of {len(plan.trainings)} trainings are there" if made.fits else ""
    words = f"sizes {sizes} · {plan.repeats} repeats · {len(made.todo)} training{'s' * (len(made.todo) != 1)} to make"
    notes = (goes_on_words(made.goes_on.values()),) if made.goes_on else ()
    return CurveBegun(subject.head, words + there, notes, dataset.warnings, len(made.todo))


def _judge(
    subject: Subject, aim: Aim, plan: Plan, made: Making, dataset: "Dataset", *, is_interrupted: bool
) -> CurveDiagnosis:
    from mlproj.advise.curve import next_for_curve
    from mlproj.diagnose.curve.judge import judge_curve

    if not made.fits or all(fit.n < len(dataset.parts["train"]) for fit in made.fits):
        reason = f" The first reason: {made.failures[0]}" if made.failures else ""
        if is_interrupted:
            raise KeyboardInterrupt
        raise MlprojError(f"No training on all examples succeeded, so there is no curve.{reason}")
    missing = len(plan.trainings) - len(made.fits) - len(made.failures)
    failed = (len(made.failures), made.failures[0] if made.failures else "")
    notes = [*aim.notes, *plan.notes, *_data_notes(subject, dataset)]
    held_out = {str(name): len(part) for name, part in dataset.parts.items() if name != "train"}
    curve = judge_curve(made.fits, aim.asked, held_out, notes=notes, failed=failed, missing=missing)
    following = next_for_curve(curve, subject.project, subject.selector, repeats=plan.repeats, options=plan.options)
    return CurveDiagnosis(subject, curve, tuple(made.fits), following, is_interrupted, made.run_id, made.one_by_one)


def _data_notes(subject: Subject, dataset: "Dataset") -> list[str]:
    run = subject.run
    if run is None or run.tags.get("mlproj.data_hash") == dataset.data_hash:
        return []
    return [
        f"The data, their splits or corrections changed since {run.name} was trained: the curve speaks of the data "
        "of today."
    ]


def _draw(curve: LearningCurve, path: Path) -> None:
    from mlproj.diagnose.curve.picture import draw_curve

    draw_curve(curve, path)


def _finish(tracker: "AbstractTracker", diagnosis: CurveDiagnosis) -> None:
    """Writes document, text and picture, and ends the diagnosis."""
    with tempfile.TemporaryDirectory(prefix="mlproj-") as folder:
        home, curve = Path(folder), diagnosis.curve
        _draw(curve, home / f"{FILE}.png")
        text = json.dumps(diagnosis.document(), indent=1, ensure_ascii=False, allow_nan=False)
        (home / f"{FILE}.json").write_text(text, encoding="utf-8")
        (home / f"{FILE}.txt").write_text(diagnosis.text() + "\n", encoding="utf-8")
        for anchor in curve.anchors:
            values = {f"{split}/{curve.metric}": band.error for split, band in anchor.bands.items()}
            tracker.log(diagnosis.run, values, step=anchor.n)
        tracker.artifacts(diagnosis.run, home)
        outcome = "interrupted" if diagnosis.is_interrupted else "completed"
        tags = {"mlproj.state": curve.state, "mlproj.outcome": outcome, "mlproj.message": curve.text}
        tracker.finish(diagnosis.run, status="FINISHED", tags=tags)
