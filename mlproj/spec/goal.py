"""The `metric:` and `human_level:` sections: what good means."""

import re
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from mlproj.spec.base import Count, Name, Spec, Words, form_of, word_or_number

ClassificationMetric = Literal[
    "error", "accuracy", "f1", "f1_macro", "f1_weighted", "precision", "precision_macro", "recall", "recall_macro",
    "specificity", "specificity_macro", "balanced_accuracy", "mcc", "roc_auc", "average_precision", "log_loss", "brier",
]  # fmt: skip
RegressionMetric = Literal["mae", "mse", "rmse", "mape", "r2"]
Metric = Literal[ClassificationMetric, RegressionMetric]
Resource = Literal["latency_ms", "size_mb"]
Promised = Literal[Metric, Resource]

CLASSIFICATION_METRICS: tuple[str, ...] = get_args(ClassificationMetric)
REGRESSION_METRICS: tuple[str, ...] = get_args(RegressionMetric)
LOSSES = frozenset({"error", "log_loss", "brier", "mae", "mse", "rmse", "mape", "latency_ms", "size_mb"})
"""Names for which lower is better; every other metric is a score, at most 1."""
POSITIVE_CLASS_METRICS = frozenset({"f1", "precision", "recall", "specificity", "average_precision"})
"""Names that speak of one class and so need `data.positive`."""
_LIMIT = re.compile(r"\s*(>=|<=|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(%?)\s*")


def parse_limit(text: str) -> tuple[str, float]:
    """A limit as an operator and a number.

    Raises:
        ValueError: When the text is no limit.

    Example:
        >>> parse_limit(">= 95%")
        ('>=', 0.95)
    """
    found = _LIMIT.fullmatch(text)
    if not found:
        raise ValueError(f'{text!r} is no limit; write an operator and a number, for example ">= 0.95" or "<= 20"')
    operator, number, percent = found.groups()
    return operator, float(number) / (100 if percent else 1)


def _limit(text: str) -> str:
    parse_limit(text)
    return text


Limit = Annotated[str, AfterValidator(_limit), Words(('a limit such as ">= 0.95" or "<= 20"',))]


class MetricSpec(Spec):
    """What good means: one metric to optimise, others that only have to pass."""

    optimize: Metric | None = None
    """The single number to optimise; error for classification and rmse for regression when left out."""
    satisfy: dict[Promised, Limit] = Field(default={})
    """Limits that only have to be met, for example `{recall: ">= 0.95", latency_ms: "<= 20"}`."""
    threshold: Annotated[
        Annotated[Literal["auto"], Tag("(word)")] | Annotated[float, Field(ge=0, le=1), Tag("(number)")],
        Discriminator(word_or_number),
    ] = "auto"
    """Binary: probability from which the answer is the positive class. auto: chosen on dev so that `satisfy` holds and
    `optimize` is best when a thresholded metric other than error or accuracy is named, else 0.5."""


LabelIs = Literal["gold", "single", "consensus"]


class Expert(Spec):
    """What one of several experts, or one team, got wrong."""

    by: Name
    """Who it is, for example `anna` or `the team`."""
    n: Count
    """Examples that the expert judged."""
    errors: Annotated[int, Field(ge=0)] | None = None
    """How many of them came out wrong."""
    error: Annotated[float, Field(ge=0, le=1)] | None = None
    """The share that came out wrong, where `errors` does not say it."""

    @model_validator(mode="after")
    def _one_count(self) -> "Expert":
        if (self.errors is None) == (self.error is None):
            raise ValueError("give either `errors`, how many of `n` came out wrong, or their share as `error`")
        if self.errors is not None and self.errors > self.n:
            raise ValueError(f"{self.errors:,} errors in {self.n:,} examples are more than there are")
        return self

    @property
    def wrong(self) -> int:
        """How many of `n` came out wrong.

        Example:
            >>> Expert(by="anna", n=200, error=0.03).wrong
            6
        """
        return self.errors if self.errors is not None else round((self.error or 0.0) * self.n)


class HumanLevel(Spec):
    """How well people do the task, as a stand-in for the best error possible."""

    error: Annotated[float, Field(ge=0)] | None = None
    """Error of the best human figure (a fraction; rmse for regression)."""
    metric: Metric | None = None
    """Metric of `value`, or of what `annotators` are measured in, when it is not the error."""
    value: float | None = None
    """Human value of `metric`."""
    n: Count | None = None
    """Examples on which it was measured; without it the figure is taken as exact."""
    half_width: Annotated[float, Field(gt=0)] | None = None
    """Half the width of its 95 % interval, where `n` does not say it."""
    annotators: (
        Annotated[
            Annotated[Name, Tag("(scalar)")] | Annotated[tuple[Name, ...], Field(strict=False), Tag("(list)")],
            Discriminator(form_of),
            Words(("a list of columns or a .csv or .parquet file (id, annotator, label)",)),
        ]
        | None
    ) = None
    """Labels that several people gave, instead of a figure: columns of the data (they are then no features), or a file
    of id, annotator and label, one row per label."""
    label_is: LabelIs | None = None
    """What the label of the data is beside the labels of `annotators`: the truth, found out in another way (gold), one
    more person's label (single), or the majority of the annotators (consensus); left out, the labels tell."""
    experts: Annotated[tuple[Expert, ...], Field(strict=False)] | None = None
    """Several people or teams, each with `by`, `n` and `errors`; the best one counts."""
    on: Literal["training", "target"] | None = None
    """Distribution on which it was measured; both when left out."""
    by: str | None = None
    """Who measured it, for example "three radiologists"."""

    @model_validator(mode="after")
    def _one_figure(self) -> "HumanLevel":
        forms = [self.error, self.value, self.annotators, self.experts]
        is_figure = self.error is not None or self.value is not None
        may_have_metric = self.value is not None or self.annotators is not None
        is_dated = self.n is not None or self.half_width is not None
        faults = {
            "give one of `error`, `metric` with `value`, `annotators` or `experts`": sum(
                form is not None for form in forms
            )
            != 1,
            "`value` needs its `metric`": self.value is not None and self.metric is None,
            "`metric` goes with `value` or `annotators`": self.metric is not None and not may_have_metric,
            "give either `n` or `half_width`, not both": self.n is not None and self.half_width is not None,
            "`n` and `half_width` belong to a figure; of `annotators` and `experts` they are counted": is_dated
            and not is_figure,
            "`label_is` goes with `annotators`": self.label_is is not None and self.annotators is None,
        }
        if any(faults.values()):
            raise ValueError("; ".join(fault for fault, holds in faults.items() if holds))
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that hold the labels of annotators.

        Example:
            >>> HumanLevel(annotators=["anna", "ben"]).columns, HumanLevel(annotators="labels.csv").columns
            (('anna', 'ben'), ())
        """
        return self.annotators if isinstance(self.annotators, tuple) else ()


Human = Annotated[
    Annotated[float, Field(ge=0), Tag("(scalar)")]
    | Annotated[HumanLevel, Tag("(mapping)")]
    | Annotated[tuple[HumanLevel, ...], Field(strict=False), Tag("(list)")],
    Discriminator(form_of),
]
