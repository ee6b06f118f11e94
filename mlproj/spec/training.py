"""The `training:` section: how the weights are found."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from mlproj.spec.base import Count, Name, Spec, Words, form_of, word_or_number
from mlproj.spec.model import check_code

Optimizer = Literal["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Beta = Annotated[float, Field(ge=0, lt=1)]


CODE = "python:"
"""What a loss of one's own begins with."""


def _word_or_code(value: object) -> str:
    """Whether a loss is one of ours or code of the user's own."""
    return "(code)" if isinstance(value, str) and value.startswith(CODE) else "(word)"


def _check_loss(text: str) -> str:
    check_code(text.removeprefix(CODE))
    return text


class Constant(Spec):
    """The learning rate stays as it is."""

    kind: Literal["constant"] = "constant"
    """The learning rate stays as it is."""


class InverseTime(Spec):
    """α₀ / (1 + decay · epoch)."""

    kind: Literal["inverse_time"]
    """α₀ / (1 + decay · epoch), epochs counted from 0."""
    decay: NotNegative = 1.0
    """Decay rate."""


class Exponential(Spec):
    """rate^epoch · α₀."""

    kind: Literal["exponential"]
    """rate^epoch · α₀, epochs counted from 0."""
    rate: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Factor per epoch."""


class InverseSqrt(Spec):
    """k / √t · α₀."""

    kind: Literal["inverse_sqrt"]
    """k / √t · α₀ with t the epoch or the update, counted from 1."""
    k: Positive = 1.0
    """Factor at t = 1."""
    per: Literal["epoch", "step"] = "epoch"
    """What t counts."""


class Staircase(Spec):
    """The learning rate drops by a factor every so many epochs."""

    kind: Literal["staircase"]
    """The learning rate drops by `factor` every `every` epochs."""
    every: Count = 10
    """Epochs between drops."""
    factor: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Factor of each drop."""


class Cosine(Spec):
    """Half a cosine from α₀ down, after an optional linear warm-up."""

    kind: Literal["cosine"]
    """Half a cosine from α₀ down to `final` · α₀, after an optional linear warm-up."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of all updates that climb linearly to α₀ first."""
    final: Share = 0.0
    """Share of α₀ at the end."""


class OneCycle(Spec):
    """Up to α₀ and down again, in two cosine arcs."""

    kind: Literal["one_cycle"]
    """Up from α₀/25 to α₀ in the first `warmup` of all updates and down to α₀/250,000, in two cosine arcs."""
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Share of all updates that climb."""


Schedule = Annotated[
    Constant | InverseTime | Exponential | InverseSqrt | Staircase | Cosine | OneCycle, Field(discriminator="kind")
]


class EarlyStopping(Spec):
    """Stop when the dev metric no longer improves."""

    patience: Count = 10
    """Epochs without a better dev metric after which training stops; the best weights are kept."""


class Training(Spec):
    """How the weights are found."""

    optimizer: Optimizer = "adam"
    """Rule of the updates; adam is a good first choice."""
    learning_rate: Positive = 0.001
    """Step size α₀, the first thing to tune."""
    momentum: Beta = 0.9
    """For momentum and nesterov: weight of the past gradients."""
    beta1: Beta = 0.9
    """For adam and adamw: decay of the mean of past gradients."""
    beta2: Beta = 0.999
    """For adam, adamw and rmsprop: decay of the mean of past squared gradients."""
    eps: Positive = 1e-8
    """For adam, adamw and rmsprop: keeps the division finite."""
    batch_size: Annotated[
        Annotated[Literal["auto", "full"], Tag("(word)")] | Annotated[Count, Tag("(number)")],
        Discriminator(word_or_number),
    ] = "auto"
    """Examples per update. auto: 64, from 50,000 examples 256, from 1,000,000 1,024; full: all at once."""
    epochs: Annotated[
        Annotated[Literal["auto"], Tag("(word)")] | Annotated[Count, Tag("(number)")],
        Discriminator(word_or_number),
    ] = "auto"
    """Passes through the training data. auto: at least 2,000 updates and 20 epochs."""
    schedule: Schedule = Constant()
    """Course of the learning rate over the epochs."""
    l2: NotNegative = 0.0
    """λ: adds (λ/2)·Σ‖W‖² over weight matrices (no biases, no batch norm) to the mean loss; decoupled for adamw."""
    l1: NotNegative = 0.0
    """λ: adds λ·Σ|W| over weight matrices to the mean loss."""
    loss: Annotated[
        Annotated[Literal["auto", "cross_entropy", "mse", "mae", "huber"], Tag("(word)")]
        | Annotated[str, AfterValidator(_check_loss), Words(("python:module:function",)), Tag("(code)")],
        Discriminator(_word_or_code),
    ] = "auto"
    """What training minimises; auto follows the task and the metric, `python:module:function` is one of your own."""
    class_weight: (
        Annotated[
            Annotated[Literal["balanced"], Tag("(scalar)")] | Annotated[dict[Name, Positive], Tag("(mapping)")],
            Discriminator(form_of),
        ]
        | None
    ) = None
    """Weights of the classes in the loss, never in the metric: balanced, or a mapping such as `{"yes": 8}`."""
    weighted_loss: bool = False
    """Use data.weight in the loss too."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of each target spread evenly over the classes."""
    clip_norm: Positive | None = None
    """Largest norm of a gradient; longer ones are scaled down."""
    early_stopping: EarlyStopping | None = EarlyStopping()
    """Stop when the dev metric no longer improves; null trains to the end."""
    device: Annotated[
        str, Field(pattern=r"^(auto|cpu|mps|cuda(:[0-9]+)?)$"), Words(("auto", "cpu", "cuda", "cuda:N", "mps"))
    ] = "auto"
    """Where to compute; auto takes a GPU when there is one."""

    @model_validator(mode="after")
    def _own_loss_is_not_smoothed(self) -> "Training":
        """A loss of one's own sees the labels as they are."""
        if self.loss.startswith(CODE) and self.label_smoothing:
            raise ValueError("`label_smoothing` is for cross_entropy: a loss of your own has to smooth by itself")
        return self
