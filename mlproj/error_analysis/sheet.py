"""The error sheet as data: what was drawn (`Manifest`), and what reviewers wrote into it (`Sheet`, `Row`).

A sheet is drawn in strata; a row's `weight` says for how many examples of its stratum it stands, so that shares can be
said of all errors although only some were looked at (Horvitz & Thompson 1952).
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

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
class Example:
    """One example as it was drawn.

    Attributes:
        id: The example.
        y_true: Its label.
        y_pred: The model's answer; "" in an audit of labels.
        loss: Its loss; NaN where there is none.
        stratum: Name of its stratum.
        metric_weight: Its weight in the metric (`data.weight`).
        suspicion: How much its label looks wrong, from 0 to 1; kept out of the sheet, so that nobody is led by it.
    """

    id: str
    y_true: str
    y_pred: str
    loss: float
    stratum: str
    metric_weight: float = 1.0
    suspicion: float | None = None


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
        error: Error of the run on the whole split, weighted where the examples are (the mean loss for regression);
            NaN where no answers are shown.
        strata: What was drawn from what, by the name in the column `stratum`.
        examples: The examples in the sheet by id.
        tags: Tags that the sheet was written with.
        metric: error, or the loss that regression rows are sorted by.
        reviewers: Who got a sheet of their own.
        created: Seconds since 1970.
        seed: Seed of the draw.
        eyeball_seed: Which eyeball half it was.
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
    examples: Mapping[str, Example] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    metric: str = "error"
    reviewers: tuple[str, ...] = ()
    created: float = 0.0
    seed: int = 0
    eyeball_seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """The same as plain data; what is not a number becomes null."""
        plain = asdict(self) | {"examples": [asdict(example) for example in self.examples.values()]}
        return _no_nan(plain)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Manifest":
        """What `to_json` said.

        Raises:
            KeyError, TypeError: When it says something else.
        """
        known = {name: document[name] for name in cls.__dataclass_fields__ if name in document}
        error = math.nan if known["error"] is None else known["error"]
        examples = [
            Example(**{**row, "loss": math.nan if row["loss"] is None else row["loss"]}) for row in known["examples"]
        ]
        lists = {name: tuple(known[name]) for name in ("classes", "tags", "reviewers")}
        strata = {name: Stratum(**counts) for name, counts in known["strata"].items()}
        return cls(
            **{**known, "error": error, **lists, "strata": strata, "examples": {row.id: row for row in examples}}
        )


def _no_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _no_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_no_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True)
class Row:
    """One row of a sheet as it came back.

    Attributes:
        example: The example that it is about, as it was drawn.
        weight: For how many examples of its stratum it stands.
        note: Free text.
        label_ok: ok, wrong, ambiguous, or "" where nothing was said.
        corrected_label: What the label should be; "" where nothing was said.
        tags: The tags that hold; in a row that was not reviewed there are none.
        reviewer: Who looked at it; "" where nobody signed.
        reviewed: Whether anything was filled in.
        file: The sheet it stands in.
        line: Its line there, as a spreadsheet counts: the header is 1.
    """

    example: Example
    weight: float
    note: str = ""
    label_ok: Literal["ok", "wrong", "ambiguous", ""] = ""
    corrected_label: str = ""
    tags: frozenset[str] = frozenset()
    reviewer: str = ""
    reviewed: bool = False
    file: str = ""
    line: int = 0

    @property
    def id(self) -> str:
        """The example's id."""
        return self.example.id

    @property
    def is_error(self) -> bool:
        """Whether the answer was wrong (every row of a regression sheet has a loss instead)."""
        return self.example.y_true != self.example.y_pred


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
