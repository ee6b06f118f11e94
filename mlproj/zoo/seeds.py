"""Random numbers by the hand: every purpose of every model has a generator of its own, made from the model's seed.

So a member of a stack draws what its twin draws alone, and switching dropout on moves neither the initial weights nor
the order of the batches.
"""

from collections.abc import Iterator
from contextlib import contextmanager
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


def bit_generator(seed: int, purpose: Purpose, *index: int) -> np.random.SFC64:
    """A fast source of random bits, where many are needed.

    Args:
        seed: The model's seed, from 0.
        purpose: What they are for.
        index: Which of several streams of that purpose, for example a layer and a part of its stream.

    Example:
        >>> [int(bit_generator(7, "dropout", 1, part).random_raw() % 100) for part in (0, 0, 1)]
        [77, 77, 43]
    """
    return np.random.SFC64(np.random.SeedSequence((seed, _PURPOSES[purpose], *index)))


@contextmanager
def seeded(seed: int, purpose: Purpose, index: int = 0, *, device: torch.device | str = "cpu") -> Iterator[None]:
    """Random numbers of torch and NumPy that depend on the seed alone, for code that is not ours; then as before.

    Args:
        seed: The model's seed.
        purpose: What the numbers are for.
        index: Which of several streams of that purpose.
        device: Where torch draws beside the CPU.

    Example:
        >>> with seeded(7, "weights"):
        ...     one = torch.rand(3)
        >>> with seeded(7, "weights"):
        ...     bool((one == torch.rand(3)).all())
        True
    """
    place = torch.device(device)
    gpus = [torch.cuda.current_device() if place.index is None else place.index] if place.type == "cuda" else []
    state = np.random.get_state()  # noqa: NPY002  # scikit-learn draws from it unless it is told otherwise
    with torch.random.fork_rng(devices=gpus):
        first = generator(seed, purpose, index).initial_seed()
        torch.manual_seed(first)
        np.random.seed(first % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(state)  # noqa: NPY002
