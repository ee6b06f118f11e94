"""What a model costs to use: time per answer and size, measured on this machine."""

import statistics
import time

import torch
from torch import Tensor

from mlproj.zoo import StackedModel

_WARM_UP, _CALLS = 5, 50


def measure_resources(model: StackedModel, x: Tensor) -> dict[str, float]:
    """Latency of single answers and size of the weights.

    Args:
        model: A stack of one.
        x: At least one example [N, F] on its device.

    Returns:
        `latency_ms`, the median time of one forward pass of one example in milliseconds, and `size_mb`, the weights
        and running statistics in 10⁶ bytes.
    """
    n_bytes = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    return {"latency_ms": _latency_ms(model, x), "size_mb": n_bytes / 1e6}


def _latency_ms(model: StackedModel, x: Tensor) -> float:
    model.eval()
    seconds = []
    with torch.no_grad():
        for call in range(_WARM_UP + _CALLS):
            example = x[call % len(x)].unsqueeze(0)
            begin = time.perf_counter()
            model(example).cpu()  # on a GPU, the answer is there when it has been copied back
            seconds.append(time.perf_counter() - begin)
    return 1000 * statistics.median(seconds[_WARM_UP:])
