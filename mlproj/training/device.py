"""Where a training computes, and with how many threads; torch is imported where it is asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_SMALL_WORK = 2**23


def choose_device(name: str) -> "torch.device":
    """The device that `training.device` names; auto is CUDA where there is one, else the CPU.

    Args:
        name: auto, cpu, cuda, cuda:N or mps.

    Example:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    import torch

    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


def is_available(name: str) -> bool:
    """Whether this machine has the device.

    Example:
        >>> is_available("auto"), is_available("cuda:99")
        (True, False)
    """
    kind, _, number = name.partition(":")
    if kind in ("auto", "cpu"):
        return True
    import torch

    if kind == "cuda":
        return torch.cuda.is_available() and int(number or 0) < torch.cuda.device_count()
    return torch.backends.mps.is_available()


@contextmanager
def few_threads(n_values: int) -> Iterator[None]:
    """One thread for little work, of which more would be spent on sharing than on doing it; restored afterwards.

    Args:
        n_values: Products per update: examples in the batch times weights, those of all members of a stack.
    """
    import torch

    before = torch.get_num_threads()
    if n_values < _SMALL_WORK:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
