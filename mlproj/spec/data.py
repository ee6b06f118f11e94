"""The `data:` section: where the examples come from and what their columns mean."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PrivateAttr, Tag

from mlproj.spec.base import Name, Names, Spec, Words, form_of, word_or_number
from mlproj.spec.where import Where

ColumnKind = Literal["number", "category", "boolean", "date", "text", "ignore"]


class Part(Spec):
    """Some of a source: its path and the rows to keep."""

    path: Name
    """File, folder, glob, `sklearn:NAME` or `python:package.module:function`; relative to project.yaml."""
    where: Where | None = None
    """Rows to keep, for example `origin == 'phone'`."""


Source = Annotated[Annotated[Name, Tag("(scalar)")] | Annotated[Part, Tag("(mapping)")], Discriminator(form_of)]
Sources = Annotated[
    Annotated[Name, Tag("(scalar)")]
    | Annotated[Part, Tag("(mapping)")]
    | Annotated[tuple[Source, ...], Field(min_length=1, strict=False), Tag("(list)")],
    Discriminator(form_of),
]


class DateFormat(Spec):
    """A column of dates in a format of its own."""

    date: Name
    """Format in `strptime` letters, for example `"%d/%m/%Y"`."""


ColumnType = Annotated[
    Annotated[ColumnKind, Tag("(scalar)")] | Annotated[DateFormat, Tag("(mapping)")], Discriminator(form_of)
]


class WeightColumn(Spec):
    """Weights that stand in a column."""

    column: Name
    """Column of weights; numbers from 0."""


class WeightRule(Spec):
    """One weight for the rows that matter more, 1 for the others."""

    where: Where
    """Rows that get the weight, for example `kind == 'adult'`."""
    value: Annotated[float, Field(gt=0)]
    """Weight of those rows; the others weigh 1."""


def _weight_form(value: Any) -> str:
    is_rule = isinstance(value, WeightRule) or (isinstance(value, dict) and "column" not in value)
    return "(rule)" if is_rule else "(column)"


Weight = Annotated[
    Annotated[WeightColumn, Tag("(column)")] | Annotated[WeightRule, Tag("(rule)")], Discriminator(_weight_form)
]
Label = Annotated[
    Annotated[Name, Tag("(scalar)")] | Annotated[tuple[Name, ...], Field(min_length=1, strict=False), Tag("(list)")],
    Discriminator(form_of),
]


@dataclass(frozen=True)
class Owner:
    """The project that data belong to; all owners are equal, so that it makes no difference to what was declared."""

    project: Any = field(default=None, compare=False, repr=False)


class Data(Spec):
    """Where the examples come from and what their columns mean."""

    source: Sources
    """The target distribution: dev and test come from here and from nothing else. A `.csv`, `.parquet`,
    `.feather`, `.jsonl` or `.npz` file, a folder or glob of them, `sklearn:NAME`, `python:package.module:function`, a
    `{path, where}` mapping, or a list of these."""
    extra: Annotated[tuple[Source, ...], Field(strict=False)] = ()
    """More training data from elsewhere; never in dev or test."""
    label: Label | None = None
    """Column to predict; a list of columns means several yes/no labels (an empty cell is a missing label).
    `sklearn:` sources, `y` of an `.npz` file and `(X, y)` of a `python:` source bring their own."""
    positive: Annotated[str | bool | int | float, Words(("a class as it stands in the label column",))] | None = None
    """Positive class of a binary label; by default 1, true or yes."""
    label_scale: Literal["linear", "log"] = "linear"
    """Regression: scale on which the label is learned. It is standardised on train either way; predictions are in the
    original unit."""
    id: Name | None = None
    """Column that names each example once; without it a hash of the row's features serves."""
    group: Name | None = None
    """Column such as a user or patient: one group never sits in two splits."""
    time: Name | None = None
    """Column of dates or times: dev and test are later than train."""
    columns: dict[Name, ColumnType] = Field(default={})
    """Column types that were guessed wrong: number | category | boolean | date | text | ignore, or
    `{date: FORMAT}`. Text is sentences: its words become inputs."""
    exclude: Names = ()
    """Columns that are no features but stay visible in listings."""
    include: Names = ()
    """The only columns that are features, for wide tables."""
    weight: Weight | None = None
    """Weights of examples in the metric (and in the loss when training.weighted_loss is true)."""
    corrections: Name | None = None
    """CSV file of corrected labels (id, label, was, by, date), beside project.yaml; `mlproj errors apply` writes it."""

    _owner: Owner = PrivateAttr(default_factory=Owner)

    def __call__(self, split: str, *, encoded: bool = False) -> Any:
        """The examples of a split, as `mlproj.load_split` gives them: `project.data("train")`.

        Args:
            split: train, train_dev or dev.
            encoded: Whether to return the arrays that a model sees instead of the table.

        Raises:
            SealedSplit: For test.
            InvalidInput: For any other name, or when the data are wrong.
        """
        import mlproj

        if self._owner.project is None:
            raise TypeError("these data belong to no project yet; call the data of a Project: project.data('train')")
        return mlproj.load_split(self._owner.project, split, encoded=encoded)

    def owned_by(self, project: Any) -> "Data":
        """A copy that knows its project; equal to this one."""
        copy = self.model_copy()
        copy._owner = Owner(project)
        return copy

    @property
    def sources(self) -> tuple[Part, ...]:
        """The target distribution's parts, in the order they were written."""
        return tuple(as_part(entry) for entry in (self.source if isinstance(self.source, tuple) else (self.source,)))

    @property
    def extras(self) -> tuple[Part, ...]:
        """The further training data's parts."""
        return tuple(as_part(entry) for entry in self.extra)

    @property
    def labels(self) -> tuple[str, ...]:
        """Label columns; empty when the source brings its own."""
        return self.label if isinstance(self.label, tuple) else (self.label,) if self.label else ()


def as_part(entry: str | Part) -> Part:
    """A source entry in its long form.

    Example:
        >>> as_part("app.csv").path
        'app.csv'
    """
    return Part(path=entry) if isinstance(entry, str) else entry


AMOUNT = ("a share below 1", "a count from 2", "0 for none")
Amount = Annotated[
    Annotated[float, Field(ge=0), Words(AMOUNT), Tag("(number)")]
    | Annotated[Name, Words(("a file", "with `data.time` a date such as 2024-03-01")), Tag("(word)")],
    Discriminator(word_or_number),
]


class Splits(Spec):
    """How the examples are dealt into train, train-dev, dev and test. Defaults follow the size of the data."""

    column: Name | None = None
    """Column that says it itself: train, train_dev, dev, test; empty cells are dealt as usual."""
    dev: Amount | None = None
    """Share (below 1) or number (from 2) of target examples, a file, or with `time` a date (from that day on);
    0 means no such rung. Automatic when left out."""
    test: Amount | None = None
    """Likewise for the test set, which stays sealed until it is evaluated."""
    train_dev: Annotated[
        Annotated[Literal["auto"], Tag("(word)")] | Annotated[float, Field(ge=0), Words(AMOUNT), Tag("(number)")],
        Discriminator(word_or_number),
    ] = "auto"
    """Share or number held out of the training distribution; auto: present when `extra` or `time` makes it differ from
    dev."""
    stratify: bool = True
    """Keep the shares of the classes equal in all splits."""
