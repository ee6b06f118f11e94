"""Linear, logistic and softmax regression: one dense layer, whose outputs the task reads as values or logits."""

from collections.abc import Sequence

from mlproj.spec.model import Linear
from mlproj.zoo.build import build
from mlproj.zoo.layers import Dense
from mlproj.zoo.stacked import StackedModel


@build.register
def build_linear(_spec: Linear, *, n_features: int, n_outputs: int, seeds: Sequence[int]) -> StackedModel:
    """Builds M linear models.

    The weights start at 0: the problem is convex, so there is no symmetry to break, and a category that training never
    saw counts for nothing instead of for a random amount.

    Args:
        _spec: The spec of a linear model, which has no settings.
        n_features: Inputs F.
        n_outputs: Outputs K.
        seeds: One seed per member.
    """
    output = Dense(n_features, n_outputs, init="zero", seeds=seeds, index=0)
    return StackedModel({"output": output}, n_features=n_features, n_models=len(seeds))
