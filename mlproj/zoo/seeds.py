"""Random numbers by the hand: every purpose of every model has a generator of its own, made from the model's seed.

So a member of a stack draws what its twin draws alone, and switching dropout on moves neither the initial weights nor
the order of the batches.
"""

from typing import Literal

import numpy as np
import torch

Purpose = Literal["weights", "dropout", "batches", "sample"]
_PURPOSES: dict[Purpose, int] = {"weights": 0, "dropout": 1, "batches": 2, "sample": 3}


def generator(seed: int, purpose: Purpose, index: int = 0, *, device: torch.device | str = "cpu") -> torch.Generator:
    """A random generator for one purpose of the model with this seed.

    Args:
        seed: The model's seed, from 0.
        purpose: What the numbers are for.
        index: Which of several streams of that purpose, for example one per layer.
        device: Where the numbers are drawn.

    Example:
        >>> one, same, other = (generator(7, purpose) for purpose in ("weights", "weights", "batches"))
        >>> one.initial_seed() == same.initial_seed(), one.initial_seed() == other.initial_seed()
        (True, False)
    """
    state = np.random.SeedSequence((seed, _PURPOSES[purpose], index)).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state[0] >> 1))
