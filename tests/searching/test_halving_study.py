"""What halving loses: the study of benchmarks/halving_study.py, on a scale that a test can bear."""

import argparse
import importlib.util
import sys
from pathlib import Path
from statistics import fmean

STUDY = Path(__file__).parents[2] / "benchmarks" / "halving_study.py"


def test_with_halving_the_best_is_on_average_hardly_worse_for_a_fraction_of_the_epochs() -> None:
    spec = importlib.util.spec_from_file_location("halving_study", STUDY)
    assert spec is not None
    assert spec.loader is not None
    study = importlib.util.module_from_spec(spec)
    sys.modules["halving_study"] = study  # where its dataclass looks for itself
    spec.loader.exec_module(study)
    options = argparse.Namespace(trials=32, epochs=20, sampler="random", crew=64)
    whole, halved = ([study.search_once(halving, seed, options) for seed in range(4)] for halving in ("none", "auto"))
    assert fmean(result[0] for result in halved) - fmean(result[0] for result in whole) <= 0.005
    assert sum(result[1] for result in halved) < 0.4 * sum(result[1] for result in whole)
