"""The `model:` section: one class per kind. Adding a model is adding a class here, a file in `zoo` and one registration."""

from typing import Annotated, Any, Literal

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
    hidden: tuple[Annotated[int, Field(ge=1, le=65_536)], ...] | None = None
    """Units per hidden layer, for example `[64, 32]`, instead of `layers` and `width`."""
    activation: Activation = "relu"
    """Activation of the hidden layers."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of hidden units switched off in each training step."""
    batch_norm: bool = False
    """Normalise each hidden layer over the batch, before the activation."""
    init: Literal["he", "xavier", "glorot"] = "he"
    """Variance of the initial weights: he 2/n_in, xavier 1/n_in, glorot 2/(n_in + n_out)."""

    @model_validator(mode="before")
    @classmethod
    def _one_way_to_size(cls, data: Any) -> Any:
        """Fills `layers` and `width` unless `hidden` says it all; both at once would contradict each other."""
        if not isinstance(data, dict):
            return data
        given = {
            key: value for key, value in data.items() if value is not None or key not in ("hidden", "layers", "width")
        }
        if "hidden" not in given:
            return {"layers": 2, "width": 64} | given
        if "layers" in given or "width" in given:
            raise ValueError("give either `hidden` or `layers` and `width`, not both")
        hidden = given["hidden"]
        return given | {"hidden": tuple(hidden) if isinstance(hidden, list) else hidden}

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units per hidden layer.

        Example:
            >>> MLP(layers=3, width=8).sizes
            (8, 8, 8)
        """
        return (
            self.hidden
            if self.hidden is not None
            else (self.width or 64,) * (2 if self.layers is None else self.layers)
        )


Model = Annotated[MLP | Linear, Field(discriminator="kind")]
