"""Training: one objective, one step with the leading axis M, one loop; optimisers and schedules with per-model values.

`fit` turns a project and its data into a `Fit`; `resolve` makes every `auto` explicit; `predict` uses stored weights.
"""

from mlproj.train.fit import fit as fit
from mlproj.train.loop import OnEpoch as OnEpoch
from mlproj.train.predict import predict as predict
from mlproj.train.resolve import resolve as resolve
