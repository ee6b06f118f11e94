"""Trains the digits once or several times in one process: python -m contenders.one plain [--repeats 3] [--epochs 20].

`cold` is the first training, `warm` the faster of the last two, both in seconds and without imports and data.
"""

import time

_BEGAN = time.perf_counter()

import argparse  # noqa: E402
import importlib  # noqa: E402
import json  # noqa: E402

from task import EPOCHS, Setting, digits, gflop  # noqa: E402


def main() -> None:
    """Trains, and prints the seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("loop")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    loop = importlib.import_module(f"contenders.{options.loop}")
    parts = loop.prepare(digits())
    ready, seconds, error = time.perf_counter(), [], 1.0
    for _ in range(options.repeats):
        began = time.perf_counter()
        error = loop.train(parts, Setting(epochs=options.epochs))
        seconds.append(time.perf_counter() - began)
    found = {"imports": ready - _BEGAN, **first_and_later(seconds), "error": error}
    print(json.dumps(found | {"gflop": gflop([(Setting.width, options.epochs)])}))


def first_and_later(seconds: list[float]) -> dict[str, float]:
    """The first of several trainings, and the faster of the last two where there are as many after it.

    Example:
        >>> first_and_later([3.0, 1.0, 2.0]), first_and_later([3.0])
        ({'cold': 3.0, 'warm': 1.0}, {'cold': 3.0})
    """
    return {"cold": seconds[0]} | ({"warm": min(seconds[1:][-2:])} if len(seconds) > 1 else {})


if __name__ == "__main__":
    main()
