"""`mlproj predict`: a stored model answers for the rows of a file of any size, some at a time.

What cannot be right (a column that is not there, or holds something else) is said before anything is written. A single
row that cannot be read stays in its place with empty answers and is reported.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlproj.errors import InputError, InvalidInput
from mlproj.records import Run
from mlproj.spec.project import Project
from mlproj.workflow.answers_out import Sink, check_out
from mlproj.workflow.models import load_model
from mlproj.workflow.rows_in import Rows
from mlproj.workflow.runs import find_trained, finite, load, model_of, open_tracker, speak, store_note
from mlproj.workflow.subject import is_file

if TYPE_CHECKING:
    from mlproj.data.sources import Reading
    from mlproj.pyfunc import ProjectModel
    from mlproj.workflow.search import Searched
    from mlproj.workflow.train import Trained
    from mlproj.workflow.trained_seeds import TrainedSeeds

MOST_REPORTED = 100
"""Unreadable cells that are kept for the report; the others are counted."""


@dataclass(frozen=True)
class Unreadable:
    """A cell that is not what its column was in training.

    Attributes:
        row: Number of its row as the file counts: in a CSV file the header is row 1.
        column: Its column.
        value: What stands there.
        fault: What that is: `no number`.
        file: The file that it stands in, where several are read as one.
    """

    row: int
    column: str
    value: str | None
    fault: str
    file: str = ""

    def __str__(self) -> str:
        """The cell in words.

        Example:
            >>> print(Unreadable(17, "age", "old", "no number"))
            row 17, column 'age': 'old' is no number
        """
        place = f"{self.file} row {self.row:,}" if self.file else f"row {self.row:,}"
        return f"{place}, column {self.column!r}: {self.value!r} is {self.fault}"


@dataclass(frozen=True)
class Predicting:
    """Answers that are about to be made.

    Attributes:
        head: First line: the run, the file and the store.
        notes: What a user should know of the file's columns.
    """

    head: str
    notes: tuple[str, ...]


@dataclass
class Tally:
    """What was counted on the way.

    Attributes:
        rows: Rows of the file.
        unanswered: Rows among them with an unreadable cell.
        cells: Unreadable cells.
        unreadable: The first of these cells, in the order of the file.
        answers: For classes, how often each was answered, by label; empty for a quantity.
    """

    rows: int = 0
    unanswered: int = 0
    cells: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)
    answers: dict[str, Counter[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Predicted:
    """A file of answers.

    Attributes:
        run: Whose model answered.
        file: Where the rows came from.
        out: Where the answers lie.
        tally: What was counted.
        threshold: Probability from which the answer is the positive class; None unless the label is binary.
        ignored: Columns of the file that the model does not use.
        seconds: What it took.
    """

    run: Run
    file: str
    out: Path
    tally: Tally
    threshold: float | None
    ignored: tuple[str, ...]
    seconds: float

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj predict`."""
        tally = self.tally
        return {
            "ok": not tally.unanswered,
            "run": {"id": self.run.id, "name": self.run.name},
            "file": self.file,
            "out": str(self.out),
            "rows": tally.rows,
            "unanswered": tally.unanswered,
            "unreadable_cells": tally.cells,
            "unreadable": [vars(cell) for cell in tally.unreadable],
            "answers": {label: dict(counts.most_common()) for label, counts in tally.answers.items()},
            **finite({"threshold": self.threshold}),
            "ignored": list(self.ignored),
            "seconds": round(self.seconds, 3),
        }


def predict(
    run: "Trained | TrainedSeeds | Searched | Run | str | Path",
    file: str | Path,
    *,
    out: str | Path,
    project: Project | str | Path | None = None,
    on_start: Callable[[Predicting], None] | None = None,
    on_rows: Callable[[int], None] | None = None,
) -> Predicted:
    """Answer for the rows of a file with a stored model, however many there are.

    Args:
        run: Run id, unique prefix, name, `latest`, `best`, a `Run`, or what `train` or `search` returned; a search
            stands for its best trial.
        file: Rows to answer for: any data source, the label may be absent. Relative to the current folder.
        out: Where the answers go, .csv or .parquet; an earlier file of answers is replaced.
        project: The project whose runs are meant; by default the one that was trained, or the current folder's.
        on_start: Called once, before the first answer.
        on_rows: Called with the number of rows that are done, again and again.

    Returns:
        What was counted; rows that could not be read have empty answers and are listed.

    Raises:
        InvalidInput: When the file or its columns are not what the model needs; nothing was written.
        RunNotFound: When no run answers.
    """
    began = time.monotonic()
    if not isinstance(run, Run | str | Path):
        project = run.project if project is None else project
        run = run.run
    source, out = str(file), Path(out)
    if is_file(run):
        hint = "Name a run first, then the file: mlproj predict latest FILE --out FILE"
        raise InputError(f"{run} is a file, and a file of predictions holds no model. {hint}")
    check_out(out, source)
    home = load(project if project is not None else ".")
    store, tracker = open_tracker(home, must_exist=True, writes=False)
    with tracker:
        found = model_of(tracker, tracker.run(run.id) if isinstance(run, Run) else find_trained(tracker, str(run)))
        model = load_model(tracker, found)
    rows = Rows(source, home, model)
    if on_start:
        on_start(Predicting(f"{speak(found)} · {source}{store_note(store)}", rows.notes))
    tally = Tally(answers={label: Counter() for label, names in model.classes.items() if names})
    with Sink(out, model.classes) as sink:
        for part in rows:
            _answer(part, model, rows.id, sink, tally)
            if on_rows:
                on_rows(tally.rows)
        sink.commit()
    return Predicted(found, source, out, tally, model.threshold, rows.ignored, time.monotonic() - began)


def _answer(part: "Reading", model: "ProjectModel", id_column: str | None, sink: Sink, tally: Tally) -> None:
    """Answers for some rows, writes them, and counts."""
    import numpy as np
    import pyarrow as pa

    from mlproj.data.cells import read_texts

    frame = part.frame
    try:
        answers = model.predict(frame)
    except InvalidInput:
        unreadable = model.find_unreadable(frame)
        if not unreadable:
            raise
        bad = np.logical_or.reduce(list(unreadable.values()))
        answers = model.predict(frame.loc[~bad]).reindex(frame.index)
        tally.unanswered += int(bad.sum())
        _report(part, unreadable, model, tally)
    ids = read_texts(frame[id_column]) if id_column else pa.array(part.rows)
    sink.write(ids, answers)
    tally.rows += len(frame)
    for label, counts in tally.answers.items():
        found = answers[f"y_pred:{label}" if label else "y_pred"].value_counts()
        counts.update({str(name): int(n) for name, n in found.items()})


def _report(part: "Reading", unreadable: Mapping[str, Any], model: "ProjectModel", tally: Tally) -> None:
    """Keeps the first unreadable cells, in the order of the file."""
    from mlproj.data.cells import to_text

    faults = {column.name: column.fault for column in model.columns if column.is_numeric}
    tally.cells += sum(int(mask.sum()) for mask in unreadable.values())
    room = MOST_REPORTED - len(tally.unreadable)
    places = sorted((int(at), name) for name, mask in unreadable.items() for at in mask.nonzero()[0][:room])
    for at, name in places[:room]:
        file = "" if part.file is None else part.files[int(part.file[at])]
        value = to_text(part.frame[name].iloc[at])
        tally.unreadable.append(Unreadable(int(part.rows[at]), name, value, faults[name], file))
