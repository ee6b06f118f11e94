"""The error sheet as data: what was drawn (`Manifest`), and what reviewers wrote into it (`Sheet`, `Row`).

A sheet is drawn in strata; a row's `weight` says for how many examples of its stratum it stands, so that shares can be
said of all errors although only some were looked at (Horvitz & Thompson 1952).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

LABEL_OK = ("ok", "wrong", "ambiguous")
"""What a reviewer may say of a label; an empty cell says nothing."""
TAG = "tag:"
"""Prefix of a column that holds one tag."""
Design = Literal["errors", "suspects", "labels"]


@dataclass(frozen=True)
class Stratum:
    """Examples that were drawn with the same probability.

    Attributes:
        population: Examples of this kind.
        drawn: How many of them are in the sheet.
    """

    population: int
    drawn: int

    @property
    def weight(self) -> float:
        """For how many examples each row stands."""
        return self.population / self.drawn if self.drawn else 0.0


@dataclass(frozen=True)
class Manifest:
    """How a sheet was drawn: what a summary needs to know besides its rows.

    Attributes:
        sheet: Token that stands in the column `sheet` of every row.
        run: Id of the run whose answers it shows; "" for those of a file, and for a sheet of labels alone.
        source: What the command line called it: the run's name, or the path of the predictions file.
        split: Where its rows come from: dev, or test for an audit of labels.
        design: errors (a sample of the wrong answers), suspects (labels that look wrong), labels (no answers shown).
        half: eyeball when the rows come from the eyeball half of dev, all when from all of it.
        task: classification or regression.
        label: The label it is about; "" for a single one.
        classes: Class names; empty for regression.
        n: Examples in the split whose label is known.
        error: Error of the run on the whole split, weighted where the examples are (the mean loss for regression).
        strata: What was drawn from what, by the name in the column `stratum`.
        tags: Tags that the sheet was written with.
        metric: error, or the loss that regression rows are sorted by.
        reviewers: Who got a sheet of their own.
        created: Seconds since 1970.
        seed: Seed of the draw.
    """

    sheet: str
    run: str
    source: str
    split: Literal["dev", "test"]
    design: Design
    half: Literal["eyeball", "all"]
    task: Literal["classification", "regression"]
    label: str
    classes: tuple[str, ...]
    n: int
    error: float
    strata: Mapping[str, Stratum]
    tags: tuple[str, ...] = ()
    metric: str = "error"
    reviewers: tuple[str, ...] = ()
    created: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Row:
    """One row of a sheet as it came back.

    Attributes:
        id: The example.
        y_true: Its label as it stood in the sheet.
        y_pred: The model's answer; "" in an audit of labels.
        loss: Its loss; NaN where there is none.
        stratum: Name of its stratum.
        weight: For how many examples it stands.
        note: Free text.
        label_ok: ok, wrong, ambiguous, or "" where nothing was said.
        corrected_label: What the label should be; "" where nothing was said.
        tags: True or False by tag; in a row that was not reviewed all are False.
        reviewer: Who looked at it; "" where nobody signed.
        reviewed: Whether anything was filled in.
        file: The sheet it stands in.
        line: Its line there, as a spreadsheet counts: the header is 1.
    """

    id: str
    y_true: str
    y_pred: str
    loss: float
    stratum: str
    weight: float
    note: str = ""
    label_ok: Literal["ok", "wrong", "ambiguous", ""] = ""
    corrected_label: str = ""
    tags: Mapping[str, bool] = field(default_factory=dict)
    reviewer: str = ""
    reviewed: bool = False
    file: str = ""
    line: int = 0

    @property
    def is_error(self) -> bool:
        """Whether the answer was wrong (every row of a regression sheet has a loss instead)."""
        return self.y_true != self.y_pred


@dataclass(frozen=True)
class Sheet:
    """A sheet that came back: one file, or several of one export read together.

    Attributes:
        manifest: How it was drawn.
        rows: Its rows in the order of the files; an example that several reviewers looked at has several.
        tags: All tags, those that reviewers added among them.
        notes: What was repaired on the way in, and what a user should know.
    """

    manifest: Manifest
    rows: tuple[Row, ...]
    tags: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def reviewed(self) -> tuple[Row, ...]:
        """The rows in which anything was filled in."""
        return tuple(row for row in self.rows if row.reviewed)
