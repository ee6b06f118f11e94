"""Training: one objective, one step with the leading axis M, one loop; optimisers and schedules with per-model values.

`fit` turns a project and its data into a `Fit`; `resolve` makes every `auto` explicit; `predict` uses stored weights.
"""

from mlproj.training.fit import fit as fit
from mlproj.training.loop import OnEpoch as OnEpoch
from mlproj.training.own import own_notes as own_notes
from mlproj.training.predict import predict as predict
from mlproj.training.resolve import resolve as resolve
