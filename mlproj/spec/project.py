"""`Project`: everything that project.yaml declares, frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr

from mlproj.errors import Problem
from mlproj.spec.analysis import ErrorAnalysis
from mlproj.spec.base import Name, Spec, Words
from mlproj.spec.data import Data, Splits
from mlproj.spec.goal import Human, HumanLevel, MetricSpec
from mlproj.spec.model import MLP, Model
from mlproj.spec.search import Search
from mlproj.spec.training import Training
from mlproj.spec.where import Where


@dataclass(frozen=True)
class Origin:
    """Where a project was read from, so that every later message can name file and line; all origins are equal.

    Attributes:
        path: The project.yaml; None for a project made in Python.
        lines: Line of each dotted path in it, counted from 1; 0 marks a value that came from `--set`.
        name: What messages call it, where it is not the file: the run that `--like` names.
    """

    path: Path | None = field(default=None, compare=False)
    lines: dict[str, int] = field(default_factory=dict, compare=False)
    name: str = field(default="", compare=False)

    @property
    def file(self) -> str:
        """What messages call it."""
        return self.name or (self.path.name if self.path else "project.yaml")

    def problem(self, where: str, message: str, hint: str = "") -> Problem:
        """A problem with a key, with the file and line that hold it (or its nearest parent)."""
        line = find_line(self.lines, where)
        return Problem(where, message, hint, "--set" if line == 0 else self.file, line or None)


class Project(Spec):
    """A machine-learning project, as declared in project.yaml."""

    name: Annotated[
        str,
        Field(max_length=200, pattern=r"^[^\s\x00-\x1f@,/\\:.]([^\x00-\x1f\x7f@,/\\:]*[^\s\x00-\x1f\x7f@,/\\:])?$"),
        Words(("text of at most 200 characters, without @ , / \\ : or line breaks and with no dot or space in front",)),
    ]
    """Name of the project and of its experiment in MLflow."""
    about: str | None = None
    """One sentence on what it is for; opens the report."""
    task: Literal["classification", "regression"] | None = None
    """What to predict: a class or a number; inferred from the label when left out."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """Seed of everything random: splits, initial weights, batches."""
    data: Data
    """Where the examples come from and what their columns mean."""
    splits: Splits = Splits()
    """How the examples are dealt; defaults follow the size of the data."""
    human_level: Human | None = None
    """Error of people on the task (rmse for regression): a number; a mapping with `n`, `on` and `by`, with the columns
    or the file of several `annotators`, or with `experts`; or a list of two, one for each distribution (`on`)."""
    metric: MetricSpec = MetricSpec()
    """What good means."""
    model: Model = MLP()
    """What is trained."""
    training: Training = Training()
    """How it is trained."""
    search: Search | None = None
    """Which values `mlproj search` tries, and how."""
    error_analysis: ErrorAnalysis = ErrorAnalysis()
    """What reviewers of errors look for."""
    slices: dict[Name, Where] = Field(default={})
    """Parts of dev that every run reports by name, for example `{dark: "brightness < 0.2"}`."""

    _origin: Origin = PrivateAttr(default_factory=Origin)

    @property
    def file(self) -> str:
        """Name of the project file, for messages."""
        return self._origin.file

    @property
    def root(self) -> Path:
        """Folder that relative paths start from and that holds `mlruns/`."""
        return self._origin.path.parent if self._origin.path else Path.cwd()

    @property
    def humans(self) -> tuple[HumanLevel, ...]:
        """The human levels in their long form: none, one, or one for each distribution, that of training first."""
        level = self.human_level
        if level is None or isinstance(level, tuple):
            return tuple(sorted(level or (), key=lambda each: each.on == "target"))
        return (level,) if isinstance(level, HumanLevel) else (HumanLevel(error=level),)

    @property
    def human(self) -> HumanLevel | None:
        """The human level in its long form; of two, that of the training distribution."""
        return next(iter(self.humans), None)

    @property
    def annotator_columns(self) -> tuple[str, ...]:
        """Columns that hold the labels of annotators: they tell the human level and are no features."""
        return tuple(dict.fromkeys(name for level in self.humans for name in level.columns))

    def says(self, where: str) -> bool:
        """Whether a key was written, in its file or with `--set`, rather than left to its default.

        Args:
            where: Dotted path, for example ``training.epochs``.
        """
        return where in self._origin.lines

    def problem(self, where: str, message: str, hint: str = "") -> Problem:
        """A problem with a key of this project, with the file and line that hold it (or its nearest parent).

        Args:
            where: Dotted path, for example ``data.label``.
            message: What is wrong.
            hint: The next step.
        """
        return self._origin.problem(where, message, hint)

    def model_post_init(self, _context: Any) -> None:
        """Lets the data know their project, so that `project.data("train")` can load them."""
        self._own_data()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> "Project":
        """A copy, with some of its parts replaced; its data belong to it."""
        copy = super().model_copy(update=update, deep=deep)
        copy._own_data()
        return copy

    def _own_data(self) -> None:
        self.__dict__["data"] = self.data.owned_by(self)

    def changed(self, **parts: Any) -> "Project":
        """A copy with some top-level parts replaced; it keeps its file and lines."""
        copy = self.model_copy(update=parts)
        return copy.located(self._origin)

    def located(self, origin: Origin) -> "Project":
        """The same project, known to come from `origin`."""
        copy = self.model_copy()
        copy._origin = origin
        return copy


def find_line(lines: dict[str, int], where: str) -> int | None:
    """Line of a dotted path, or of the nearest parent that has one.

    Example:
        >>> find_line({"data": 3, "data.label": 5}, "data.label.0")
        5
    """
    while where:
        if where in lines:
            return lines[where]
        where = where.rpartition(".")[0]
    return None
