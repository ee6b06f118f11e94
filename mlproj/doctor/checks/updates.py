"""Every trainable parameter gets a gradient and moves; every frozen one stays."""

import torch
from torch import Tensor

from mlproj.doctor.patient import Patient
from mlproj.doctor.registry import Seen, check
from mlproj.training.step import step
from mlproj.zoo import seeded

_STEPS = 5
"""Updates that a parameter may take to get its first gradient: a rare category may miss the first batches."""
_NAMED = 6


@check(4, "updates", "every trainable parameter moves, frozen ones stay", needs="steps")
def updates(patient: Patient) -> Seen:
    """Makes one update, and a few more where a parameter had no gradient yet, and looks at every parameter."""
    learner = patient.learner()
    model = learner.model.train()
    named = {name.removeprefix("net."): each for name, each in model.named_parameters()}
    learned = {name: each for name, each in named.items() if each.requires_grad}
    frozen = {name: each.detach().clone() for name, each in named.items() if not each.requires_grad}
    still = dict.fromkeys(learned, True)
    rate = torch.full((1,), patient.project.training.learning_rate, device=patient.device)
    after_first = 0
    with seeded(patient.project.seed, "dropout", device=patient.device):
        for made in range(_STEPS):
            batch = patient.batch(patient.batch_size, made * patient.batch_size)
            slopes = _slopes(learner.objective(model(batch.x), batch.y, batch.weight).sum(), list(learned.values()))
            before = {name: each.detach().clone() for name, each in learned.items()}
            step(learner, batch, rate)
            for (name, each), slope in zip(learned.items(), slopes, strict=True):
                if bool((slope != 0).any()) and not torch.equal(before[name], each.detach()):
                    still[name] = False
            after_first = after_first or sum(still.values()) or -1
            if not any(still.values()):
                break
    stuck = [name for name, is_still in still.items() if is_still]
    moved = [name for name, before in frozen.items() if not torch.equal(before, named[name].detach())]
    numbers = {
        "trainable": len(learned), "frozen": len(frozen), "still": stuck, "frozen_that_moved": moved,
        "still_after_first": max(after_first, 0),
    }  # fmt: skip
    how = f"gradient and change of each parameter over at most {_STEPS} updates"
    n = patient.batch_size
    if stuck or moved:
        said = [f"{_some(stuck)} never moved" if stuck else "", f"{_some(moved)} moved though frozen" if moved else ""]
        advice = "It takes no part in the loss: look for detach(), no_grad() or a branch that forward never takes."
        if moved:
            advice = "Something in forward writes into a frozen parameter."
        return Seen("fail", "; ".join(text for text in said if text), n, how, advice, numbers)
    text = f"all {len(learned)} trainable parameters moved"
    text += f", {len(frozen)} frozen ones did not" if frozen else ""
    return Seen("ok", text, n, how, numbers=numbers)


def _slopes(loss: Tensor, parameters: list[torch.nn.Parameter]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, parameters, materialize_grads=True)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
