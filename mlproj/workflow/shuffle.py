"""A stored model asked again with the cells of other examples. N dev examples, F inputs, R repeats."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mlproj.errors import InputError
from mlproj.records import Answers, Importance, Predictions
from mlproj.workflow.subject import Subject

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from mlproj.data import Dataset
    from mlproj.pyfunc import ProjectModel

MOST_ROWS = 20_000
"""Dev examples that are shuffled; a fixed sample where there are more."""
_CELLS_AT_ONCE = 2**25  # inputs in work at once: 128 MB as float32
_SEED = 11


def dev_rows(subject: Subject, dataset: "Dataset") -> "tuple[Predictions, pd.DataFrame, list[str]]":
    """The run's dev examples that have a label, with their raw cells as they are now."""
    import numpy as np
    import pandas as pd

    assert subject.predictions is not None
    dev = subject.predictions.part("dev")
    dev = dev.select(np.logical_or.reduce([answers.known for answers in dev.labels.values()]))
    frames = [part.frame.set_axis(part.ids.tolist(), axis=0) for part in dataset.parts.values()]
    place = {name: row for row, name in enumerate(name for frame in frames for name in frame.index)}
    there = np.array([name in place for name in dev.ids.tolist()], dtype=np.bool_)
    notes = []
    if not there.all() and there.any():
        notes.append(f"{int((~there).sum()):,} dev examples of {subject.selector} are no longer there to be seen.")
    dev = dev.select(there)
    if len(dev) > MOST_ROWS:
        notes.append(f"A sample of {MOST_ROWS:,} of the {len(dev):,} dev examples is shuffled.")
        dev = dev.select(np.sort(np.random.default_rng(_SEED).choice(len(dev), MOST_ROWS, replace=False)))
    if len(dev) < 2:
        raise InputError(
            f"{subject.spoken} has {len(dev):,} labelled dev examples whose cells are there: nothing can be shuffled "
            "among them.\nTrain again on the data of today: mlproj train"
        )
    rows = [place[name] for name in dev.ids.tolist()]
    frame = pd.concat(frames).iloc[rows].reset_index(drop=True)
    return dev, frame, notes


def answer_as_stored(model: "ProjectModel", frame: "pd.DataFrame", dev: Predictions) -> tuple[Predictions, list[str]]:
    """The model's answers to the cells of today with the truth of the run, and how many differ from those stored."""
    import numpy as np

    base = replace(dev, labels=_with_truth(model.answer(model.encode(frame)), dev))
    differ = np.zeros(len(dev), dtype=np.bool_)
    for name, answers in base.labels.items():
        stored = dev.labels[name]
        if answers.is_classification:
            ours, theirs = (np.array([*side.classes, ""])[side.y_pred] for side in (answers, stored))
            differ |= ours != theirs
        else:
            differ |= ~np.isclose(answers.y_pred, stored.y_pred, rtol=1e-3, atol=1e-3 * float(np.ptp(stored.y_pred)))
    if not differ.any():
        return base, []
    n = int(differ.sum())
    note = (
        f"{n:,} of {len(dev):,} answers differ from those stored with the run: cells have changed since it was trained."
    )
    return base, [note]


def _with_truth(answers: Mapping[str, Answers], dev: Predictions) -> dict[str, Answers]:
    """Answers with the truth of dev, in the model's order of the classes."""
    import numpy as np

    found = {}
    for name, given in answers.items():
        stored = dev.labels[name]
        truth = stored.y_true
        if given.is_classification and given.classes != stored.classes:
            places = [given.classes.index(each) if each in given.classes else -1 for each in stored.classes]
            truth = np.array([*places, -1], dtype=np.int64)[truth]
        found[name] = replace(given, y_true=truth)
    return found


def group_alike(model: "ProjectModel", dataset: "Dataset", correlation: float) -> list[tuple[str, ...]]:
    """Columns that say the same on train, together."""
    import numpy as np
    import pandas as pd

    from mlproj.data.cells import read_texts
    from mlproj.data.columns import read_values
    from mlproj.diagnose.together import Cells, group_columns

    frame = dataset.parts["train"].frame
    frame = frame.iloc[:: max(1, len(frame) // MOST_ROWS)]
    columns: dict[str, Cells | None] = {}
    for column in model.columns:
        cells = frame[column.name]
        if column.is_numeric:
            values = read_values(cells, column)[0]
            columns[column.name] = Cells(np.where(np.isfinite(values), values, np.nan))
        elif column.type == "category":
            texts = pd.Series(read_texts(cells).to_pylist(), dtype=object)
            columns[column.name] = Cells(pd.factorize(texts)[0].astype(np.int64), ordered=False)
        else:  # texts and whatever else is shuffled whole
            columns[column.name] = None
    return group_columns(columns, correlation)


def shuffle(
    model: "ProjectModel",
    x: "NDArray[np.float32]",
    base: Predictions,
    metric: tuple[str, Mapping[str, float]],
    groups: Sequence[tuple[str, ...]],
    repeats: int,
) -> tuple[Importance, ...]:
    """The importance of each group, and of each column of a group of several."""
    from mlproj.diagnose.permute import claim

    found = []
    for group in groups:
        members = [_rise(model, x, base, metric, (name,), repeats) for name in group] if len(group) > 1 else []
        found.append(replace(_rise(model, x, base, metric, group, repeats), members=tuple(members)))
    return claim(found)


def _rise(
    model: "ProjectModel",
    x: "NDArray[np.float32]",
    base: Predictions,
    metric: tuple[str, Mapping[str, float]],
    columns: tuple[str, ...],
    repeats: int,
) -> Importance:
    """How the loss rises when the inputs of some columns come from other examples."""
    import numpy as np

    from mlproj.diagnose.permute import lend, measure_rise

    blocks = _blocks(model)
    places = np.concatenate([blocks[name] for name in columns])
    seed = [_SEED, *(list(blocks).index(name) for name in columns)]
    donors = lend(len(x), repeats, np.random.default_rng(seed))
    shuffled = [_with_truth(answers, base) for answers in _answers(model, x, places, donors)]
    return measure_rise(base, shuffled, donors, metric[0], columns, metric[1])


def _blocks(model: "ProjectModel") -> "dict[str, NDArray[np.int64]]":
    """Positions of the inputs that each raw column became."""
    import numpy as np

    ends = np.cumsum(list(model.sizes.values()))
    return {name: np.arange(end - n, end) for (name, n), end in zip(model.sizes.items(), ends.tolist(), strict=True)}


def _answers(
    model: "ProjectModel", x: "NDArray[np.float32]", places: "NDArray[np.int64]", donors: "NDArray[np.int64]"
) -> Iterator[dict[str, Answers]]:
    """The model's answers in each repeat, several repeats at once."""
    import numpy as np

    n = len(x)
    at_once = max(1, _CELLS_AT_ONCE // max(1, x.size))
    for start in range(0, len(donors), at_once):
        part = donors[start : start + at_once]
        rows = np.tile(x, (len(part), 1))
        rows[:, places] = x[part.ravel()][:, places]
        answers = model.answer(rows)
        for k in range(len(part)):
            here = slice(k * n, (k + 1) * n)
            yield {
                name: replace(a, y_true=a.y_true[here], y_pred=a.y_pred[here], p=None if a.p is None else a.p[here])
                for name, a in answers.items()
            }
