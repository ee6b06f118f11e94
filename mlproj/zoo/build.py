"""`build`: from a model's spec to a stack of M models. Families register themselves, one file each."""

from collections.abc import Sequence
from functools import singledispatch
from importlib import import_module
from importlib.metadata import entry_points

from mlproj.spec.base import Spec
from mlproj.zoo.stacked import StackedModel

BUILT_IN = ("mlproj.zoo.linear", "mlproj.zoo.mlp", "mlproj.zoo.own")


@singledispatch
def build(spec: Spec, *, n_features: int, n_outputs: int, seeds: Sequence[int]) -> StackedModel:
    """Builds M models of one shape; member m has exactly the weights of a model built alone with its seed.

    Args:
        spec: The `model:` section of a project.
        n_features: Inputs F of each model.
        n_outputs: Outputs K: classes, yes/no labels, or 1.
        seeds: One seed per member.

    Returns:
        The stack, in training mode, on the CPU, in float32.
    """
    known = ", ".join(sorted(kind.__name__ for kind in build.registry if kind is not object))
    size = f"{n_features} inputs, {n_outputs} outputs, {len(seeds)} models"
    raise TypeError(f"no model family is registered for {type(spec).__name__} ({size}); registered are {known}")


def load_models() -> None:
    """Loads every model family that is installed; each registers its builder with `build`."""
    for entry in entry_points(group="mlproj.models"):
        entry.load()
    for module in BUILT_IN:  # a source tree that was never installed has no entry points
        import_module(module)
