"""Axis letters and tensor aliases; the one legend for every array in the house.

M models in a fleet, B examples in a batch, N examples in a set, F features, K outputs (classes, labels or 1), T steps,
P weights of one model, H units of a layer.
A suffix such as ``logits_MBK`` says the same inside a function that these aliases say at its boundary.
"""

from typing import TypeAlias

from jaxtyping import Float, Int
from torch import Tensor

Rows: TypeAlias = Float[Tensor, "*M B F"]
Outputs: TypeAlias = Float[Tensor, "M B K"]
PerModel: TypeAlias = Float[Tensor, "M"]
Index: TypeAlias = Int[Tensor, "M B"]
Flat: TypeAlias = Float[Tensor, "M P"]
Column: TypeAlias = Float[Tensor, "M 1"]
Units: TypeAlias = Float[Tensor, "M B H"]
Steps: TypeAlias = Float[Tensor, "T"]
Scalar: TypeAlias = Float[Tensor, ""]
Codes: TypeAlias = Int[Tensor, "M B"]
Weighting: TypeAlias = Float[Tensor, "M B *K"]
