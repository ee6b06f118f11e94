"""The `model:` section: one class per kind.

Adding a model is adding a class here, a file in `zoo` and one registration.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mlproj.spec.base import Spec

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


Model = Annotated[MLP | Linear, Field(discriminator="kind")]
