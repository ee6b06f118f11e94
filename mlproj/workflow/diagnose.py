"""`mlproj diagnose bias-variance`: from a run, a predictions file or rungs given by hand to a ladder with a verdict."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlproj.errors import InputError, InvalidInput, Problem
from mlproj.records import Ladder, Remedy, Run, Series
from mlproj.workflow.figures import opened_test
from mlproj.workflow.human import Told, find_human
from mlproj.workflow.labels import corrections_of, note_one_sided, note_since
from mlproj.workflow.people import add_people
from mlproj.workflow.series import (
    Question,
    check_markdown,
    check_series,
    day,
    series_of,
    series_part,
    write_markdown,
)
from mlproj.workflow.subject import Subject, Subjects, as_run

if TYPE_CHECKING:
    from mlproj.diagnose import GivenRung
    from mlproj.spec.project import Project
    from mlproj.track import AbstractTracker
    from mlproj.workflow.foreign import Recorded
    from mlproj.workflow.overfit import DevUse
    from mlproj.workflow.procedure import Recipe
    from mlproj.workflow.search import Searched
    from mlproj.workflow.train import Trained
    from mlproj.workflow.trained_seeds import TrainedSeeds

HAND_MADE = Subject("ladder of the rungs given", "", "rungs")


@dataclass(frozen=True)
class Diagnosis:
    """The ladder of a subject, what to do about it, the next command, the series of runs, and what the store adds."""

    subject: Subject
    ladder: Ladder
    remedies: tuple[Remedy, ...]
    next: str
    series: Series | None = None
    recipe: "Recipe | None" = None
    use: "DevUse | None" = None

    @property
    def head(self) -> str:
        """First line: what this speaks of."""
        return self.subject.head

    def text(self, *, brief: bool = False) -> str:
        """The ladder for people; `brief` leaves out notes and remedies."""
        from mlproj.diagnose import render_text

        if self.series is None:
            more = [block.text(self.ladder) for block in (self.recipe, self.use) if block is not None]
            return render_text(self.ladder, self.remedies, self.next, brief=brief, more=more)
        from mlproj.diagnose.series_text import series_text
        from mlproj.workflow.runs import ago

        return f"{series_text(self.series, ago)}\n\n{render_text(self.ladder, (), self.next, brief=True)}"

    def markdown(self) -> str:
        """The ladder, and the series where there is one, as sections of Markdown."""
        from mlproj.diagnose.markdown import ladder_markdown, series_markdown

        text = ladder_markdown(self.ladder, self.remedies, self.next, about=self.head)
        return text if self.series is None else f"{text}\n{series_markdown(self.series, day)}"

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj diagnose bias-variance`."""
        from mlproj.diagnose import to_document

        run = self.subject.run
        named = {"id": run.id if run else None, "name": run.name if run else self.subject.selector or None}
        document = to_document(self.ladder, self.remedies, self.next, run=named | {"chosen": self.subject.chosen})
        document |= {
            "procedure": self.recipe.document(self.ladder) if self.recipe else None,
            "overfitting": self.use.document() if self.use else None,
        }
        return document if self.series is None else document | series_part(self.series)


def diagnose_bias_variance(
    run: "Trained | TrainedSeeds | Searched | Recorded | Run | str | Path | None" = None,
    *,
    project: "Project | str | Path | None" = None,
    predictions: Path | None = None,
    rung: Sequence[str] = (),
    human: str | None = None,
    metric: str | None = None,
    min_gap: float | None = None,
    label: str | None = None,
    picture: str | Path | None = None,
    markdown: str | Path | None = None,
    series: bool = False,
    last: int = 20,
    annotators: str | None = None,
    label_is: str | None = None,
) -> Diagnosis:
    """Show the ladder human, train, train-dev, dev, test, and name the gap to work on.

    Args:
        run: Run id, unique prefix, name, `latest`, `best`, a predictions file, a `Run`, or what `train`, `search`
            or `record` returned. Without it, and without rungs that make a ladder by themselves, the newest finished
            training.
        project: Project, project.yaml or folder; by default the one that was trained, or the current folder's.
        predictions: A predictions file, the long form of giving it as `run`.
        rung: Rungs by hand, such as ``train=8%:100000``; they replace what the run or file says.
        human: Human level, short for ``human=…`` among `rung`.
        metric: Metric of the ladder; by default the one that the human level is given in, else the optimised one.
        min_gap: Smallest gap worth closing.
        label: The one label to speak of, where there are several.
        picture: Where to draw the ladder, or the series (.png).
        markdown: Where to write the ladder, and the series, as Markdown (.md).
        series: Whether to show the runs on the same dev set up to this one as well, and which gap changed since when.
        last: Runs of the series to show at most.
        annotators: Columns that hold people's labels, separated by commas, or a file of id, annotator and label, in
            place of the project's human level.
        label_is: What the label is beside theirs: gold, single or consensus; by default their labels tell.

    Raises:
        InvalidInput: When rungs, file or metric cannot mean what was written.
        RunNotFound: When no run answers to `run`.
    """
    from mlproj.diagnose import parse_rungs

    run, project = as_run(run, project)
    picture, markdown = (None if path is None else Path(path) for path in (picture, markdown))
    rung = [rung] if isinstance(rung, str) else rung
    given = parse_rungs([*rung, *([f"human={human}"] if human is not None else [])])
    _check_options(min_gap, picture, markdown)
    if predictions is not None:
        if run is not None:
            raise InvalidInput([Problem("--predictions", "a RUN is given as well; name one of them")])
        run = predictions
    _check_people(given, annotators, label_is, label)
    by_hand = run is None and any(rung.name != "human" for rung in given)
    with Subjects() as subjects:
        subject = HAND_MADE if by_hand else subjects.find(run, project, metric=metric)
        opened = opened_test(subjects.tracker, subject.run) if subjects.tracker and subject.run else {}
        if opened:
            subject = replace(subject, head=subject.head.replace("(sealed)", "(opened)"))
        if series:
            check_series(subject, given, last)
        asks_people = label is None and all(rung.name != "human" for rung in given)
        about = find_human(subject, metric=metric, annotators=annotators, label_is=label_is) if asks_people else None
        diagnosis = _judge(subject, given, metric, min_gap, label, opened, about)
        if subjects.tracker is not None:
            diagnosis = _with_context(diagnosis, subjects.tracker, given, opened)
        if series and subjects.tracker is not None:
            question = Question(given, min_gap, label, last, about)
            found = series_of(subjects.tracker, subject, diagnosis.ladder, question)
            diagnosis = replace(diagnosis, series=found)
        _write(diagnosis, picture, markdown)
        if subject.run is not None and subjects.tracker is not None:
            _record(subjects.tracker, subject.run, diagnosis)
    return diagnosis


def _judge(
    subject: Subject,
    given: "Sequence[GivenRung]",
    metric: str | None,
    min_gap: float | None,
    label: str | None,
    opened: "Mapping[str, GivenRung]",
    about: Told | None,
) -> Diagnosis:
    """The ladder of a subject, its remedies and the next command."""
    from mlproj.advise import next_command, remedies
    from mlproj.diagnose import ladder_of
    from mlproj.diagnose.rungs import is_rate

    told, splits = subject.project, subject.splits or {}
    with _about(subject, given):
        ladder = ladder_of(
            subject.predictions,
            given=given,
            human=about.level if about else told.human if told else None,
            people=about.rung if about else None,
            metric=metric or (told.metric.optimize if told else None),
            metric_is_asked=metric is not None,
            distributions_differ=bool(splits.get("distributions_differ")),
            sealed_test_n=splits.get("sizes", {}).get("test") or None,
            opened={} if label is not None else opened,
            min_gap=min_gap,
            label=label,
        )
    if min_gap is not None and min_gap >= 1 and is_rate(ladder.metric):
        hint = f"It is a fraction: {min_gap:g} points are {min_gap / 100:g}."
        raise InvalidInput([Problem("--min-gap", f"{min_gap:g} is more than all of the {ladder.metric}", hint)])
    one_sided = note_one_sided(corrections_of(subject.run), splits.get("sizes", {}))
    said = [note for note in (one_sided, note_since(subject.run, told), *subject.notes) if note]
    ladder = add_people(
        replace(ladder, notes=(*ladder.notes, *said)),
        about or Told(),
        subject,
        one_sided=one_sided is not None,
    )
    outcome = subject.run.outcome if subject.run else None
    trained = None if subject.is_foreign else subject.selector or None
    actions = remedies(ladder, project=told, run=trained, outcome=outcome, subject=subject.selector)
    words = next_command(ladder, actions, subject=subject.selector, given=given, project=told, min_gap=min_gap)
    return Diagnosis(subject, ladder, actions, words)


def _with_context(
    diagnosis: Diagnosis,
    tracker: "AbstractTracker",
    given: "Sequence[GivenRung]",
    opened: "Mapping[str, GivenRung]",
) -> Diagnosis:
    """Adds what other seeds of the same spec say, or how to find out, and how often dev and test were asked."""
    from mlproj.workflow.overfit import dev_use
    from mlproj.workflow.procedure import recipe_of

    ladder = diagnosis.ladder
    recipe = recipe_of(tracker, diagnosis.subject, ladder, by_hand=[rung.name for rung in given])
    notes = (*ladder.notes, *(recipe.notes if recipe else ()))
    use = (
        None if {"dev", "test"} & {rung.name for rung in given} else dev_use(tracker, diagnosis.subject, ladder, opened)
    )
    return replace(diagnosis, ladder=replace(ladder, notes=notes), recipe=recipe, use=use)


def _check_people(
    given: "Sequence[GivenRung]", annotators: str | None, label_is: str | None, label: str | None
) -> None:
    """Labels of people stand in place of a figure, not beside it, and speak of the only label."""
    if annotators is not None and label is not None:
        message = "people's labels speak of the only label, and --label names one of several"
        raise InvalidInput([Problem("--annotators", message, "Give the human level as a figure: --human ERROR:N.")])
    if annotators is not None and any(rung.name == "human" for rung in given):
        raise InvalidInput([Problem("--annotators", "a human level is given as well", "Give one of the two.")])
    if label_is is not None and annotators is None:
        raise InvalidInput(
            [Problem("--label-is", "goes with --annotators", "Name their columns, or a file of labels.")]
        )


def _check_options(min_gap: float | None, picture: Path | None, markdown: Path | None) -> None:
    problems = check_markdown(markdown)
    if min_gap is not None and not 0 <= min_gap < float("inf"):
        problems.append(Problem("--min-gap", f"{min_gap} is no gap", "Write a number from 0, such as 0.01."))
    if picture is not None and picture.suffix.lower() != ".png":
        problems.append(Problem("--picture", f"{picture} does not end in .png", "Name a .png file."))
    elif picture is not None and not picture.parent.is_dir():
        message = f"the folder {picture.parent} does not exist"
        problems.append(Problem("--picture", message, "Make it first, or name another."))
    elif picture is not None and picture.is_dir():
        problems.append(Problem("--picture", f"{picture} is a folder", "Name a .png file."))
    if problems:
        raise InvalidInput(problems)


@contextmanager
def _about(subject: Subject, given: "Sequence[GivenRung]") -> Iterator[None]:
    """Lets what a ladder lacks be said of its run or file: only those can be mended."""
    has_dev = subject.predictions is None or "dev" in subject.predictions.splits
    if subject.run is not None and not has_dev and all(rung.name != "dev" for rung in given):
        raise InputError(
            f"{subject.run.name} was trained without a dev set: there is nothing to hold its training error against.\n"
            "Give `splits.dev` in project.yaml, deal anew with `mlproj split --redraw`, and train; "
            "or add --rung dev=ERROR:N."
        )
    try:
        yield
    except InvalidInput as error:
        if subject.chosen != "file":
            raise
        problems = [
            replace(p, file=p.file or ("" if p.where.startswith("--") else subject.selector)) for p in error.problems
        ]
        raise InvalidInput(problems) from None


def _write(diagnosis: Diagnosis, picture: Path | None, markdown: Path | None) -> None:
    """The picture and the Markdown that were asked for."""
    if picture is not None:
        with _writing("--picture", picture):
            if diagnosis.series is None:
                _draw(diagnosis.ladder, picture)
            else:
                from mlproj.diagnose.series_picture import draw_series

                draw_series(diagnosis.series, picture)
    if markdown is not None:
        with _writing("--markdown", markdown):
            write_markdown(markdown, diagnosis.markdown())


@contextmanager
def _writing(option: str, path: Path) -> Iterator[None]:
    """A place that cannot be written to is the user's to change."""
    try:
        yield
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror or error}"
        raise InvalidInput([Problem(option, message, "Name another file.")]) from None


def _draw(ladder: Ladder, path: Path) -> None:
    from mlproj.diagnose.picture import draw_ladder

    draw_ladder(ladder, path)


def _record(tracker: "AbstractTracker", run: Run, diagnosis: Diagnosis) -> None:
    """Stores the ladder as a run of its own, tied to the run it speaks of."""
    with tempfile.TemporaryDirectory(prefix="mlproj-") as folder:
        _draw(diagnosis.ladder, Path(folder) / "ladder.png")
        text = json.dumps(diagnosis.document(), indent=1, ensure_ascii=False)
        (Path(folder) / "ladder.json").write_text(text, encoding="utf-8")
        (Path(folder) / "ladder.txt").write_text(diagnosis.text() + "\n", encoding="utf-8")
        verdict = diagnosis.ladder.verdict
        tags = {"mlproj.of": run.id, "mlproj.state": verdict.state, "mlproj.named": verdict.named or ""}
        recorded = tracker.start(kind="diagnosis", name=f"bias-variance of {run.name}", params={}, tags=tags)
        sizes = {f"gap/{gap.name}": gap.size for gap in diagnosis.ladder.gaps}
        tracker.log(recorded, sizes, step=0)
        tracker.artifacts(recorded, Path(folder))
        tracker.finish(recorded, status="FINISHED", tags={"mlproj.outcome": "completed"})
