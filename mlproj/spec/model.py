"""The `model:` section: one class per kind.

Adding a model is adding a class here, a file in `zoo` and one registration.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from mlproj.spec.base import Spec, Words

Activation = Literal["relu", "leaky_relu", "tanh", "sigmoid"]


class Linear(Spec):
    """Linear, logistic or softmax regression, as the task asks."""

    kind: Literal["linear"] = "linear"
    """Linear, logistic or softmax regression, as the task asks."""


class MLP(Spec):
    """A multi-layer perceptron."""

    kind: Literal["mlp"] = "mlp"
    """A multi-layer perceptron."""
    layers: Annotated[int, Field(ge=0, le=64)] | None = None
    """Number of hidden layers (2 unless `hidden` is given)."""
    width: Annotated[int, Field(ge=1, le=65_536)] | None = None
    """Units in each hidden layer (64 unless `hidden` is given)."""
    hidden: Annotated[tuple[Annotated[int, Field(ge=1, le=65_536)], ...], Field(strict=False)] | None = None
    """Units per hidden layer, for example `[64, 32]`, instead of `layers` and `width`."""
    activation: Activation = "relu"
    """Activation of the hidden layers."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of hidden units switched off in each training step."""
    batch_norm: bool = False
    """Normalise each hidden layer over the batch, before the activation."""
    init: Literal["he", "xavier", "glorot"] = "he"
    """Variance of the initial weights: he 2/n_in, xavier 1/n_in, glorot 2/(n_in + n_out)."""

    @model_validator(mode="after")
    def _one_way_to_size(self) -> "MLP":
        """Fills `layers` and `width` unless `hidden` says it all; both at once would contradict each other."""
        if self.hidden is None:
            object.__setattr__(self, "layers", 2 if self.layers is None else self.layers)
            object.__setattr__(self, "width", self.width or 64)
        elif self.layers is not None or self.width is not None:
            raise ValueError("give either `hidden` or `layers` and `width`, not both")
        return self

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units per hidden layer.

        Example:
            >>> MLP(layers=3, width=8).sizes
            (8, 8, 8)
        """
        return (self.width or 0,) * (self.layers or 0) if self.hidden is None else self.hidden


_CODE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def check_code(text: str) -> str:
    """Whether a text can name something in a module; nothing is imported.

    Args:
        text: For example ``package.module:Net``.

    Raises:
        ValueError: When it cannot; it says what to write.

    Example:
        >>> check_code("nets:Wide")
        'nets:Wide'
    """
    module, _, name = text.partition(":")
    if _CODE.fullmatch(text) and not module.endswith(".py"):
        return text
    meant = f"{module.removesuffix('.py').strip('./').replace('/', '.')}:{name or 'name'}"
    if not name and "." in module and not module.endswith(".py") and "/" not in module:
        meant = ":".join(module.rsplit(".", 1))
    example = meant if _CODE.fullmatch(meant) else "package.module:Name"
    raise ValueError(f"{text!r} names no place in a module; write {example}")


Code = Annotated[str, AfterValidator(check_code), Words(("package.module:Name",))]
Argument = Annotated[str, Field(pattern=r"^[^\W\d]\w*$"), Words(("the name of an argument",))]
Value = Annotated[Any, Words(("a plain value",))]


class Python(Spec):
    """A model of your own: a torch module, or an object with fit and predict."""

    kind: Literal["python"]
    """A model of your own: a torch module, or an object with fit and predict."""
    factory: Code
    """Class or function that makes it, as `package.module:Name`; the project's folder is on the import path."""
    args: dict[Argument, Value] = Field(default={})
    """Its arguments; `n_inputs`, `n_outputs`, and `seed` or `random_state` are filled in where it names them."""

    @model_validator(mode="after")
    def _sizes_are_filled_in(self) -> "Python":
        """The sizes follow from the data."""
        for name in ("n_inputs", "n_outputs"):
            if name in self.args:
                raise ValueError(f"`args.{name}` follows from the data and is filled in: leave it out")
        return self


Model = Annotated[MLP | Linear | Python, Field(discriminator="kind")]
