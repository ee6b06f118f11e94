"""Training: one objective, one step with the leading axis M, one loop; optimisers and schedules with per-model values.

`fit` turns a project and its data into a `Fit`; `resolve` makes every `auto` explicit; `predict` uses stored weights.
Names are loaded when they are first used: who hands out jobs resolves projects, and needs no torch for that.
"""

from typing import TYPE_CHECKING

from mlproj.lazy import names_of

if TYPE_CHECKING:
    from mlproj.training.fitting import fit as fit
    from mlproj.training.loop import OnEpoch as OnEpoch
    from mlproj.training.own import own_notes as own_notes
    from mlproj.training.predicting import predict as predict
    from mlproj.training.resolving import choice_problems as choice_problems
    from mlproj.training.resolving import resolve as resolve

_HOMES = {
    "fit": "fitting",
    "OnEpoch": "loop",
    "own_notes": "own",
    "predict": "predicting",
    "choice_problems": "resolving",
    "resolve": "resolving",
}
__getattr__ = names_of(__name__, {name: f".{home}" for name, home in _HOMES.items()})
