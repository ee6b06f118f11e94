"""Models: one file per family, and `build`, which makes a stack of M models of one shape from a spec.

Every parameter has the leading axis M, so that one forward pass is a handful of batched matrix products for all M
models; a model trained alone is a stack of one.

Example:
    >>> import torch
    >>> from mlproj.spec.model import MLP
    >>> model = build(MLP(layers=1, width=8), n_features=4, n_outputs=3, seeds=[0, 1])
    >>> model(torch.zeros(5, 4)).shape
    torch.Size([2, 5, 3])
"""

from mlproj.zoo.build import build as build
from mlproj.zoo.build import load_models
from mlproj.zoo.estimator import OwnEstimator as OwnEstimator
from mlproj.zoo.estimator import is_estimator as is_estimator
from mlproj.zoo.own import OwnModel as OwnModel
from mlproj.zoo.own import build_model as build_model
from mlproj.zoo.own import restore_model as restore_model
from mlproj.zoo.padded import build_padded as build_padded
from mlproj.zoo.padded import cut_out as cut_out
from mlproj.zoo.seeds import generator as generator
from mlproj.zoo.seeds import seeded as seeded
from mlproj.zoo.stacked import LayerRow as LayerRow
from mlproj.zoo.stacked import StackedModel as StackedModel
from mlproj.zoo.stacked import layer_table as layer_table
from mlproj.zoo.stacked import stack as stack
from mlproj.zoo.stacked import unstack as unstack

load_models()
