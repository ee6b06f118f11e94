"""What people's labels add to a ladder: notes, label noise, and the general table with what would fill its gaps."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlproj.errors import InvalidInput, MlprojError
from mlproj.records import Ladder, Rung
from mlproj.workflow.human import FEWEST, Told
from mlproj.workflow.subject import Subject

_RUNGS_ON: Mapping[str, tuple[str, ...]] = {
    "": ("train", "train_dev", "dev", "test"),
    "training": ("train", "train_dev"),
    "target": ("dev", "test"),
}
"""Rungs on each distribution; "" stands for both."""
_LARGE = 200_000
"""Training examples beyond which nobody waits for the data to be read again, for one cell of a table."""


def add_people(ladder: Ladder, told: Told, subject: Subject, *, one_sided: bool = False) -> Ladder:
    """The ladder with what people's labels say beside its rungs: notes, label noise, the general table.

    Args:
        ladder: The ladder.
        told: What was found about people.
        subject: The run or file.
        one_sided: Whether labels of dev were corrected and others were not.
    """
    from mlproj.diagnose.human import label_noise
    from mlproj.diagnose.samples import take
    from mlproj.diagnose.table import general_table

    notes = list(told.notes)
    document = None if told.document is None else {place: dict(each) for place, each in told.document.items()}
    for place, people in told.people.items():
        said, noise = label_noise(people, ladder, _RUNGS_ON[place])
        notes += [said] if said else []
        if noise is not None and one_sided and place in ("", "training"):
            notes.append(_asymmetric(noise["rate"]["value"]))
        if document is not None:
            document[place or "both"]["label_noise"] = noise
    there = None
    if ladder.rung("human") is not None and told.rung is not None and told.rung.on_target is not None:
        there = take(told.rung.on_target, ladder.metric).shown
    table = general_table(ladder, human_on_target=there, trained_on_target=_trained_on_target(ladder, subject))
    if table is not None:
        table["missing"] = [row | {"command": _command(row, ladder, subject)} for row in table["missing"]]
        notes += _harder(table, ladder.metric)
    return replace(ladder, notes=(*notes, *ladder.notes), people=document, table=table)


def _asymmetric(rate: float) -> str:
    """How much noise of labels stands between rungs of which only some were corrected."""
    from mlproj.diagnose.words import choose_numbers

    shown = choose_numbers([rate], is_rate=True).value(rate)
    return f"If mistakes are random, {shown} of the labels that were not corrected are wrong: gaps are off by that."


def _trained_on_target(ladder: Ladder, subject: Subject) -> Rung | None:
    """The error on those training examples that come from the target distribution; None where nobody can tell."""
    from mlproj.diagnose.samples import measure

    project, predictions = subject.project, subject.predictions
    if project is None or predictions is None or not project.data.extra or len(predictions.labels) > 1:
        return None
    train = predictions.part("train")
    of_source = {part.path for part in project.data.sources}
    held = (subject.splits or {}).get("from", {}).get("train")
    if not len(train) or len(train) > _LARGE or (held is not None and not _holds(held, of_source)):
        return None
    try:
        from mlproj.workflow.arrays import open_dataset

        part = open_dataset(project, save=False).parts["train"]
    except (MlprojError, OSError):
        return None  # the ladder needs no data; this cell does
    target = set(part.ids[part.source < len(project.data.sources)].tolist())
    rows = np.array([name in target for name in train.ids.tolist()], dtype=np.bool_)
    if rows.sum() < FEWEST or rows.all():
        return None
    try:
        return replace(measure("train", train.select(rows), ladder.metric).rung, distribution="target")
    except InvalidInput:
        return None  # the metric is undefined on them


def _holds(parts: Mapping[str, int], sources: set[str]) -> bool:
    """Whether any part is a source, or some rows of one."""
    return any(name in sources or name.partition(" where ")[0] in sources for name in parts)


def _command(row: Mapping[str, str], ladder: Ladder, subject: Subject) -> str | None:
    """What fills a cell of the table, as a command where there is one."""
    from mlproj.advise import commands

    project = subject.project
    if project is None or row["row"] == "human":
        return None
    if row["row"] == "held_out" and row["column"] == "training":
        train = ladder.rung("train")
        n = min(500, max((train.n or 2000) // 4, 1)) if train is not None else 500
        return commands.redraw(project, train_dev=n)
    dev = ladder.rung("dev")
    if row["row"] == "trained_on" and dev is not None and dev.n is not None and dev.n > 1:
        return commands.redraw(project, dev=max(dev.n // 2, 2))
    return None


def _harder(table: Mapping[str, Any], metric: str) -> list[str]:
    """How much harder the target is for people, which no data of the training distribution make up for."""
    from mlproj.diagnose.rungs import is_rate
    from mlproj.diagnose.words import choose_numbers
    from mlproj.metrics.intervals import mover

    row = table["rows"][0]
    if row["training"] is None or row["target"] is None or row["training"] == row["target"]:
        return []
    cells = [tuple(row[place][key] for key in ("error", "low", "high")) for place in ("target", "training")]
    if any(None in cell for cell in cells):
        return []
    apart, (low, high) = cells[0][0] - cells[1][0], mover(cells[0], cells[1])
    if low <= 0:
        return []
    numbers = choose_numbers([row["target"]["error"]], is_rate=is_rate(metric))
    limits = f"[{numbers.bare(low)}, {numbers.bare(high)}]"
    return [
        f"People, too, err more on the target: by {numbers.difference(apart)} {limits}. "
        "No training data make up for that part of a data mismatch."
    ]
