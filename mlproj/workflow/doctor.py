"""`mlproj diagnose doctor`: from a run, or a project without one, to a list of checks with a verdict."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlproj.advise.commands import join
from mlproj.errors import InvalidInput, Problem, TrackingError
from mlproj.records import History, Run
from mlproj.workflow.runs import BEST, TRAINED, load, split_sizes
from mlproj.workflow.subject import Subject, Subjects, as_run

if TYPE_CHECKING:
    from mlproj.doctor import Checkup, Course, Patient, Result
    from mlproj.spec.project import Project
    from mlproj.track import AbstractTracker
    from mlproj.workflow.search import Searched
    from mlproj.workflow.train import Trained

_FINAL = "dev/latency_ms"
"""What a training logs once, after its last epoch."""


@dataclass(frozen=True)
class Doctored:
    """What the checks saw.

    Attributes:
        head: First line: the run, or the project as it stands, and its splits.
        checkup: The results.
        run: The run that was looked at; None for the project as it stands.
        chosen: How it was found.
        notes: What else a reader should know.
        next: The next command.
    """

    head: str
    checkup: "Checkup"
    run: Run | None
    chosen: str
    notes: tuple[str, ...]
    next: str

    @property
    def verdict(self) -> str:
        """The worst of all results: fail, error, warn or ok."""
        return self.checkup.verdict

    def text(self) -> str:
        """The table of checks, what is wrong, and what to do, for people."""
        from mlproj.doctor import render_text

        return render_text(self.checkup, self.notes, self.next)

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj diagnose doctor`."""
        from mlproj.doctor import to_document

        run = {"id": self.run.id if self.run else None, "name": self.run.name if self.run else None}
        return to_document(self.checkup, self.notes, self.next, run=run | {"chosen": self.chosen})


def diagnose_doctor(
    run: "Trained | Searched | Run | str | Path | None" = None,
    *,
    project: "Project | str | Path | None" = None,
    fresh: bool = False,
    ignore: Sequence[str] = (),
    only: Sequence[str] = (),
    on_start: Callable[[str, int], None] | None = None,
    on_check: Callable[[int, int, str], None] | None = None,
) -> Doctored:
    """Check that data, model and training are sound: ten classic sanity checks and more, within a minute.

    Args:
        run: Run id, unique prefix, name, `latest`, `best`, a predictions file, a `Run`, or what `train` or `search`
            returned. Without it the newest finished training; the project as it stands where there is none.
        project: Project, project.yaml or folder; by default the one that was trained, or the current folder's.
        fresh: Look at project.yaml as it stands, not at a run.
        ignore: Codes of checks to leave out.
        only: Codes of checks to run alone.
        on_start: Called once with (first line, number of checks).
        on_check: Called before each check with (number from 1, number of checks, code).

    Raises:
        InvalidInput: When spec, data or an option are wrong.
        RunNotFound: When no run answers to `run`.
    """
    from mlproj.doctor import examine, select

    run, project = as_run(run, project)
    if fresh and run is not None:
        raise InvalidInput([Problem("--fresh", "looks at project.yaml, but a RUN is given", "Leave out one of them.")])
    home = load(project if project is not None else ".")
    checks = select(ignore, only)
    with Subjects() as subjects:
        subject = None if fresh else _find(subjects, run, home)
        patient = _admit(home, subject, subjects.tracker)
        head = subject.head if subject else _head(home, patient)
        if on_start:
            on_start(head, len(checks))
        checkup = replace(examine(patient, checks, on_check=on_check), ignored=tuple(ignore))
        notes, found = _notes(home, subject), subject.run if subject else None
        chosen = subject.chosen if subject else "project"
        doctored = Doctored(head, checkup, found, chosen, notes, _next(home, patient, checkup))
        if found is not None and subjects.tracker is not None:
            _record(subjects.tracker, found, doctored)
    return doctored


def _find(subjects: Subjects, run: "Run | str | Path | None", home: "Project") -> Subject | None:
    """The run that is meant; None where none is named and there is none."""
    if run is None:
        from mlproj.track import store_for

        if not store_for(home).exists():
            return None
        if not subjects.open(home).runs(kinds=TRAINED, statuses=("FINISHED",), limit=1):
            return None
    return subjects.find(run, home)


def _head(home: "Project", patient: "Patient") -> str:
    from mlproj.track import store_for
    from mlproj.workflow.runs import store_note

    sizes = split_sizes(patient.dataset.deal.sizes)
    return " · ".join([f"{home.name} ({home.file} as it stands)", *sizes]) + store_note(store_for(home))


def _admit(home: "Project", subject: Subject | None, tracker: "AbstractTracker | None") -> "Patient":
    """Everything that the checks look at."""
    from mlproj.data import examine, load_dataset
    from mlproj.doctor import Patient
    from mlproj.track import store_for
    from mlproj.training import resolve

    spec = subject.project if subject and subject.project and not subject.is_foreign else home
    store = store_for(home)
    dataset = load_dataset(spec.changed(search=None), store=store.splits, save=False)
    findings = examine(spec, store.splits).findings
    patient = Patient(resolve(spec.changed(search=None), dataset), dataset, findings)
    if subject is None:
        return patient
    if subject.is_foreign or subject.run is None or tracker is None:
        return replace(patient, missing="the model was trained elsewhere, and only its answers are here")
    run = subject.run
    weights, threshold = _model_of(tracker, run)
    return replace(
        patient, run=run.name, course=_course(tracker, run), weights=weights, threshold=threshold,
        search=_search_of(tracker, run), changed=_changed(run, dataset.data_hash),
    )  # fmt: skip


def _model_of(tracker: "AbstractTracker", run: Run) -> tuple[Mapping[str, Any] | None, float | None]:
    """Weights and threshold that a run stored; None where there are none, or none that can be read."""
    from safetensors import SafetensorError

    from mlproj.track.model import read_model_data

    try:
        data = read_model_data(tracker.fetch(run.id, "model") / "data")
    except (TrackingError, OSError, ValueError, KeyError, SafetensorError):
        return None, None
    return data.weights, data.threshold


def _course(tracker: "AbstractTracker", run: Run) -> "Course":
    """How the training of a run went; what was logged after the last epoch is no epoch."""
    from mlproj.doctor import Course

    logged = tracker.history(run.id).metrics
    ends = _FINAL in logged
    epochs = {
        name: values[:-1] if ends else values
        for name, values in logged.items()
        if name.endswith("/loss") or name.startswith("dev/")
    }
    return Course(History({name: values for name, values in epochs.items() if values}), run.outcome, run.metrics)


def _search_of(tracker: "AbstractTracker", run: Run) -> Mapping[str, Any] | None:
    """What the search found that a run is the best trial of."""
    parent = run.tags.get("mlflow.parentRunId")
    if run.kind != "trial" or parent is None:
        return None
    search = next((each for each in tracker.runs(kinds=("search",)) if each.id == parent), None)
    if search is None or search.tags.get(BEST) != run.id:
        return None
    try:
        file = tracker.fetch(search.id, "search.json")
    except TrackingError:
        return None
    found: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _changed(run: Run, data_hash: str) -> str:
    """Why a run cannot be held against the data of today; empty when it can."""
    if run.tags.get("mlproj.data_hash", data_hash) == data_hash:
        return ""
    return "the data, their labels or the splits changed since the run was trained"


def _notes(home: "Project", subject: Subject | None) -> tuple[str, ...]:
    """What differs between the run and project.yaml: whoever edited the file may have meant that one."""
    if subject is None or subject.run is None or subject.is_foreign or subject.run.kind == "trial":
        return tuple(subject.notes) if subject else ()
    from mlproj.spec.render import flatten

    said = {
        path: value
        for path, value in flatten(home).items()
        if path.startswith(("model.", "training.", "data.")) and path in subject.run.params and home.says(path)
    }
    differing = [path for path, value in said.items() if value not in ("auto", subject.run.params[path])]
    if not differing:
        return ()
    shown = ", ".join(differing[:3]) + (", …" if len(differing) > 3 else "")
    look = join(home, "diagnose", "doctor", "--fresh")
    return (f"{home.file} says otherwise than this run ({shown}); {look} looks at the file.",)


def _next(home: "Project", patient: "Patient", checkup: "Checkup") -> str:
    """The next command: what mends the first thing that is wrong, else what comes after a healthy check-up."""
    wrong = [*checkup.of("fail"), *checkup.of("error"), *checkup.of("warn")]
    for each in wrong:
        if command := each.command or _remedy(home, patient, each):
            return command
    run = [patient.run] if patient.run else []
    if wrong:
        return join(home, "diagnose", "doctor", *run, "--only", wrong[0].code)
    if run and "dev" not in patient.dataset.parts:
        return join(home, "runs", *run)
    return join(home, "diagnose", "bias-variance", *run) if run else join(home, "train")


def _remedy(home: "Project", patient: "Patient", result: "Result") -> str:
    """A training that mends what a check found, where a key or two do."""
    numbers, training = result.numbers, patient.project.training
    if result.code == "still-improving" and isinstance(training.epochs, int):
        changes, tail = {"training.epochs": f"{2 * training.epochs}"}, "longer"
    elif result.code == "overfit-batch" and "better_rate" in numbers:
        changes, tail = {"training.learning_rate": f"{numbers['better_rate']:.6g}"}, "rate"
    else:
        return ""
    words = [word for path, value in changes.items() for word in ("--set", f"{path}={value}")]
    if not patient.run:
        return join(home, "train", *words)
    return join(home, "train", "--like", patient.run, *words, "--name", f"{patient.run}-{tail}")


def _record(tracker: "AbstractTracker", run: Run, doctored: Doctored) -> None:
    """Stores the results as a run of its own, tied to the run they speak of."""
    with tempfile.TemporaryDirectory(prefix="mlproj-") as folder:
        text = json.dumps(doctored.document(), indent=1, ensure_ascii=False)
        (Path(folder) / "doctor.json").write_text(text, encoding="utf-8")
        (Path(folder) / "doctor.txt").write_text(doctored.text() + "\n", encoding="utf-8")
        wrong = ", ".join(each.code for each in doctored.checkup.of("fail", "error", "warn"))
        tags = {"mlproj.of": run.id, "mlproj.state": doctored.verdict, "mlproj.named": wrong}
        recorded = tracker.start(kind="diagnosis", name=f"doctor of {run.name}", params={}, tags=tags)
        tracker.artifacts(recorded, Path(folder))
        tracker.finish(recorded, status="FINISHED", tags={"mlproj.outcome": "completed"})
