"""The answer to an example depends on that example alone, not on its neighbours in the batch."""

import torch
from torch import Tensor

from mlproj.doctor.patient import Patient
from mlproj.doctor.registry import NotApplicable, Seen, check
from mlproj.training.outputs import run_model
from mlproj.zoo import OwnEstimator, StackedModel

_ROWS = 8
_CLOSE = 1e-3
"""Outputs that differ by less than this share of their spread differ by rounding."""


@check(6, "batch-independence", "examples of a batch do not mix", needs="model")
def batch_independence(patient: Patient) -> Seen:
    """Differentiates one example's output by the inputs of the others, and asks in another order and one by one."""
    model = _model(patient)
    x = patient.batch(_ROWS).x[0]
    if len(x) < 2:
        raise NotApplicable("there is a single example")
    mixing = 0.0 if isinstance(model, OwnEstimator) else _mixing(model.eval(), x)
    together = run_model(model, x)[0]
    order = torch.arange(len(x) - 1, -1, -1, device=x.device)
    alone = torch.cat([run_model(model, row.unsqueeze(0))[0] for row in x])
    # Of a model that answers always the same, the spread is rounding at most.
    unit = max(float((together.amax(0) - together.amin(0)).max()), 1e-3 * float(together.abs().max())) or 1.0
    moved = float((run_model(model, x[order])[0][order] - together).abs().max()) / unit
    apart = float((alone - together).abs().max()) / unit
    numbers = {"gradient": mixing, "other_order": moved, "one_by_one": apart}
    how = "∂ output i / ∂ input j in evaluation mode; the same rows in another order and one by one"
    if mixing > 0 or max(moved, apart) > _CLOSE:
        seen = [
            f"an output changes with the inputs of other examples (share {mixing:.2g} of its gradient)" * (mixing > 0),
            f"other answers one by one (by {apart:.2g} of their spread)" * (apart > _CLOSE),
            f"other answers in another order (by {moved:.2g} of their spread)" * (moved > _CLOSE),
        ]
        advice = (
            "Look for a reshape or view that mixes the axis of examples with another, a softmax or mean over axis 0, "
            "or normalisation over the batch in evaluation mode."
        )
        return Seen("fail", "; ".join(text for text in seen if text), len(x), how, advice, numbers)
    text = "each answer depends on its own inputs alone, in any order and one by one"
    return Seen("ok", text, len(x), how, numbers=numbers)


def _model(patient: Patient) -> StackedModel:
    """The model of the run, or a new one; of an estimator one that was fitted."""
    if patient.stored is not None:
        return patient.stored
    model = patient.build()
    return patient.fitted_estimator() if isinstance(model, OwnEstimator) else model


def _mixing(model: StackedModel, x: Tensor) -> float:
    """Largest share of an output's gradient that falls on the inputs of other examples."""
    x = x.detach().clone().requires_grad_()
    outputs = model(x)[0]
    if not outputs.requires_grad:
        return 0.0
    shares = []
    for row in {0, len(x) // 2, len(x) - 1}:
        (slope,) = torch.autograd.grad(outputs[row].sum(), x, retain_graph=True, materialize_grads=True)
        others = torch.arange(len(x), device=x.device) != row
        total = float(slope.abs().sum())
        shares.append(float(slope[others].abs().sum()) / total if total else 0.0)
    return max(shares)
