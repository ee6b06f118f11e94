"""The derivatives of code of the user's own are what its values say."""

import copy

import torch
from torch import Tensor, nn

from mlproj.doctor.gradient import GradientCheck, gradient_check
from mlproj.doctor.patient import Patient
from mlproj.doctor.registry import NotApplicable, Seen, check
from mlproj.errors import InvalidInput, MlprojError
from mlproj.zoo import generator

_ROWS, _COORDINATES, _SECONDS = 8, 60, 8.0
_GRADES = ("good", "look again", "bug")


class _Outputs(nn.Module):
    """Outputs as if they were weights, so that a loss is checked by itself."""

    def __init__(self, outputs: Tensor) -> None:
        super().__init__()
        self.outputs = nn.Parameter(outputs)

    def forward(self) -> Tensor:
        """The outputs [1, B, K]."""
        return self.outputs


@check(5, "gradients", "gradients of your own code are right", needs="steps")
def gradients(patient: Patient) -> Seen:
    """Checks a module of `kind: python` and a loss of one's own by centred differences."""
    own_loss = patient.objective.loss == "own"
    if not patient.is_own and not own_loss:
        raise NotApplicable("only for a model or a loss of your own; those of mlproj are checked by its own tests")
    batch = patient.batch(_ROWS)
    x, y = batch.x.cpu(), batch.y.cpu()  # not every device computes in float64
    found: dict[str, GradientCheck] = {}
    try:
        if patient.is_own:
            model = copy.deepcopy(patient.stored or patient.build()).cpu()
            learned = sum(each.requires_grad for each in model.parameters())
            most = int(_SECONDS / patient.step_seconds / (2 * learned))  # a slow model is asked about fewer
            found["model"] = gradient_check(
                model, patient.objective, x, y, coordinates=max(2, min(_COORDINATES, most)), seed=patient.project.seed
            )
        if own_loss:
            shape = (1, x.shape[1], patient.n_outputs)
            outputs = torch.randn(shape, generator=generator(patient.project.seed, "sample"))
            found["loss"] = gradient_check(_Outputs(outputs), patient.objective, [], y, coordinates=_COORDINATES)
    except InvalidInput as error:
        raise NotApplicable(error.problems[0].message) from error
    except MlprojError as error:  # the user's code does not compute in float64
        raise NotApplicable(f"it cannot be computed in float64: {error}") from error
    return _judge(found)


def _judge(found: dict[str, GradientCheck]) -> Seen:
    rows = [(what, each) for what, result in found.items() for each in result.parameters]
    what, worst = max(rows, key=lambda row: (_GRADES.index(row[1].grade), row[1].ratio))
    n = sum(result.checked for result in found.values())
    numbers = {what: result.document() for what, result in found.items()}
    where = "the loss" if what == "loss" else worst.name.removeprefix("net.")
    how = "centred difference ε = 1e-5 in float64, dropout off; ratio ‖approx − grad‖ / (‖approx‖ + ‖grad‖)"
    text = f"largest ratio {worst.ratio:.1e} ({where}), {n:,} coordinates"
    if worst.grade == "good":
        return Seen("ok", text, n, how, numbers=numbers)
    advice = (
        f"At {list(worst.worst)} differences say {worst.approx:.4g} and autograd {worst.grad:.4g}: look at backward() "
        "of your torch.autograd.Function, at detach() and at operations in place. "
        "mlproj.gradient_check(module, loss, x, y) shows every parameter."
    )
    return Seen("fail" if worst.grade == "bug" else "warn", text, n, how, advice, numbers)
