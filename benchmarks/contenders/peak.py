"""How many multiplications and additions per second matrix products reach here, in float32: python -m contenders.peak.

The best of many products of 1024 × 1024 matrices, in GFLOP/s, with one thread and with two.
"""

import json
import time

import torch


def main() -> None:
    """Measures, and prints a figure for each number of threads."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    best = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        seconds = []
        for _ in range(30):
            began = time.perf_counter()
            torch.mm(a, b)
            seconds.append(time.perf_counter() - began)
        best[f"gflops_{threads}"] = 2 * 1024**3 / min(seconds) / 1e9
    print(json.dumps(best))


if __name__ == "__main__":
    main()
